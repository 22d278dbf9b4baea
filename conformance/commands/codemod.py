"""`planproof codemod`: move repositories from the legacy module to the unified engine."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from codemods.batch import DEFAULT_DEADLINE_S, Bounds
from codemods.migration_settings import DEFAULT_VERIFY, Level
from codemods.writing import patch_of, undo
from conformance.commands.codemod_proofs import proof_options
from conformance.commands.codemod_run import Finished, Mode, Request, coded, journal_root, migrate
from conformance.commands.progress import progress_bar
from conformance.commands.report_output import Destinations, check_writable, moment, report_option
from conformance.errors import ExitCode, UsageError, VacuousError
from conformance.report_files import write_whole

FORMATS = ("console", "json", "markdown", "sarif", "codetf")

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_what = _options(
    click.option("--write", is_flag=True, help="Write the changes."),
    click.option("--check", is_flag=True, help="Fail if something would change."),
    click.option("--diff", is_flag=True, help="Print the changes."),
    click.option("--undo", is_flag=True, help="Take the last run back."),
    click.option("--resume", is_flag=True, help="Complete a killed run; go on with a batch."),
    click.option(
        "--todo",
        is_flag=True,
        help="Leave a comment at every place that is left in Python, TOML, INI and YAML.",
    ),
    click.option("--docs/--no-docs", default=None, help="Rewrite documentation, too."),
)
_how = _options(
    click.option(
        "--verify",
        "level",
        type=click.Choice([level.value for level in Level]),
        help=f"Prove the changes up to this rung before they are written.  [default: {DEFAULT_VERIFY}]",
    ),
    click.option("--allow-dirty", is_flag=True, help="Write over uncommitted changes, too."),
    click.option("--jobs", type=click.IntRange(min=0), help="Processes; 0: one a processor."),
)
_many = _options(
    click.option(
        "--repos", metavar="LIST", help="Migrate the repositories of a text file or a folder glob."
    ),
    click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        help="Where a batch keeps its journal and reports.  [default: .planproof beside LIST]",
    ),
    click.option(
        "--deadline",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help=f"Give a repository of a batch up after so long.  [default: {DEFAULT_DEADLINE_S:g}]",
    ),
)
_report = _options(
    click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        default=FORMATS[0],
        show_default=True,
        help="How the report is written.",
    ),
    click.option(
        "--output", type=click.Path(path_type=Path), help="Write the report to this file."
    ),
    report_option,
    click.option("--patch", type=click.Path(path_type=Path), help="Write a patch for git apply."),
)


@click.command(name="codemod")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@_what
@_how
@proof_options
@_many
@_report
def command(
    paths: tuple[Path, ...],
    *,
    resume: bool,
    todo: bool,
    docs: bool | None,
    level: str | None,
    allow_dirty: bool,
    jobs: int | None,
    python: str | None,
    test_command: str,
    foreign: Path | None,
    repos: str | None,
    state: Path | None,
    deadline: float | None,
    form: str,
    output: Path | None,
    further: Sequence[tuple[str, Path]],
    patch: Path | None,
    **modes: bool,
) -> int:
    """Migrate the uses of durable_execution below the given paths; a dry run unless --write.

    Every occurrence is rewritten, or reported with place and reason, or allowed. Files that depend
    on each other are written together or not at all. Settings: [tool.planproof.codemod].

    The exit code of a batch is the most severe of its repositories, in the order 3, 2, 1, 5, 4.
    """
    mode = _chosen(modes)
    request = Request(
        mode=_mode(mode),
        level=level,
        docs=docs,
        jobs=(jobs or os.cpu_count() or 1) if jobs is not None else None,
        allow_dirty=allow_dirty,
        resume=resume,
        todo=todo,
        python=python,
        test_command=test_command,
        foreign=foreign,
    )
    _demand_sense(
        paths, mode, request, repos=repos, batch=(state, deadline), patch=patch, further=further
    )
    where = Destinations(further=further)
    check_writable(output)
    where.check()
    started_at = moment()
    if repos is not None:
        bounds = Bounds(request.jobs or os.cpu_count() or 1, deadline or DEFAULT_DEADLINE_S)
        undoes = mode == "undo"
        return _batch(repos, state, request, bounds, report=(form, output), undoes=undoes)
    if mode == "undo":
        return _undo(paths)
    with progress_bar("reading files") as progress:
        finished = migrate(paths, request, progress=progress)
    _tell(finished, request)
    if patch is not None:
        write_whole(patch, patch_of(finished.plan.changes))
    _report_further(finished, request, where, started_at)
    _deliver(_rendered(finished, request, form), output)
    return finished.exit_code


def _report_further(
    finished: Finished, request: Request, where: Destinations, started_at: str
) -> None:
    if not where.further:
        return
    from conformance.report_model_codemod import run_report  # noqa: PLC0415 - seldom needed

    report = run_report(
        finished.plan,
        finished.proofs,
        written=finished.written,
        check=request.mode == "check",
        unwritten=finished.unwritten,
        started_at=started_at,
    )
    where.write_further(report)


def _chosen(modes: Mapping[str, bool]) -> str | None:
    """Return the one of --write, --check, --diff and --undo that is given.

    Raises:
        UsageError: there are several, of which one would write and another would not.
    """
    given = [f"--{name}" for name, is_given in modes.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} contradict each other", advice="give one of them")
    return given[0].removeprefix("--") if given else None


def _mode(given: str | None) -> Mode:
    match given:
        case "write" | "check" | "diff":
            return given
        case _:
            return "plan"


def _demand_sense(
    paths: Sequence[Path],
    mode: str | None,
    request: Request,
    *,
    repos: str | None,
    batch: tuple[Path | None, float | None],
    patch: Path | None,
    further: Sequence[tuple[str, Path]],
) -> None:
    if repos is None and not paths:
        raise UsageError(
            "give paths, or a list of repositories with --repos", advice="`.` is all below here"
        )
    if repos is None and any(item is not None for item in batch):
        raise UsageError("--state and --deadline need --repos")
    if repos is not None and paths:
        advice = "put a pattern in quotes"
        raise UsageError("--repos takes one list and no paths", place=str(paths[0]), advice=advice)
    if repos is not None and (patch is not None or mode == "diff"):
        raise UsageError("--diff and --patch are for one repository")
    if further and (repos is not None or mode == "undo"):
        raise UsageError("--report is for one repository, and not for --undo")
    if mode == "undo" and (patch is not None or request.todo):
        raise UsageError("--undo goes with neither --patch nor --todo")
    if repos is None and request.resume and mode in {"check", "diff", "undo"}:
        raise UsageError(f"--resume writes, so it does not go with --{mode}")


def _tell(finished: Finished, request: Request) -> None:
    """Say on standard error what is not part of the report."""
    completed = finished.completed
    if completed is not None:
        for name in completed.written:
            click.echo(f"planproof: {name}: completed", err=True)
    faults = dict(completed.faults) if completed is not None else {}
    for name, reason in {**faults, **finished.unwritten}.items():
        click.echo(f"planproof: {name} is not written: {reason}", err=True)
    if request.resume and completed is None:
        click.echo("planproof: there is no killed run to complete", err=True)
    if request.mode == "diff":  # the changes alone are no answer to why it ends as it does
        from codemods.reports.account import account_line  # noqa: PLC0415 - see `_rendered`

        click.echo(f"planproof: {account_line(finished.plan)}", err=True)


def _rendered(finished: Finished, request: Request, form: str) -> str:
    if request.mode == "diff":
        return patch_of(finished.plan.changes).decode("utf-8", "replace")
    from codemods.reports import RENDERERS  # noqa: PLC0415 - `--help` and `--undo` need none

    return RENDERERS[form](finished.plan, finished.proofs, written=finished.written)


def _deliver(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text.encode("utf-8", "backslashreplace"))


def _undo(paths: Sequence[Path]) -> int:
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise UsageError("no such file or folder", place=str(missing))
    with coded():
        for name in undo(journal_root(paths)):
            click.echo(f"restored {name}")
    return int(ExitCode.PASSED)


def _batch(
    repos: str,
    state: Path | None,
    request: Request,
    bounds: Bounds,
    *,
    report: tuple[str, Path | None],
    undoes: bool,
) -> int:
    # A single repository needs no pool and none of its modules.
    from codemods.repositories import read_list  # noqa: PLC0415
    from conformance.commands import codemod_batch, codemod_batch_report  # noqa: PLC0415

    with coded():
        listed = read_list(repos)
    if not listed.repositories:
        raise VacuousError("no repository is listed", place=repos)
    folder = listed.state if state is None else Path(os.path.abspath(state))  # noqa: PTH100 - links keep their names
    if undoes:
        restored, faults = codemod_batch.undo_batch(listed, folder)
        for name, files in restored.items():
            click.echo(f"{name}: {len(files)} files restored")
        for fault in faults.values():
            click.echo(f"planproof: {fault}", err=True)
        return int(ExitCode.HARNESS if faults else ExitCode.PASSED)
    form, output = report
    result = codemod_batch.run_batch(listed, folder, request, form, bounds)
    if form == "json":
        text = codemod_batch_report.to_json(result, repos, str(folder), request.mode)
    else:
        text = codemod_batch_report.render(result, str(folder), request.mode)
    _deliver(text, output)
    return codemod_batch_report.exit_code_of(result)
