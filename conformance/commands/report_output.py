"""The options that every command with a report has, and where its reports go."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from conformance.errors import UsageError
from conformance.report_files import check_writable, write_report
from conformance.report_history import DEFAULT_HISTORY, PastRun, read, record, series_of
from conformance.report_model import RunReport
from conformance.reporters.registry import FORMATS, RENDERERS

__all__ = ["Destinations", "check_writable", "moment", "report_option", "report_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])
# Formats that a command writes in its own way: a function that is told whether colours are wanted.
Own = Mapping[str, Callable[[bool], str]]


def _targets(
    _context: click.Context, _parameter: click.Parameter, values: Sequence[str]
) -> tuple[tuple[str, Path], ...]:
    """Return the pairs of `FORMAT=FILE`."""
    found = []
    for value in values:
        form, separator, file = value.partition("=")
        if not separator or not file or form not in FORMATS:
            raise click.BadParameter(
                f"{value!r} is not FORMAT=FILE with one of {', '.join(FORMATS)}"
            )
        found.append((form, Path(file)))
    return tuple(found)


@dataclass(frozen=True)
class Destinations:
    """Where the reports of one run go.

    Attributes:
        form: the format of the main report.
        output: its file; None for standard output.
        further: formats and files of further reports.
        history: the file that the run is recorded in.
    """

    form: str = "console"
    output: Path | None = None
    further: Sequence[tuple[str, Path]] = field(default=())
    history: Path | None = None

    def check(self) -> None:
        """Fail before a long run and not after it.

        Raises:
            UsageError: a report cannot be written, or two would be written to one file.
        """
        files = [*([self.output] if self.output else []), *(file for _, file in self.further)]
        for file in files:
            check_writable(file)
        places = [file.resolve() for file in files if not file.exists() or file.is_file()]
        for place in places:
            if places.count(place) > 1:
                raise UsageError("two reports would be written to one file", place=str(place))

    def deliver(self, run: RunReport, own: Own, verdict: str | None) -> None:
        """Record the run and write its reports; `verdict` is said where the report is elsewhere.

        Raises:
            HarnessError: a file cannot be written.
        """
        past = self.write_further(run, own)

        def text(form: str, *, colour: bool = False) -> str:
            return own[form](colour) if form in own else RENDERERS[form](run, past)

        if self.output is not None:
            write_report(self.output, text(self.form))
            sys.stdout.write("" if verdict is None else f"{verdict}\n")
            return
        console = Console()
        shown = text(self.form, colour=console.is_terminal and not console.no_color)
        # A text of a scenario, or the name of a file, need not be valid Unicode.
        sys.stdout.write(shown.encode("utf-8", "backslashreplace").decode("utf-8"))

    def write_further(self, run: RunReport, own: Own | None = None) -> list[PastRun]:
        """Record the run, write the further reports alone, and return the runs of its series.

        Raises:
            HarnessError: a file cannot be written.
        """
        past = self._past(run)
        for form, file in self.further:
            render = (own or {}).get(form)
            write_report(file, render(False) if render else RENDERERS[form](run, past))
        return past

    def _past(self, run: RunReport) -> list[PastRun]:
        if self.history is not None:
            record(self.history, [run], now=moment())
        file = self.history or DEFAULT_HISTORY
        return read(file, series_of(run)) if file.is_file() else []


def moment() -> str:
    """Return the time of day as reports have it: ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


report_option = click.option(
    "--report",
    "further",
    metavar="FORMAT=FILE",
    callback=_targets,
    multiple=True,
    help="Write a further report, e.g. html=out.html; may be repeated.",
)


def report_options(command: _Command) -> _Command:
    """Add `--format`, `--output`, `--report` and `--history` (as `destinations`) to a command."""
    options = (
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMATS),
            default="console",
            show_default=True,
            help="How the report is written.",
        ),
        click.option(
            "--output", type=click.Path(path_type=Path), help="Write the report to this file."
        ),
        report_option,
        click.option(
            "--history",
            type=click.Path(path_type=Path),
            is_flag=False,
            flag_value=DEFAULT_HISTORY,
            help=f"Record the run in this file, or in {DEFAULT_HISTORY}.",
        ),
    )
    return _packed(command, options)


def _packed(command: _Command, options: Sequence[Callable[[_Command], _Command]]) -> _Command:
    """Hand the four values to the command as one, so that its signature stays short."""

    def packed(
        *arguments: Any,
        form: str,
        output: Path | None,
        further: Sequence[tuple[str, Path]],
        history: Path | None,
        **others: Any,
    ) -> Any:
        where = Destinations(form, output, further, history)
        return command(*arguments, destinations=where, **others)

    # What click reads of a function: its name, its text and the options given before.
    packed.__name__, packed.__doc__ = command.__name__, command.__doc__
    packed.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]  # click's own
    wrapped: Any = packed
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]  # the command again, with options
