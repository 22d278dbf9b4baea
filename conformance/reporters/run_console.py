"""Any report for people at a terminal: what blocks first, the verdict last, in words."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.report_model import Item, RunReport, Status
from conformance.reporters import rates_console
from conformance.reporters.console_text import console_text
from conformance.reporters.wording import detail_lines

WIDTH = 100
MAX_LISTED = 50  # blocking items that are shown in full; the rest is counted
_STYLES = {
    Status.HARNESS_ERROR: "bold red",
    Status.FAILED: "bold red",
    Status.NONDETERMINISTIC: "bold red",
    Status.LEDGER_FAULT: "bold red",
    Status.UNTESTABLE: "bold yellow",
    Status.UNKNOWN: "bold yellow",
    Status.LEDGERED: "green",
    Status.PASSED: "green",
}


def render(report: RunReport, *, width: int = WIDTH, colour: bool = False) -> str:
    """Return the report as text, ending in a newline. The last line is the verdict."""
    return console_text(lambda console: _draw(report, console, width), width=width, colour=colour)


def _draw(report: RunReport, console: Console, width: int) -> None:
    source = f", {report.source}" if report.source else ""
    console.print(f"planproof {report.kind}: {report.subject}{source}", soft_wrap=True)
    if report.metrics:
        console.print(_metrics(report))
    if report.rates is not None:
        console.print(rates_console.drawing(report.rates, width=width))
    blocking = report.blocking()
    for item in blocking[:MAX_LISTED]:
        console.print(_item(item, report), soft_wrap=True)
    if len(blocking) > MAX_LISTED:
        console.print(f"and {len(blocking) - MAX_LISTED} more that block")
    for name, text in report.facts:
        console.print(f"{name}: {text}", soft_wrap=True)
    console.print(verdict_line(report), soft_wrap=True)


def verdict_line(report: RunReport) -> str:
    """Return the last line of the report alone, without its line end."""
    parts = [f"{count} {status}" for status, count in report.counts.items()]
    if report.metrics:
        met = sum(metric.exit_code == 0 for metric in report.metrics)
        parts.insert(0, f"{met} of {len(report.metrics)} metrics met")
    return f"{report.headline}: {', '.join(parts) or 'there was nothing'} (exit {report.exit_code})"


def _metrics(report: RunReport) -> Table:
    table = Table(box=None, show_header=False, expand=True)
    table.add_column(width=7, no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for metric in report.metrics:
        why = f"\nwhy: {metric.reason}" if metric.reason else ""
        table.add_row(metric.verdict.value, f"{metric.title} [{metric.id}]\n{metric.figure}{why}")
    return table


def _item(item: Item, report: RunReport) -> Text:
    word = item.status.value.replace("_", " ").upper()
    text = Text(word, style=_STYLES[item.status])
    text.append(f" {item.id}: {item.message}", style="default")
    for line in detail_lines(item, report):
        text.append(f"\n  {line}", style="default")
    return text
