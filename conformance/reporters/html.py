"""A report as one HTML file that needs nothing else: no network, no second file.

The template and the style are in `templates/`. Everything but the list of items is in the markup;
the list is data that a small script shows (`html_data`). Every text is escaped by the template
engine, or set as text by the script; a content security policy forbids all loading.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from conformance.report_history import PastRun
from conformance.report_model import RunReport, Status
from conformance.reporters import html_charts, html_fates, html_matrices, html_rates
from conformance.reporters.html_data import embedded, to_data

TEMPLATES = Path(__file__).parent / "templates"
MAX_LISTED = 50  # blocking items that a browser without scripts shows
MAX_HISTORY = 30  # past runs that are listed


def render(report: RunReport, past: Sequence[PastRun]) -> str:
    """Return the page, ending in a newline; `past` are older runs of the same series."""
    template = _environment().get_template("report.html")
    page = template.render(_context(report, past))
    return page.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _context(report: RunReport, past: Sequence[PastRun]) -> dict[str, Any]:
    blocking = report.blocking()
    return {
        "report": report,
        "verdict": _verdict(report),
        "cards": [_card(metric, report, past) for metric in report.metrics],
        "blocking": blocking[:MAX_LISTED],
        "blocking_total": len(blocking),
        "statuses": [
            (status.value, status.value.replace("_", " "), count)
            for status, count in report.counts.items()
        ],
        "groups": list(dict.fromkeys(item.group for item in report.items)),
        "rows": sorted(
            report.ledger.rows if report.ledger is not None else (),
            key=lambda row: (-row.used, row.id),
        ),
        "past": [_past(run) for run in past[-MAX_HISTORY:]][::-1],
        "coverage": html_matrices.coverage(report.chaos) if report.chaos is not None else None,
        "fates": html_fates.fates(report.chaos) if report.chaos is not None else None,
        "kills": html_matrices.kills(report.chaos) if report.chaos is not None else None,
        "rates": html_rates.drawing(report.rates) if report.rates is not None else None,
        # Ours and no text of a report: the policy in the page's head needs them inline.
        "style": Markup((TEMPLATES / "report.css").read_text("utf-8")),  # noqa: S704 - our file
        "script": Markup((TEMPLATES / "report.js").read_text("utf-8")),  # noqa: S704 - our file
        "data": Markup(embedded(to_data(report))),  # noqa: S704 - `embedded` escapes it
    }


def _verdict(report: RunReport) -> str:
    if report.exit_code == 0:
        return "good"
    undecided = {Status.UNTESTABLE, Status.UNKNOWN}
    unsure = all(item.status in undecided for item in report.blocking())
    return "unsure" if unsure and report.exit_code == 4 else "bad"  # noqa: PLR2004 - VACUOUS


def _card(metric: Any, report: RunReport, past: Sequence[PastRun]) -> dict[str, Any]:
    return {
        "metric": metric,
        "style": html_charts.colour_class(metric.verdict),
        "dial": html_charts.dial(metric.gauge) if metric.gauge is not None else None,
        "trend": html_charts.trend(metric, past, report.started_at),
    }


def _past(run: PastRun) -> dict[str, Any]:
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in run.counts.items())
    met = sum(metric.verdict == "met" for metric in run.metrics.values())
    return {
        "moment": run.started_at[:16].replace("T", " "),
        "exit_code": run.exit_code,
        "style": "good" if run.exit_code == 0 else "bad",
        "metrics": f"{met} of {len(run.metrics)}" if run.metrics else "",
        "counts": counts,
        "version": run.product_version,
    }
