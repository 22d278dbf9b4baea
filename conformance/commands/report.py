"""`planproof report`: open a report, merge those of several shards, draw the trend of past runs."""

import json
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from conformance.commands.report_output import Destinations, moment, report_options
from conformance.errors import UsageError
from conformance.report_files import check_writable, write_report
from conformance.report_history import (
    DEFAULT_HISTORY,
    PastRun,
    read,
    record,
    series_of,
    sparkline,
)
from conformance.report_merge import merge as merged
from conformance.report_model import SEVERITIES
from conformance.report_reading import read_report
from conformance.reporters import run_console

_FILE = click.Path(path_type=Path)


@click.group(name="report")
def command() -> None:
    """Open a report, merge those of several shards, or draw the trend of past runs."""


@command.command(name="open")
@click.argument("file", type=_FILE)
@click.option("--output", type=_FILE, help="The HTML file; default: beside FILE.")
@click.option(
    "--history", type=_FILE, default=DEFAULT_HISTORY, show_default=True, help="Past runs to draw."
)
@click.option("--browser/--no-browser", default=True, help="Start a browser, or only write it.")
def open_(file: Path, output: Path | None, history: Path, *, browser: bool) -> int:
    """Show a report (JSON or HTML) in a browser, and print the path of its HTML file."""
    page = file
    if file.suffix.lower() not in {".html", ".htm"}:
        report = read_report(file)
        page = output or file.with_suffix(".html")
        check_writable(page)
        from conformance.reporters import html  # noqa: PLC0415 - Jinja2 is needed here alone

        past = read(history, series_of(report)) if history.is_file() else []
        write_report(page, html.render(report, past))
    elif not file.is_file():
        raise UsageError("No such file or directory", place=str(file))
    sys.stdout.write(f"{page}\n")
    if browser and not webbrowser.open(page.resolve().as_uri()):
        sys.stderr.write("planproof: no browser could be started; open the file yourself\n")
    return 0


@command.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@report_options
def merge(files: tuple[Path, ...], destinations: Destinations) -> int:
    """Merge the JSON reports of several shards, and judge them as one run.

    Stale ledger entries are found out here, and the exit code is that of the whole. One file is
    written again in another format.
    """
    destinations.check()
    report = merged([(str(file), read_report(file)) for file in files])
    destinations.deliver(
        report,
        {"console": lambda colour: run_console.render(report, colour=colour)},
        run_console.verdict_line(report),
    )
    return report.exit_code


@command.command()
@click.option(
    "--history", type=_FILE, default=DEFAULT_HISTORY, show_default=True, help="The file of runs."
)
@click.option("--add", multiple=True, type=_FILE, help="Record this JSON report; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), default=60, show_default=True, help="Runs.")
@click.option(
    "--format", "form", type=click.Choice(["console", "json"]), default="console", show_default=True
)
def history(history: Path, add: tuple[Path, ...], limit: int, form: str) -> int:
    """Draw the trend of past runs: a line for each metric and each status."""
    if add:
        record(history, [read_report(file) for file in add], now=moment())
    runs = read(history, limit=limit)
    if form == "json":
        sys.stdout.write(json.dumps([asdict(run) for run in runs], indent=2) + "\n")
        return 0
    series = dict.fromkeys(run.series for run in runs)
    for name in series:
        sys.stdout.writelines(
            f"{line}\n" for line in trend_lines(name, [run for run in runs if run.series == name])
        )
    return 0


def trend_lines(name: str, runs: Sequence[PastRun]) -> Iterator[str]:
    """Return the trend of one series as text: bars from the lowest to the highest value."""
    last = runs[-1]
    span = f"{runs[0].started_at[:10]} to {last.started_at[:10]}"
    yield f"{name}: {len(runs)} runs, {span}, last exit code {last.exit_code}"
    metrics = dict.fromkeys(metric for run in runs for metric in run.metrics)
    statuses = [str(status) for status in SEVERITIES if any(run.counts.get(status) for run in runs)]
    width = max((len(text) for text in (*metrics, *statuses)), default=0)
    for metric in metrics:
        found = [run.metrics.get(metric) for run in runs]
        bars = sparkline([None if each is None else each.value for each in found])
        newest = next(each for each in reversed(found) if each is not None)
        yield f"  {metric:<{width}}  {bars}  {newest.verdict}: {newest.figure}"
    for status in statuses:
        counts = [run.counts.get(status, 0) for run in runs]
        yield f"  {status:<{width}}  {sparkline([float(count) for count in counts])}  {counts[-1]}"
