"""Shadow runs as a `run/v1` report: one item for each execution, the worst that was seen of it."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version

from conformance.report_model import Divergence, Item, RunReport, Status
from engine.shadow import ShadowReport

GROUP = "executions"
STATUSES = {"same": Status.PASSED, "different": Status.FAILED, "unknown": Status.UNKNOWN}
_WORST = ("same", "unknown", "different")


def run_report(
    reports: Sequence[tuple[str, ShadowReport]],
    *,
    source: str,
    command: str,
    started_at: str,
    duration_ms: float,
) -> RunReport:
    """Return what `reports`, each with its place, come to. None of them: nothing was examined."""
    worst: dict[str, tuple[str, ShadowReport]] = {}
    for place, report in reports:
        known = worst.get(report.execution_id)
        if known is None or _rank(report) >= _rank(known[1]):
            worst[report.execution_id] = (place, report)
    return RunReport(
        kind="shadow",
        product_version=version("planproof"),
        subject="legacy and its shadow, unified",
        source=source,
        command=command,
        executors=("legacy", "unified"),
        started_at=started_at,
        duration_ms=duration_ms,
        items=tuple(item(place, report) for place, report in worst.values()),
        facts=(("shadowed segments", str(len(reports))),),
    )


def item(place: str, report: ShadowReport) -> Item:
    """Return the verdict on one execution: `unknown` is never a pass."""
    first = next(iter(report.differences), None)
    return Item(
        id=report.execution_id,
        group=GROUP,
        status=STATUSES[report.verdict],
        kind=report.verdict,
        message="; ".join(_reasons(report)),
        divergence=None
        if first is None
        else Divergence(
            layer="L0" if first.path == "end" else "L1",
            subject=report.execution_id,
            path=first.path,
            left=first.legacy,
            right=first.unified,
        ),
        evidence=(
            *(f"differs: {each.path}" for each in report.differences),
            *(
                f"unified alone would have called the tool of {step}"
                for step in report.unmatched_calls
            ),
            *(f"unified would have undone {step}" for step in report.would_compensate),
            place,
        ),
    )


def _rank(report: ShadowReport) -> int:
    return _WORST.index(report.verdict)


def _reasons(report: ShadowReport) -> Iterator[str]:
    if report.reason:
        yield report.reason
    if report.differences:
        yield f"differs in {', '.join(each.path for each in report.differences)}"
    if report.unmatched_calls:
        yield f"{len(report.unmatched_calls)} calls that legacy did not make"
    if report.unused_answers:
        yield f"{report.unused_answers} calls of legacy that unified would not have made"
