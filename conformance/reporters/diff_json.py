"""The comparison's report as JSON; `schema_version` is raised when a field changes its meaning."""

import json
from typing import Any

from conformance.comparator import Divergence, EventDifference
from conformance.diff_report import DiffReport
from conformance.differential import PairResult
from conformance.finding import Finding
from conformance.normalisation import RULES
from conformance.normalisation import VERSION as NORMALISATION_VERSION
from conformance.report_model import RunReport

SCHEMA_VERSION = 1


def render(report: DiffReport, run: RunReport | None = None) -> str:
    """Return the report as one JSON document, ending in a newline; `run` is its `run/v1` form."""
    document = _document(report)
    if run is not None:
        document["run"] = run.model_dump(mode="json", by_alias=True)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _document(report: DiffReport) -> dict[str, Any]:
    touched = report.touched
    return {
        "schema": "diff/v1",
        "schema_version": SCHEMA_VERSION,
        "left": report.options.left,
        "right": report.options.right,
        "store": report.options.store,
        "strict": report.options.strict,
        "source": report.source,
        "complete": report.complete,
        "exit_code": int(report.exit_code),
        "scenarios": len(report.results),
        "controlled": report.controlled,
        "verdicts": {str(verdict): count for verdict, count in report.verdicts.items()},
        "layers": {str(layer): count for layer, count in report.layers.items()},
        "gating_layers": [str(layer) for layer in report.gating_layers],
        "unpredictable": dict(report.unpredictable),
        "normalisation": {
            "version": NORMALISATION_VERSION,
            "rules": {rule.id: touched.get(rule.id, 0) for rule in RULES},
            "stale": [rule.id for rule in report.stale_rules],
        },
        "ledger": {
            "path": report.ledger,
            "usage": dict(report.usage),
            "faults": [
                {"entry": fault.entry, "kind": str(fault.kind), "message": fault.message}
                for fault in report.ledger_faults
            ],
        },
        "findings": [_finding(finding) for finding in report.findings],
        "results": [_result(result) for result in report.results],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    result = finding.result
    return {
        **_result(result),
        "first_difference": _event(result.difference),
        "divergences": [_divergence(divergence) for divergence in result.divergences],
        "reference": [_divergence(divergence) for divergence in result.reference],
        "smallest": {
            "path": str(finding.path),
            "steps": len(finding.minimal.plan.get("steps", [])),
            "steps_before": finding.steps_before,
        },
        "replay": finding.command,
        "proposal": finding.proposal,
    }


def _result(result: PairResult) -> dict[str, Any]:
    return {
        "scenario": result.scenario,
        "verdict": str(result.verdict),
        "attribution": str(result.attribution),
        "entry": result.entry,
        "reason": result.reason,
        "layers": {str(layer): agrees for layer, agrees in result.layers.items()},
        "primary": _divergence(result.shown),
    }


def _divergence(divergence: Divergence | None) -> dict[str, Any] | None:
    if divergence is None:
        return None
    return {
        "layer": str(divergence.layer),
        "path": divergence.path,
        "left": divergence.left,
        "right": divergence.right,
    }


def _event(difference: EventDifference | None) -> dict[str, Any] | None:
    if difference is None:
        return None
    return {
        "index": difference.index,
        "before": list(difference.before),
        "left": list(difference.left),
        "right": list(difference.right),
    }
