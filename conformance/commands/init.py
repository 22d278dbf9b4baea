"""`planproof init`: write the configuration into a repository, and say what to do next."""

import sys
from pathlib import Path
from typing import Any

import click

from conformance.config import TABLE, parse_settings
from conformance.errors import ExitCode, UsageError
from conformance.report_files import check_writable, write_report

# Folders that hold tests, by the usual names; the first that exists is written down.
TEST_FOLDERS = ("tests", "test", "testing")
STEPS_LEFT = (
    ("planproof codemod --diff .", "shows what would be rewritten"),
    ("planproof codemod --write .", "rewrites it, with a journal (--undo takes it back)"),
    ("planproof gate", "judges the repository"),
)
STEPS_CLEAN = (
    ("planproof gate", "judges the repository"),
    ("planproof baseline update", "keeps it so: `planproof baseline check` fails on a new use"),
    ("planproof doctor", "says what the environment lacks"),
)


@click.command(name="init")
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print the table that would be added; write nothing.")
def command(folder: Path, *, dry_run: bool) -> int:
    """Write [tool.planproof] into the pyproject.toml of FOLDER, and say what to do next.

    Comments and order of the file stay as they are. A table that is there already is checked and
    left alone, so the command may be repeated.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", place=str(folder))
    file = folder / "pyproject.toml"
    text = _read(file)
    table = _table(text, file)
    if table is not None:
        parse_settings(table, str(file))
        click.echo(f"{file} has its [{TABLE}] table already; nothing was changed")
    else:
        added = _added(text, folder)
        if dry_run:
            click.echo(f"would be added to {file}:\n")
            click.echo(added)
        else:
            check_writable(file)
            write_report(file, _joined(text, added))
            click.echo(f"{file}: [{TABLE}] was added")
    _say_next(folder)
    return int(ExitCode.PASSED)


def _read(file: Path) -> str:
    try:
        # Bytes, so that the line ends stay what they are.
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 at byte {error.start}", place=str(file)) from None
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", place=str(file)) from None


def _table(text: str, file: Path) -> Any:
    """Return the table, if there is one.

    Raises:
        UsageError: the file is no TOML, or the table is none.
    """
    import tomlkit  # noqa: PLC0415 - an extra
    from tomlkit.exceptions import ParseError  # noqa: PLC0415 - an extra

    try:
        document = tomlkit.parse(text).unwrap()
    except ParseError as error:
        place = f"{file}:{error.line}:{error.col}"
        raise UsageError(f"invalid TOML: {error}", place=place) from None
    tool = document.get("tool", {})
    if not isinstance(tool, dict):
        raise UsageError("tool: expected a table", place=str(file))
    table = tool.get("planproof")
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{TABLE}: expected a table", place=str(file))
    return table


def _added(text: str, folder: Path) -> str:
    """Return the tables as TOML, with what the repository itself tells about its tests."""
    import tomlkit  # noqa: PLC0415 - an extra

    document = tomlkit.parse(text)
    planproof = tomlkit.table()
    planproof.add(
        tomlkit.comment("What `planproof gate` judges this repository by; every key has a default.")
    )
    found = next((name for name in TEST_FOLDERS if (folder / name).is_dir()), None)
    if found is not None:
        tests = tomlkit.table()
        tests.add(
            tomlkit.comment("How the gate runs the tests; {junit} is the file that it reads.")
        )
        tests.add("command", ["python", "-m", "pytest", "-q", "--junitxml={junit}"])
        tests.add("paths", [found])
        planproof.add("tests", tests)
    # Only what is new is rendered: a document that is written back as a whole could not keep
    # every byte of what a person wrote.
    new = tomlkit.document()
    tool = tomlkit.table(is_super_table=True)
    tool.add("planproof", planproof)
    new.add("tool", tool)
    rendered = tomlkit.dumps(new)
    if "tool" in document and _is_inline(document["tool"]):
        raise UsageError("tool is an inline table; write it as [tool.NAME] tables first")
    return rendered


def _is_inline(item: Any) -> bool:
    from tomlkit.items import InlineTable  # noqa: PLC0415 - an extra

    return isinstance(item, InlineTable)


def _joined(text: str, added: str) -> str:
    """Return the file with the tables at its end, in the file's own line ends."""
    newline = "\r\n" if "\r\n" in text else "\n"
    head = text.rstrip("\r\n \t")
    gap = newline * 2 if head else ""
    return f"{head}{gap}{added.replace(chr(10), newline)}"


def _say_next(folder: Path) -> None:
    from codemods.occurrence import Scope, Status  # noqa: PLC0415 - needs LibCST
    from conformance.commands.scan import scan_paths  # noqa: PLC0415 - the same

    report = scan_paths((folder,), (), ())
    production, tests = (
        len(report.of(Status.USE, scope)) for scope in (Scope.PRODUCTION, Scope.TEST)
    )
    names = ", ".join(report.legacy_roots)
    click.echo(
        f"uses of {names}: {production} in production code, {tests} in tests,"
        f" in {report.files_examined} files (planproof scan {folder} lists them)"
    )
    click.echo("\nNext:")
    steps = STEPS_LEFT if production or tests else STEPS_CLEAN
    width = max(len(line) for line, _ in steps)
    for line, reason in steps:
        click.echo(f"  {line:<{width}}  # {reason}")
    sys.stdout.flush()
