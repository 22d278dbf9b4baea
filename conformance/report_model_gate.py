"""The gate's findings as a `run/v1` report, with the scenarios and places they rest upon.

The metrics decide, and the checklist where its profile says so. Scenarios and uses of legacy are
evidence: they are shown as what they are, and the exit code stays that of the gate.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.errors import ExitCode
from conformance.metrics import documentation, execution_tests, failures, legacy_imports, size
from conformance.report import Finding, GateReport, Verdict
from conformance.report_model import (
    Gauge,
    Item,
    LedgerSection,
    Metric,
    Place,
    Role,
    RunReport,
    Status,
)
from conformance.report_model_failures import Rates

CHECKLIST_GROUP = "checklist"
STATUSES: Mapping[Verdict, Status] = {
    Verdict.MET: Status.PASSED,
    Verdict.MISSED: Status.FAILED,
    Verdict.UNKNOWN: Status.UNKNOWN,
}
_PLACE = re.compile(r"(?P<path>[^\s:]+\.\w+):(?P<line>[1-9]\d*)(?::(?P<column>[1-9]\d*))?")


def run_report(
    report: GateReport,
    *,
    evidence: tuple[Item, ...] = (),
    ledger: LedgerSection | None = None,
    rules: Mapping[str, int] | None = None,
    executors: tuple[str, ...] = (),
    started_at: str = "",
    duration_ms: float = 0,
) -> RunReport:
    """Return the gate's report; `evidence` are items that a metric has judged already."""
    role: Role = "decides" if report.checklist_decides else "advisory"
    only = "".join(f" --only {name}" for name in report.only)
    return RunReport(
        kind="gate",
        product_version=report.product_version,
        subject=report.repository,
        source=report.configuration,
        root=report.repository,
        command=f"planproof gate --profile {report.profile}{only}",
        profile=report.profile,
        executors=executors,
        complete=not report.only,
        started_at=started_at,
        duration_ms=duration_ms,
        metrics=tuple(metric(finding) for finding in report.metrics),
        items=(*(_row(finding, role) for finding in report.checklist), *evidence),
        ledger=ledger,
        rules=dict(rules or {}),
        rates=_rates(report),
    )


def _rates(report: GateReport) -> Rates | None:
    """Return the failure rates in production that the metric was judged by; None without records."""
    for finding in report.metrics:
        if finding.id == failures.METRIC and "rates" in finding.details:
            return Rates.model_validate(finding.details["rates"])
    return None


def metric(finding: Finding) -> Metric:
    """Return a finding as a metric, on a scale where its figure is a number."""
    return Metric(
        id=finding.id,
        title=finding.title,
        verdict=finding.verdict,
        figure=finding.figure,
        target=finding.target,
        reason=finding.reason,
        evidence=finding.evidence,
        gauge=_gauge(finding),
        cause=finding.cause,
    )


def _row(finding: Finding, role: Role) -> Item:
    return Item(
        id=finding.id,
        group=CHECKLIST_GROUP,
        status=_status(finding),
        title=finding.title,
        message=finding.reason or finding.figure,
        role=role,
        place=next(_places(finding.evidence), None),
        evidence=finding.evidence,
    )


def _status(finding: Finding) -> Status:
    if finding.cause is ExitCode.HARNESS:
        return Status.HARNESS_ERROR
    return Status.LEDGER_FAULT if finding.cause is ExitCode.LEDGER else STATUSES[finding.verdict]


def _places(evidence: tuple[str, ...]) -> Iterator[Place]:
    for text in evidence:
        found = _PLACE.match(text)
        if found is not None:
            column = found["column"]
            yield Place(
                path=found["path"],
                line=int(found["line"]),
                column=None if column is None else int(column),
            )


def _gauge(finding: Finding) -> Gauge | None:
    """Return the scale of a metric; None where nothing was measured."""
    known = finding.details
    if finding.id == size.METRIC and "machine_lines" in known:
        reduction = 100 * (1 - known["machine_lines"] / known["baseline_lines"])
        goal = 100 * known["target_reduction"]
        return Gauge(
            value=round(reduction, 2),
            goal=round(goal, 2),
            low=min(0.0, round(reduction, 2)),
            high=max(100.0, goal),
            unit="%",
            better="higher",
        )
    if finding.id == execution_tests.METRIC and known.get("ran"):
        share = round(100 * known["passed"] / known["ran"], 2)
        return Gauge(value=share, goal=100, low=0, high=100, unit="%", better="higher")
    count = _count(finding.id, known)
    if count is None:
        return None
    number, unit = count
    return Gauge(value=number, goal=0, low=0, high=max(10, number), unit=unit, better="lower")


def _count(metric_id: str, known: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return the number of things that should not be there, and what they are."""
    if metric_id == legacy_imports.METRIC and "occurrences" in known:
        return len(known["occurrences"]), "uses"
    if metric_id == failures.METRIC and known.get("pairs"):
        return len(known["increased"]) + len(known["unexplained"]), "pairs"
    if metric_id == documentation.METRIC and "gaps" in known:
        return int(known["gaps"]), "gaps"
    return None
