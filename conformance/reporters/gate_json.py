"""The gate's report as JSON: one document, keys in the order of the model."""

from conformance.report import GateReport


def render(report: GateReport) -> str:
    """Return the JSON document, ending in a newline."""
    return report.model_dump_json(indent=2) + "\n"
