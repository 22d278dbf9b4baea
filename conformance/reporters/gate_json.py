"""The gate's report as JSON: one document, keys in the order of the model."""

import json

from conformance.report import GateReport
from conformance.report_model import RunReport


def render(report: GateReport, run: RunReport | None = None) -> str:
    """Return the JSON document, ending in a newline; `run` is its `run/v1` form."""
    document = report.model_dump(mode="json")
    if run is not None:
        document["run"] = run.model_dump(mode="json", by_alias=True)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
