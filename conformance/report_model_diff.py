"""A comparison of two executors as a `run/v1` report."""

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from conformance.comparator import Divergence as Found
from conformance.comparator import Layer
from conformance.diff_report import DiffReport
from conformance.differential import PairResult
from conformance.finding import Finding
from conformance.ledger import Entry, FaultKind, Ledger, LedgerFault
from conformance.normalisation import Rule
from conformance.report_model import (
    LEDGER_GROUP,
    Divergence,
    Item,
    LedgerRow,
    LedgerSection,
    Place,
    RunReport,
    Shard,
    Status,
    Timeline,
)
from conformance.verdict import Verdict

GROUP = "scenarios"
# A run of a scenario that yields many times has thousands of events; its first ones say why.
MAX_EVENTS = 200
NORMALISATION = "normalisation"
_ID_LINE = re.compile(r"""\s*id\s*=\s*["'](?P<id>[^"']+)["']""")
# An entry can have several faults of these kinds, each about another scenario.
_OF_ONE_SCENARIO = frozenset({FaultKind.AMBIGUOUS, FaultKind.RAISES})

STATUSES: Mapping[Verdict, Status] = {
    Verdict.PASS: Status.PASSED,
    Verdict.LEDGERED: Status.LEDGERED,
    Verdict.UNTESTABLE: Status.UNTESTABLE,
    Verdict.REGRESSION: Status.FAILED,
    Verdict.NONDETERMINISTIC: Status.NONDETERMINISTIC,
    Verdict.HARNESS_ERROR: Status.HARNESS_ERROR,
}


def run_report(
    report: DiffReport,
    *,
    shard: Shard | None = None,
    command: str = "",
    started_at: str = "",
    duration_ms: float = 0,
) -> RunReport:
    """Return a comparison as a report; its exit code is the comparison's own."""
    options = report.options
    section = ledger_section(report.accepted, report.usage)
    return RunReport(
        kind="diff",
        product_version=version("planproof"),
        subject=f"{options.left} and {options.right}",
        source=report.source,
        command=command,
        executors=(options.left, options.right),
        complete=report.complete,
        shard=shard,
        started_at=started_at,
        duration_ms=duration_ms,
        items=(*scenario_items(report), *fault_items(report, section)),
        ledger=section,
        rules=dict(report.touched),
        facts=tuple(_facts(report)),
    )


def scenario_items(report: DiffReport) -> tuple[Item, ...]:
    """Return one item for each scenario."""
    findings = {finding.result.scenario: finding for finding in report.findings}
    entries = {use.scenario: use.entries for use in report.uses}
    found = [
        _item(result, findings.get(result.scenario), entries.get(result.scenario, ()))
        for result in report.results
    ]
    return tuple(found)


def ledger_section(ledger: Ledger, usage: Mapping[str, int]) -> LedgerSection:
    """Return the ledger's entries as rows, with their use and their lines in the file."""
    lines = _lines(ledger.path)
    return LedgerSection(
        path=None if ledger.path is None else str(ledger.path),
        rows=tuple(
            _row(entry, usage.get(entry.id, 0), lines.get(entry.id, 1)) for entry in ledger.entries
        ),
    )


def fault_items(report: DiffReport, section: LedgerSection) -> tuple[Item, ...]:
    """Return one item for each fault of the ledger, and for each rule that touched nothing."""
    return (
        *(fault_item(fault, section) for fault in report.ledger_faults),
        *(stale_rule_item(rule) for rule in report.stale_rules),
    )


def fault_item(fault: LedgerFault, section: LedgerSection) -> Item:
    """Return a fault of the ledger as an item: `kind` says how the ledger is wrong."""
    lines = {row.id: row.line for row in section.rows}
    line = lines.get(fault.entry.split(" ", maxsplit=1)[0], 1)
    about = f" {fault.message}" if fault.kind in _OF_ONE_SCENARIO else ""
    return Item(
        id=f"{fault.entry}: {fault.kind}{about}",
        group=LEDGER_GROUP,
        status=Status.LEDGER_FAULT,
        title=fault.entry,
        kind=fault.kind.value,
        message=fault.message,
        place=None if section.path is None else Place(path=section.path, line=line),
    )


