"""`planproof gate`: the success metrics and the migration checklist of the repository around here."""

import dataclasses
import os
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import get_args

import click
from rich.console import Console

from conformance.commands.report_output import Destinations, moment, report_options
from conformance.config import ProfileName, Repository, find_repository
from conformance.evidence.collection import collectors
from conformance.evidence.scan import Scans
from conformance.gate import CHECKLIST, METRICS, Collectors, Progress, run_gate, silent
from conformance.metrics.failures import PairEvidence
from conformance.report import GateReport
from conformance.report_model import Item, RunReport
from conformance.report_model_diff import fault_items, ledger_section, scenario_items
from conformance.report_model_gate import run_report
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
    config: Path | None,
    only: tuple[str, ...],
    destinations: Destinations,
) -> int:
    """Report the five success metrics and the migration checklist of this repository."""
    repository = find_repository(Path.cwd(), config)
    destinations.check()
    started_at, began = moment(), time.perf_counter()
    seen = _Seen(collectors(os.environ))
    report = run_gate(repository, profile, seen.collectors(), only=only, progress=_progress())
    run = seen.run_report(
        report, started_at=started_at, duration_ms=round(1000 * (time.perf_counter() - began))
    )
    destinations.deliver(
        run,
        {
            "console": lambda colour: _console(report, destinations, colour=colour),
            "json": lambda _colour: gate_json.render(report, run),
        },
        gate_console.verdict_line(report),
    )
    return report.exit_code


class _Seen:
    """Keeps the scenarios and places that metrics were judged by, for reports that show them."""

    def __init__(self, inner: Collectors) -> None:
        self._inner = inner
        self._scans: Scans | None = None
        self._pairs: PairEvidence | None = None

    def collectors(self) -> Collectors:
        """Return the collectors, which remember what they gave."""
        return dataclasses.replace(self._inner, scan=self._scan, pairs=self._compare)

    def run_report(self, report: GateReport, *, started_at: str, duration_ms: float) -> RunReport:
        """Return the gate's report with what was seen as evidence."""
        evidence: list[Item] = []
        if self._scans is not None and self._scans.report is not None:
            from conformance.report_model_scan import scan_items  # noqa: PLC0415 - needs LibCST

            evidence += scan_items(self._scans.report, role="evidence")
        diff = self._pairs.diff if self._pairs is not None else None
        section = None
        if diff is not None:
            section = ledger_section(diff.accepted, diff.usage)
            found = (*scenario_items(diff), *fault_items(diff, section))
            evidence += [item.model_copy(update={"role": "evidence"}) for item in found]
        return run_report(
            report,
            evidence=tuple(evidence),
            ledger=section,
            rules=diff.touched if diff is not None else {},
            executors=(diff.options.left, diff.options.right) if diff is not None else (),
            started_at=started_at,
            duration_ms=duration_ms,
        )

    def _scan(self, repository: Repository) -> Scans:
        self._scans = self._inner.scan(repository)
        return self._scans

    def _compare(self, repository: Repository, profile: ProfileName) -> PairEvidence:
        self._pairs = self._inner.pairs(repository, profile)
        return self._pairs


def _console(report: GateReport, destinations: Destinations, *, colour: bool) -> str:
    console = Console()
    if destinations.output is not None or not console.is_terminal:
        return gate_console.render(report)
    width = min(max(console.width, MIN_WIDTH), MAX_WIDTH)
    return gate_console.render(report, width=width, colour=colour)


def _progress() -> Progress:
    console = Console(stderr=True)
    if not console.is_terminal:
        return silent

    def status(message: str) -> AbstractContextManager[object]:
        return console.status(f"{message} ...")

    return status
