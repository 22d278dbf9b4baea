"""`planproof baseline`: a ratchet on the uses of the legacy module that are left."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.baseline import FILE, changes, counts_of, read_baseline, text_of
from conformance.errors import ExitCode, UsageError, VacuousError, worst
from conformance.report_files import check_writable, write_report

if TYPE_CHECKING:
    from codemods.report import ScanReport

UPDATE = "run `planproof baseline update`"

_folder = click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
_file = click.option(
    "--baseline",
    "file",
    type=click.Path(path_type=Path),
    help=f"The file of the baseline, under version control.  [default: {FILE} in FOLDER]",
)


@click.group(name="baseline")
def command() -> None:
    """Keep the number of legacy uses from growing, file by file, until none is left."""


@command.command(name="update")
@_folder
@_file
@click.option("--allow-more", is_flag=True, help="Accept new uses, too.")
def update(folder: Path, file: Path | None, *, allow_more: bool) -> int:
    """Write down the uses that FOLDER has now; new ones are refused unless --allow-more."""
    target = _target(folder, file)
    found = counts_of(_scanned(folder))
    if target.exists() and not allow_more:
        more = [change for change in changes(read_baseline(target), found) if change.is_more]
        for change in more:
            click.echo(change.line())
        if more:
            click.echo(f"{target} was not changed: a baseline only shrinks (or use --allow-more)")
            return int(ExitCode.FAILED)
    check_writable(target)
    write_report(target, text_of(found))
    total = sum(sum(files.values()) for files in found.values())
    click.echo(
        f"{target}: {total} places in {len({name for files in found.values() for name in files})} files"
    )
    return int(ExitCode.PASSED)


@command.command(name="check")
@_folder
@_file
def check(folder: Path, file: Path | None) -> int:
    """Fail if FOLDER has more uses than the baseline says, and if it has fewer, too."""
    target = _target(folder, file)
    allowed = read_baseline(target)
    report = _scanned(folder)
    found = changes(allowed, counts_of(report))
    for change in found:
        click.echo(change.line())
    codes = []
    if any(change.is_more for change in found):
        codes.append(ExitCode.FAILED)
        click.echo("new uses of legacy: `planproof codemod --write` migrates what it can")
    elif found:
        codes.append(ExitCode.FAILED)
        click.echo(f"fewer than the baseline allows: {UPDATE}, so that they stay gone")
    else:
        click.echo(f"as {target} says")
    return int(worst(codes))


def _target(folder: Path, file: Path | None) -> Path:
    if not folder.is_dir():
        raise UsageError("no such folder", place=str(folder))
    return file or folder / FILE


def _scanned(folder: Path) -> "ScanReport":
    from codemods.occurrence import Status  # noqa: PLC0415 - needs LibCST
    from conformance.commands.scan import scan_paths  # noqa: PLC0415 - the same

    report = scan_paths((folder,), (), ())
    unexamined = report.of(Status.UNEXAMINED)
    if unexamined:
        raise VacuousError(
            f"{len(unexamined)} files could not be examined, {unexamined[0].place} first",
            place=str(folder),
            advice="`planproof scan` lists them",
        )
    return report
