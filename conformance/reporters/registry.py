"""Every format of a report, by the name that `--format` and `--report` take."""

from collections.abc import Callable, Mapping, Sequence

from conformance.report_history import PastRun
from conformance.report_model import RunReport
from conformance.reporters import ctrf, junit, markdown, run_console, sarif

Renderer = Callable[[RunReport, Sequence[PastRun]], str]


def _html(report: RunReport, past: Sequence[PastRun]) -> str:
    # Jinja2 is needed for this format alone.
    from conformance.reporters import html  # noqa: PLC0415

    return html.render(report, past)


# The history is what some formats draw beside the run; the others show the run alone.
RENDERERS: Mapping[str, Renderer] = {
    "console": lambda report, _past: run_console.render(report),
    "json": lambda report, _past: report.to_json(),
    "junit": lambda report, _past: junit.render(report),
    "markdown": lambda report, _past: markdown.render(report),
    "sarif": lambda report, _past: sarif.render(report),
    "ctrf": lambda report, _past: ctrf.render(report),
    "html": _html,
}
FORMATS: tuple[str, ...] = tuple(RENDERERS)
