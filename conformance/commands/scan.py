"""`planproof scan`: every use of the legacy module below some paths, as a gate."""

import dataclasses
import json
import os
import shlex
from pathlib import Path

import click

from codemods.discovery import project_root
from codemods.errors import CodemodError
from codemods.occurrence import Occurrence, Scope, Status
from codemods.report import ScanReport
from codemods.scanner import scan
from codemods.settings import ScanSettings
from conformance.commands.progress import progress_bar
from conformance.commands.report_output import Destinations, moment, report_options
from conformance.config import parse_settings, read_table
from conformance.errors import ExitCode, HarnessError, UsageError, VacuousError, worst
from conformance.report_model import RunReport
from conformance.report_model_scan import run_report

# Statuses that the console lists; the others are counted, and listed with --verbose.
_LISTED = (Status.USE, Status.UNDECIDED, Status.UNEXAMINED, Status.ALLOWED)


@click.command(name="scan")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@report_options
@click.option("--root", "roots", multiple=True, metavar="NAME", help="A further legacy module.")
@click.option("--exclude", "excludes", multiple=True, metavar="GLOB", help="Do not examine these.")
@click.option("--production-only", is_flag=True, help="Leave test code out of the report.")
@click.option(
    "--fail-on",
    type=click.Choice(["production", "tests"]),
    default="production",
    show_default=True,
    help="Uses in tests fail the scan too with `tests`.",
)
@click.option("--verbose", is_flag=True, help="List comments, documentation and namesakes too.")
def command(
    paths: tuple[Path, ...],
    roots: tuple[str, ...],
    excludes: tuple[str, ...],
    *,
    production_only: bool,
    fail_on: str,
    verbose: bool,
    destinations: Destinations,
) -> int:
    """Find every use of durable_execution below the given paths, or below the current folder.

    Settings: [tool.planproof.scan].
    """
    paths = paths or (Path(),)
    if production_only and fail_on == "tests":
        raise UsageError("--production-only and --fail-on tests contradict each other")
    destinations.check()
    started_at = moment()
    report = scan_paths(paths, roots, excludes)
    if production_only:
        kept = tuple(item for item in report.occurrences if item.scope is Scope.PRODUCTION)
        shown = dataclasses.replace(report, occurrences=kept)
    else:
        shown = report
    code = exit_code(shown, fail_on_tests=fail_on == "tests")
    run = run_report(
        shown,
        fail_on_tests=fail_on == "tests",
        command=f"planproof scan {shlex.join(map(str, paths))}",
        started_at=started_at,
    )
    destinations.deliver(
        run,
        {
            "console": lambda _colour: render(shown, verbose=verbose),
            "json": lambda _colour: _json(shown, run),
        },
        None,
    )
    return code


def exit_code(report: ScanReport, *, fail_on_tests: bool = False) -> ExitCode:
    """Return what a report means for a gate; the most severe finding wins."""
    scopes = set(Scope) if fail_on_tests else {Scope.PRODUCTION}
    found = {item.status for item in report.occurrences if item.scope in scopes}
    codes = []
    if Status.USE in found:
        codes.append(ExitCode.FAILED)
    if report.suppressions:
        codes.append(ExitCode.LEDGER)
    if Status.UNDECIDED in found or report.of(Status.UNEXAMINED):
        codes.append(ExitCode.VACUOUS)
    return worst(codes)


def scan_paths(
    paths: tuple[Path, ...], roots: tuple[str, ...], excludes: tuple[str, ...]
) -> ScanReport:
    """Scan `paths` by the settings of the first one's project.

    Raises:
        UsageError: a path is missing, or the settings are wrong.
        VacuousError: there was nothing to examine.
    """
    place = None
    try:
        settings, place = read_settings(paths)
        settings = dataclasses.replace(
            settings, roots=settings.roots + roots, exclude=settings.exclude + excludes
        )
        place = None
        with progress_bar("reading files") as progress:
            report = scan(paths, settings, progress=progress, jobs=os.cpu_count() or 1)
    except CodemodError as error:
        where = ": ".join(item for item in (place, error.place) if item)
        raise UsageError(error.message, place=where or None, advice=error.advice) from None
    if not report.files_examined:
        raise VacuousError("no file was examined", place=", ".join(str(path) for path in paths))
    if not report.is_accounted:
        raise HarnessError("the scan lost count of what it found: please report this")
    return report


def read_settings(paths: tuple[Path, ...]) -> tuple[ScanSettings, str | None]:
    """Read the settings of the first path's project."""
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise UsageError("no such file or folder", place=str(missing))
    file = project_root(paths[0]) / "pyproject.toml"
    if not file.is_file():
        return ScanSettings(), None
    # The whole table: a section with a misspelt name would otherwise be ignored.
    table = parse_settings(read_table(file) or {}, str(file)).scan
    place = f"{file}: tool.planproof.scan"
    try:
        return ScanSettings.from_mapping(table), place
    except CodemodError as error:
        where = f"{place}.{error.place}" if error.place else place
        raise UsageError(error.message, place=where, advice=error.advice) from None


def _json(report: ScanReport, run: RunReport) -> str:
    document = {**report.to_document(), "run": run.model_dump(mode="json", by_alias=True)}
    return json.dumps(document, indent=2) + "\n"


def render(report: ScanReport, *, verbose: bool = False) -> str:
    """Return the report as text: production code, test code, what is left out, the counts."""
    lines: list[str] = []
    for scope, title in ((Scope.PRODUCTION, "Production code"), (Scope.TEST, "Test code")):
        items = [
            item
            for item in report.occurrences
            if item.scope is scope and (verbose or item.status in _LISTED)
        ]
        if items:
            lines += [title, *_table(items), ""]
    for entry in report.suppressions:
        lines.append(f"allow entry for {entry.path} ({entry.reason}): {entry.fault}")
    lines += [f"exclude {glob} covers nothing" for glob in report.idle_excludes]
    text = "\n".join([*lines, *_summary(report)]) + "\n"
    # A file's name need not be valid Unicode.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _table(items: list[Occurrence]) -> list[str]:
    rows = [
        (
            item.place,
            item.status.value,
            item.kind.value,
            f"{item.text}  [{item.reason}]" if item.reason else item.text,
        )
        for item in items
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "  " + "  ".join((*(cell.ljust(widths[i]) for i, cell in enumerate(row[:3])), row[3]))
        for row in rows
    ]


def _summary(report: ScanReport) -> list[str]:
    lines = []
    for scope, tally in report.counts.items():
        counted = ", ".join(f"{count} {status}" for status, count in tally.items())
        lines.append(f"{scope}: {counted or 'nothing'}")
    skipped = ", ".join(f"{count} {reason}" for reason, count in sorted(report.skipped.items()))
    lines.append(
        f"{report.files_examined} of {report.files_found} files examined"
        + (f" (not examined: {skipped})" if skipped else "")
    )
    lines.append(
        f"{report.words} occurrences of {', '.join(report.legacy_roots)} accounted for,"
        f" {report.substrings} parts of other words"
    )
    return lines
