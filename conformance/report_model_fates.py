"""Executors that were broken at the same points, side by side, as a `run/v1` report."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version

from chaos.fault_id import parse_case
from conformance.report_model import Item, RunReport, Status
from conformance.report_model_chaos import Chaos, FateRow, SideBySide
from conformance.side_by_side import Fate, StruckPoint
from conformance.subject_campaign import SubjectFate, SubjectPoint

JUDGED = "unified"
"""The executor that has to come through unharmed; the others are evidence."""
_WORDS: Mapping[str, str] = {
    **{str(fate): str(fate) for fate in Fate},
    **{str(fate): str(fate) for fate in SubjectFate},
    str(SubjectFate.REPEATED): "repeated",
}


def against_report(points: Sequence[StruckPoint], command: str) -> RunReport:
    """Return what came of each point under each executor; only the unified one is judged."""
    rows = [(one.executor, parse_case(one.case).plan, one.case, str(one.fate)) for one in points]
    own = [row for row in rows if row[0] == JUDGED]
    items = [
        _item(plan, [row for row in own if row[1] == plan])
        for plan in dict.fromkeys(row[1] for row in own)
    ]
    return _report("legacy beside unified", rows, items, command)


def subject_report(name: str, points: Sequence[SubjectPoint], command: str) -> RunReport:
    """Return what came of one executor that was killed at each call of a tool."""
    rows = [(name, one.plan, one.name, str(one.fate)) for one in points]
    items = [
        Item(
            id=one.name,
            group=one.plan,
            status=Status.PASSED
            if one.fate in (SubjectFate.CLEAN, SubjectFate.REPEATED)
            else Status.FAILED,
            title=f"killed at call {one.call}",
            kind=str(one.kind),
            message=f"{one.fate}{f': {one.detail}' if one.detail else ''}",
            replay=command,
        )
        for one in points
    ]
    return _report(name, rows, items, command)


def _item(plan: str, own: Sequence[tuple[str, ...]]) -> Item:
    broken = [row for row in own if row[3] != str(Fate.CLEAN)]
    counts = Counter(row[3] for row in own)
    message = ", ".join(f"{count} {fate}" for fate, count in sorted(counts.items()))
    return Item(
        id=plan,
        group=JUDGED,
        status=Status.FAILED if broken else Status.PASSED,
        title=f"plan {plan} under {JUDGED}",
        message=message + (f"; first: {broken[0][2]}" if broken else ""),
    )


def _report(
    subject: str, rows: Sequence[tuple[str, str, str, str]], items: Iterable[Item], command: str
) -> RunReport:
    fates = []
    for executor, plan in dict.fromkeys(row[:2] for row in rows):
        own = [row for row in rows if row[:2] == (executor, plan)]
        fates.append(
            FateRow.model_validate(
                {
                    "executor": executor,
                    "plan": plan,
                    "cases": [row[2] for row in own],
                    "fates": [_WORDS[row[3]] for row in own],
                }
            )
        )
    return RunReport(
        kind="chaos",
        product_version=version("planproof"),
        subject=subject,
        source=f"{len(rows)} points at which a process was killed or a connection broken",
        command=command,
        executors=tuple(dict.fromkeys(row[0] for row in rows)),
        items=tuple(items),
        facts=tuple(_facts(rows)),
        chaos=Chaos(world="sim", fates=tuple(fates), legacy_side_by_side=tuple(_counts(rows))),
    )


def _facts(rows: Sequence[tuple[str, str, str, str]]) -> Iterable[tuple[str, str]]:
    for executor in dict.fromkeys(row[0] for row in rows):
        counts = Counter(_WORDS[row[3]] for row in rows if row[0] == executor)
        said = ", ".join(f"{count} {fate}" for fate, count in sorted(counts.items()))
        yield executor, f"{sum(counts.values())} points: {said}"


def _counts(rows: Sequence[tuple[str, str, str, str]]) -> Iterable[SideBySide]:
    fates = dict.fromkeys(_WORDS[row[3]] for row in rows)
    order = ("lost", "duplicated", "stuck", "diverged", "repeated", "clean")
    for executor in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == executor]
        for fate in order:
            if fate not in fates and fate not in ("lost", "duplicated", "stuck", "diverged"):
                continue
            found = [row[2] for row in own if _WORDS[row[3]] == fate]
            yield SideBySide.model_validate(
                {
                    "executor": executor,
                    "outcome": fate,
                    "points": len(found),
                    "of": len(own),
                    "example": found[0] if found else "",
                }
            )
