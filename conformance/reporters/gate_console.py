"""The gate's report for people: readable in 80 columns, with and without colour.

Verdicts are words and never only colours. Long texts wrap inside their column.
"""

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from conformance.errors import ExitCode
from conformance.report import Finding, GateReport, Verdict
from conformance.reporters.console_text import console_text

WIDTH = 80  # of a report that is not written to a terminal
STYLES = {Verdict.MET: "green", Verdict.MISSED: "bold red", Verdict.UNKNOWN: "yellow"}

MEANINGS = {
    ExitCode.PASSED: "passed",
    ExitCode.FAILED: "a check failed",
    ExitCode.USAGE: "usage or configuration",
    ExitCode.HARNESS: "the harness failed",
    ExitCode.VACUOUS: "something could not be examined",
    ExitCode.LEDGER: "ledger invalid, stale or expired",
}


def render(report: GateReport, *, width: int = WIDTH, colour: bool = False) -> str:
    """Return the report as text, ending in a newline. The last line is the verdict."""
    return console_text(lambda console: _draw(report, console), width=width, colour=colour)


def _draw(report: GateReport, console: Console) -> None:
    console.print(f"planproof gate, profile {report.profile}: {report.repository}")
    if report.metrics:
        console.print(_table("Metrics", report.metrics))
    if report.checklist:
        policy = "decides" if report.checklist_decides else f"does not decide in {report.profile}"
        console.print(_table(f"Migration checklist ({policy})", report.checklist))
    console.print(_verdict(report), soft_wrap=True)


def verdict_line(report: GateReport) -> str:
    """Return the last line of the report alone, without its line end."""
    return _verdict(report).plain


def _table(title: str, findings: tuple[Finding, ...]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        expand=True,
        show_header=False,
        show_lines=False,
        box=None,
    )
    table.add_column("", width=7, no_wrap=True)
    table.add_column("", ratio=1, overflow="fold")
    for finding in findings:
        table.add_row(*_cells(finding))
    return table


def _cells(finding: Finding) -> tuple[RenderableType, RenderableType]:
    verdict = Text(finding.verdict.value, style=STYLES[finding.verdict])
    body = Text(f"{finding.title} [{finding.id}]", style="bold")
    body.append(f"\n{finding.figure}", style="not bold")
    if finding.target:
        body.append(f"\ntarget: {finding.target}", style="not bold dim")
    if finding.reason:
        body.append(f"\nwhy: {finding.reason}", style="not bold")
    if finding.evidence:
        body.append(f"\nsee: {', '.join(finding.evidence)}", style="not bold dim")
    return verdict, body


def _verdict(report: GateReport) -> Text:
    code = ExitCode(report.exit_code)
    counts = [
        f"{sum(finding.verdict is verdict for finding in report.deciding())} {verdict.value}"
        for verdict in Verdict
    ]
    scope = f" (only {', '.join(report.only)})" if report.only else ""
    verdict = report.verdict()
    line = Text(f"{verdict.value.upper()}", style=STYLES[verdict])
    line.append(
        f"{scope}: {', '.join(counts)}; exit {int(code)}, {MEANINGS[code]}", style="default"
    )
    return line
