"""`planproof shadow`: what shadow runs have shown, as one report with a verdict."""

import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import ValidationError

from conformance.commands.report_output import Destinations, moment, report_options
from conformance.errors import UsageError
from conformance.recording.shadow_log import SCHEMA
from conformance.report_model_shadow import run_report
from conformance.reporters import run_console
from engine.shadow import ShadowReport


@click.command(name="shadow")
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@report_options
def command(logs: tuple[Path, ...], destinations: Destinations) -> int:
    """Judge what shadow runs of the unified engine have shown.

    LOGS are files of `conformance.recording.ShadowLog`, the router's sink. An execution that differs
    gives exit code 1; one of which nothing is known, or no execution at all, gives 4.
    """
    destinations.check()
    started_at, began = moment(), time.perf_counter()
    reports = [each for log in logs for each in _read(log)]
    run = run_report(
        reports,
        source=", ".join(map(str, logs)),
        command=shlex.join(["planproof", "shadow", *map(str, logs)]),
        started_at=started_at,
        duration_ms=round(1000 * (time.perf_counter() - began)),
    )
    destinations.deliver(
        run,
        {"console": lambda colour: run_console.render(run, colour=colour)},
        run_console.verdict_line(run),
    )
    return run.exit_code


def _read(path: Path) -> Iterator[tuple[str, ShadowReport]]:
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", place=str(path)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 at byte {error.start}", place=str(path)) from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            place = f"{path}:{number}"
            yield place, _report(line, place)


def _report(line: str, place: str) -> ShadowReport:
    try:
        document = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"invalid JSON: {error.msg}", place=place) from None
    if not isinstance(document, dict) or document.pop("schema", None) != SCHEMA:
        raise UsageError(
            f"is no {SCHEMA} line",
            place=place,
            advice="conformance.recording.ShadowLog writes them",
        )
    try:
        return ShadowReport.model_validate(document)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise UsageError(f"{where}: {fault['msg']}", place=place) from None