def stale_rule_item(rule: Rule) -> Item:
    """Return a rule that touched nothing in a complete run as an item."""
    return Item(
        id=rule.id,
        group=NORMALISATION,
        status=Status.LEDGER_FAULT,
        title=f"normalisation rule {rule.id}",
        kind=FaultKind.STALE.value,
        message="touched nothing: remove it",
    )


def _lines(path: Path | None) -> dict[str, int]:
    """Return the line of each entry's id, as far as it stands on a line of its own."""
    if path is None:
        return {}
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}  # the ledger was read before: its lines are a convenience
    return {
        found["id"]: number
        for number, line in enumerate(text.splitlines(), start=1)
        if (found := _ID_LINE.match(line))
    }


def _row(entry: Entry, used: int, line: int) -> LedgerRow:
    return LedgerRow(
        id=entry.id,
        title=entry.title,
        layers=tuple(str(layer) for layer in entry.layers),
        when=entry.when.source,
        legacy=entry.legacy,
        unified=entry.unified,
        reason=entry.reason,
        decision=str(entry.decision),
        owner=entry.owner,
        since=entry.since.isoformat(),
        expires=entry.expires.isoformat(),
        example=entry.example,
        max_share=entry.max_share,
        used=used,
        line=line,
    )


def _item(result: PairResult, finding: Finding | None, entries: tuple[str, ...]) -> Item:
    shown = result.shown
    accepted = result.verdict is Verdict.LEDGERED
    return Item(
        id=result.scenario,
        group=GROUP,
        status=STATUSES[result.verdict],
        kind=str(result.attribution) if shown is not None else "",
        message=_message(result, entries),
        entries=entries,
        layers=tuple(str(layer) for layer, agrees in result.layers.items() if not agrees),
        divergence=None if shown is None else _divergence(shown),
        timeline=_timeline(result),
        place=None if finding is None else Place(path=str(finding.path), line=1),
        evidence=() if finding is None else tuple(_evidence(result, finding)),
        replay="" if finding is None else finding.command,
        proposal="" if finding is None or accepted else finding.proposal,
    )


def _message(result: PairResult, entries: tuple[str, ...]) -> str:
    if result.verdict is Verdict.LEDGERED:
        return f"accepted by {' and '.join(entries)}"
    shown = result.shown
    if shown is None:
        return result.reason if result.verdict is not Verdict.PASS else ""
    where = f"{shown.layer} {shown.layer.subject}: {shown.path} ({result.attribution})"
    return f"{where}; {result.reason}" if result.reason else where


def _evidence(result: PairResult, finding: Finding) -> Iterator[str]:
    steps = len(finding.minimal.plan.get("steps", []))
    yield f"smallest: {steps} of {finding.steps_before} steps, {finding.path}"
    if result.entry:
        yield f"would be {result.entry}, but for the reference model"
    for found in result.reference[:1]:
        yield (
            f"reference model, {found.layer} {found.layer.subject}: {found.path}: "
            f"expected {found.left!r}, found {found.right!r}"
        )


def _divergence(found: Found) -> Divergence:
    return Divergence(
        layer=str(found.layer),
        subject=found.layer.subject,
        path=found.path,
        left=found.left,
        right=found.right,
    )


def _timeline(result: PairResult) -> Timeline | None:
    if result.difference is None or not any(result.timeline):
        return None
    left, right = (side[:MAX_EVENTS] for side in result.timeline)
    return Timeline(left=left, right=right, differs_at=result.difference.index)


def _facts(report: DiffReport) -> Iterator[tuple[str, str]]:
    yield "store", report.options.store
    yield "compared with themselves first (A/A)", f"{report.controlled} of {len(report.results)}"
    differing = ", ".join(f"{layer} {report.layers[layer]}" for layer in Layer)
    yield "scenarios that differ, by layer", differing
    yield "layers that decide", ", ".join(str(layer) for layer in report.gating_layers)
    for why, count in report.unpredictable.items():
        yield "without a word of the reference model", f"{count} {why}"
