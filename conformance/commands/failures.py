"""`planproof failures`: have execution failures increased since unified serves production?"""

import shlex
import time
from importlib.metadata import version
from pathlib import Path

import click

from conformance.commands.report_output import Destinations, moment, report_options
from conformance.config import FailureSettings
from conformance.errors import HarnessError
from conformance.metrics.failures import (
    INSTALL,
    METRIC,
    ProductionRecords,
    RateComparison,
    StatisticsMissingError,
    compare_rates,
    production_reason,
    read_records,
)
from conformance.report_model import Gauge, Metric, RunReport
from conformance.report_model_failures import measured_rates
from conformance.reporters import run_console

_FILE = click.Path(path_type=Path)
_DEFAULTS = FailureSettings()


@click.command(name="failures")
@click.argument("legacy", type=_FILE)
@click.argument("unified", type=_FILE)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1),
    default=_DEFAULTS.margin,
    show_default=True,
    help="How much the unified rate may be above the legacy rate; 0.01 is one percentage point.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, max_open=True),
    default=_DEFAULTS.confidence,
    show_default=True,
    help="One-sided.",
)
@report_options
def command(
    *, legacy: Path, unified: Path, margin: float, confidence: float, destinations: Destinations
) -> int:
    """Compare the failure rates that both executors had in production.

    LEGACY and UNIFIED hold one execution a line, as JSON with a boolean `success` and, if known, an
    `execution_id`. Met: with the confidence, the unified rate is at most the margin above the
    legacy rate. Missed (exit code 1): the rate rose. Unknown (4): there are too few records, or
    none.
    """
    destinations.check()
    started_at, began = moment(), time.perf_counter()
    records = (read_records(legacy), read_records(unified))
    try:
        compared = compare_rates(*records, margin=margin, confidence=confidence)
    except StatisticsMissingError:
        raise HarnessError("the statistics are not installed", advice=INSTALL) from None
    words = ["planproof", "failures", str(legacy), str(unified)]
    words += ["--margin", str(margin), "--confidence", str(confidence)]
    run = RunReport(
        kind="failures",
        product_version=version("planproof"),
        subject="legacy and unified",
        source=f"{legacy} and {unified}",
        command=shlex.join(words),
        executors=("legacy", "unified"),
        started_at=started_at,
        duration_ms=round(1000 * (time.perf_counter() - began)),
        metrics=(_metric(records, compared, margin),),
        rates=measured_rates(*records, compared, margin=margin, confidence=confidence),
    )
    destinations.deliver(
        run,
        {"console": lambda colour: run_console.render(run, colour=colour)},
        run_console.verdict_line(run),
    )
    return run.exit_code


def _metric(
    records: tuple[ProductionRecords, ProductionRecords], compared: RateComparison, margin: float
) -> Metric:
    legacy, unified = records
    bound, goal = round(100 * compared.upper_bound, 4), round(100 * margin, 4)
    empty = [each.source for each in records if not each.executions]
    return Metric(
        id=METRIC,
        title="No increase in execution failures",
        verdict=compared.verdict,
        figure=(
            f"{unified.failures} of {unified.executions} executions failed, "
            f"{legacy.failures} of {legacy.executions} on legacy"
        ),
        target=f"unified rate at most {margin:+.2%}",
        reason=f"{empty[0]}: holds no execution" if empty else production_reason(compared),
        evidence=tuple(each.source for each in records),
        gauge=None
        if empty
        else Gauge(
            value=bound,
            goal=goal,
            low=min(0.0, bound),
            high=max(2 * goal, bound, 1.0),
            unit="%",
            better="lower",
        ),
    )
