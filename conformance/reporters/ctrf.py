"""A report as CTRF, the Common Test Report Format: JSON for test dashboards.

The format's five outcomes are fewer than ours; `rawStatus` has ours. Accepted and advisory items
are `skipped`; what could not be examined is `other`, which no dashboard counts as passed.
"""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from conformance.report import Verdict
from conformance.report_model import Item, Metric, RunReport, Status
from conformance.reporters.wording import detail_lines

SPEC_VERSION = "1.0.0"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:planproof:item")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OUTCOMES = {
    Status.PASSED: "passed",
    Status.LEDGERED: "skipped",
    Status.FAILED: "failed",
    Status.NONDETERMINISTIC: "failed",
    Status.LEDGER_FAULT: "failed",
    Status.UNTESTABLE: "other",
    Status.UNKNOWN: "other",
    Status.HARNESS_ERROR: "other",
}
_OF_VERDICT = {Verdict.MET: "passed", Verdict.MISSED: "failed", Verdict.UNKNOWN: "other"}


def render(report: RunReport) -> str:
    """Return the report as JSON text, ending in a newline."""
    return json.dumps(to_document(report), indent=1, ensure_ascii=False) + "\n"


def to_document(report: RunReport) -> dict[str, Any]:
    """Return the CTRF document as plain JSON data; a run of unknown time began at the epoch."""
    tests = [_metric(metric) for metric in report.metrics]
    tests += [_test(item, report) for item in report.items]
    start = _milliseconds(report.started_at)
    outcomes = [test["status"] for test in tests]
    summary = {
        "tests": len(tests),
        **{
            name: outcomes.count(name)
            for name in ("passed", "failed", "skipped", "pending", "other")
        },
        "suites": len({tuple(test["suite"]) for test in tests}),
        "start": start,
        "stop": start + round(report.duration_ms),
        "duration": round(report.duration_ms),
        "extra": {"exitCode": report.exit_code, "headline": report.headline},
    }
    document: dict[str, Any] = {
        "reportFormat": "CTRF",
        "specVersion": SPEC_VERSION,
        "generatedBy": "planproof",
        "results": {
            "tool": {"name": "planproof", "version": report.product_version},
            "summary": summary,
            "tests": tests,
            "environment": {
                "reportName": f"planproof {report.kind}",
                "appName": report.subject,
                "healthy": report.exit_code == 0,
                "extra": {name: value for name, value in report.facts},  # noqa: C416 - pairs
            },
        },
    }
    if report.started_at:
        document["timestamp"] = report.started_at
    return document


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "id": _identity("metrics", metric.id),
        "name": metric.title,
        "status": _OF_VERDICT[metric.verdict],
        "rawStatus": metric.verdict.value,
        "duration": 0,
        "suite": ["metrics"],
        "message": metric.reason or metric.figure,
        "labels": {"figure": metric.figure, "target": metric.target},
    }


def _test(item: Item, report: RunReport) -> dict[str, Any]:
    outcome = _OUTCOMES[item.status]
    if item.role == "advisory" and not item.status.is_green:
        outcome = "skipped"
    test: dict[str, Any] = {
        "id": _identity(*item.key),
        "name": item.id,
        "status": outcome,
        "rawStatus": item.status.value,
        "duration": round(item.duration_ms or 0),
        "suite": [item.group],
    }
    tags = [tag for tag in (*item.layers, item.kind) if tag]
    if tags:
        test["tags"] = tags
    if item.entries:
        test["labels"] = {"ledger": list(item.entries)}
    if item.message:
        test["message"] = item.message
    if item.place is not None:
        test |= {"filePath": item.place.path, "line": item.place.line}
    if item.is_blocking:
        test["trace"] = "\n".join(detail_lines(item, report))
    return test


def _identity(group: str, name: str) -> str:
    """Return an id that is the same in every run."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps([group, name])))


def _milliseconds(moment: str) -> int:
    if not moment:
        return 0
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(milliseconds=1)
