"""The report for people: what is rewritten, what keeps its name, what is left and why."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from codemods.migration import Migration, Row
from codemods.reports.account import (
    account_line,
    by_rule,
    is_blocking,
    is_bridged,
    left,
    levels,
    printable,
    shortened,
    standing,
)
from codemods.reports.explanations import title_of
from codemods.verification import Proof

# A line of source may be a thousand characters long; the place and the reason matter more.
TEXT_CHARACTERS = 80
LINE_CHARACTERS = 240
ALLOWANCE = "[[tool.planproof.scan.allow]] with path, reason, expires"
_HOLDS = "ok"
_FAILS = "FAILS"


def render(plan: Migration, proofs: Sequence[Proof], *, written: bool) -> str:
    """Return the report as text, ending in a newline; its account is at the end."""
    sections = (
        _changes(plan, proofs, written=written),
        _bridged(plan),
        _left(plan),
        _proofs(proofs),
        _suppressions(plan),
    )
    lines: list[str] = []
    for section in sections:
        found = list(section)
        if found:
            lines += [*found, ""]
    lines.append(account_line(plan))
    lines.append(f"{plan.scanned.files_examined} of {plan.scanned.files_found} files examined")
    return "".join(f"{shortened(line, LINE_CHARACTERS)}\n" for line in lines)


def _changes(plan: Migration, proofs: Sequence[Proof], *, written: bool) -> Iterator[str]:
    """Yield a line for each file, with its rules and a column for each proof."""
    if not plan.changes:
        return
    verb = "wrote" if written else "would write"
    climbed = levels(proofs)
    table = standing(proofs)
    rows = [
        (
            f"{verb} {printable(change.shown)}",
            ", ".join(change.rules),
            *(_mark(table.get(change.shown, {}).get(level)) for level in climbed),
        )
        for change in plan.changes
    ]
    yield from _aligned([("file", "rules", *climbed), *rows])


def _mark(proof: Proof | None) -> str:
    if proof is None:
        return "-"
    return _FAILS if proof.fault else _HOLDS


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _bridged(plan: Migration) -> Iterator[str]:
    """Yield the files that keep legacy names, with why the direct form was not possible."""
    notes: dict[str, dict[str, None]] = {}
    for row in plan.rows:
        if is_bridged(row):
            notes.setdefault(row.occurrence.path, {}).update(dict.fromkeys(row.notes))
    if not notes:
        return
    yield "Names that are kept and taken from the bridge:"
    for path, reasons in notes.items():
        yield f"  {printable(path)}"
        yield from (f"      {printable(reason)}" for reason in reasons)


def _left(plan: Migration) -> Iterator[str]:
    """Yield what is left, each occurrence once, below the first rule that decided about it."""
    rows = left(plan)
    if not rows:
        return
    yield f"Left to be changed by hand: {len(rows)}, {sum(map(is_blocking, rows))} of them block"
    seen: set[int] = set()
    for rule, members in by_rule(rows).items():
        fresh = [row for row in members if id(row) not in seen]
        seen.update(id(row) for row in fresh)
        if fresh:
            yield f"  {rule}  {title_of(rule)} ({len(fresh)})"
            yield from _places(fresh)
    yield f"`planproof explain RULE` says why; what has to stay for a time is allowed by {ALLOWANCE}"


def _places(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        item = row.occurrence
        text = shortened(printable(item.text), TEXT_CHARACTERS)
        yield f"    {printable(item.place)}  {item.kind}  {text}"
        yield from (f"        {printable(reason)}" for reason in row.reasons)


def _proofs(proofs: Sequence[Proof]) -> Iterator[str]:
    faults = [item for item in proofs if item.fault]
    for item in faults:
        yield f"{printable(item.path)}: {item.level} does not hold: {printable(item.fault)}"
    failing = {item.level for item in faults}
    numbers = Counter(item.level for item in proofs)
    holding = [f"{level} ({numbers[level]})" for level in levels(proofs) if level not in failing]
    if holding:
        yield f"proofs that hold: {', '.join(holding)}"


def _suppressions(plan: Migration) -> Iterator[str]:
    for entry in plan.scanned.suppressions:
        reason = printable(entry.reason)
        yield f"allow entry for {printable(entry.path)} ({reason}): {printable(entry.fault)}"
