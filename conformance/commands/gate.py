"""`planproof gate`: the success metrics and the migration checklist of the repository around here."""

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import get_args

import click
from rich.console import Console

from conformance.commands.report_output import check_writable, report_options
from conformance.config import ProfileName, find_repository
from conformance.evidence.collection import collectors
from conformance.gate import CHECKLIST, METRICS, Progress, run_gate, silent
from conformance.report import GateReport
from conformance.reporters import gate_console, gate_json

MIN_WIDTH = 60  # narrower terminals wrap by themselves
MAX_WIDTH = 120  # longer lines are hard to read


@click.command(name="gate", epilog=f"Metrics: {', '.join(METRICS)}; and {CHECKLIST}.")
@click.option(
    "--profile",
    type=click.Choice(get_args(ProfileName)),
    default="pr",
    show_default=True,
    help="How much to run; `release` also lets the checklist decide.",
)
@report_options
@click.option("--config", type=click.Path(path_type=Path), help="Read [tool.planproof] from here.")
@click.option(
    "--only",
    type=click.Choice([*METRICS, CHECKLIST]),
    multiple=True,
    metavar="METRIC",
    help="Judge only this metric; may be repeated.",
)
def command(
    profile: ProfileName,
    format_: str,
    output: Path | None,
    config: Path | None,
    only: tuple[str, ...],
) -> int:
    """Report the five success metrics and the migration checklist of this repository."""
    repository = find_repository(Path.cwd(), config)
    check_writable(output)
    report = run_gate(repository, profile, collectors(os.environ), only=only, progress=_progress())
    _write(report, format_, output)
    return report.exit_code


def _write(report: GateReport, format_: str, output: Path | None) -> None:
    if format_ == "json":
        text = gate_json.render(report)
    elif output is not None:
        text = gate_console.render(report)
    else:
        console = Console()
        width = min(max(console.width, MIN_WIDTH), MAX_WIDTH) if console.is_terminal else None
        colour = console.is_terminal and not console.no_color
        text = gate_console.render(report, width=width or gate_console.WIDTH, colour=colour)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, "utf-8")
        sys.stdout.write(gate_console.verdict_line(report) + "\n")


def _progress() -> Progress:
    console = Console(stderr=True)
    if not console.is_terminal:
        return silent

    def status(message: str) -> AbstractContextManager[object]:
        return console.status(f"{message} ...")

    return status
