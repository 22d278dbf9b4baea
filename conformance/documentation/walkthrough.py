"""Does what a page says, in a folder, and compares what comes of it."""

import contextlib
import io
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from conformance.cli import run
from conformance.config import parse_settings
from conformance.documentation.blocks import Code, Command, Exempt, File, Item, differs, items
from conformance.errors import PlanproofError

TIMEOUT_S = 120  # of one command; pages are for people, who do not wait longer either
SHELL_SIGNS = frozenset("|&;<>$*?(){}`~")

# What makes output and commits the same everywhere.
ENVIRONMENT: Mapping[str, str] = {
    "COLUMNS": "120",
    "NO_COLOR": "1",
    "GIT_AUTHOR_NAME": "reader",
    "GIT_AUTHOR_EMAIL": "reader@example.org",
    "GIT_COMMITTER_NAME": "reader",
    "GIT_COMMITTER_EMAIL": "reader@example.org",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where a page does not say what is so."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Walk:
    """What became of a page: commands and programs that ran, exemptions, and the faults."""

    ran: int
    exempt: tuple[Exempt, ...]
    faults: tuple[Fault, ...]


def walk(text: str, folder: Path) -> Walk:
    """Do what the page `text` says in `folder`; ends at the first fault, on which the rest builds.

    Changes the working folder and the environment of the process until it has ended.

    Raises:
        PageError: the page breaks the notation.
    """
    ran, exempt = 0, list[Exempt]()
    with contextlib.chdir(folder), _environment():
        for item in items(text):
            if isinstance(item, Exempt):
                exempt.append(item)
                continue
            message = _message(item, folder)
            if message is not None:
                return Walk(ran, tuple(exempt), (Fault(item.line, message),))
            ran += isinstance(item, Command | Code)
    return Walk(ran, tuple(exempt), ())


def _message(item: Item, folder: Path) -> str | None:
    """Do one thing and say what is wrong with it; None: nothing."""
    match item:
        case Command():
            return _command(item)
        case File():
            target = folder / item.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(item.text, "utf-8")
            return None
        case Code():
            return _program(item.text) if item.language == "python" else _configuration(item.text)
        case Exempt():
            return None
        case _:
            assert_never(item)


def _command(command: Command) -> str | None:
    words = shlex.split(command.text)
    if words[0] == "planproof" and not SHELL_SIGNS & set(command.text):
        code, output = _planproof(words[1:])
    else:
        done = _process(["bash", "-euo", "pipefail", "-c", command.text])
        code, output = done.returncode, done.stdout + done.stderr
    if code != command.exit_code:
        return f"`{command.text}`: exit code {code}, not {command.exit_code}: {_last_line(output)}"
    missing = differs(command.output, output)
    return None if missing is None else f"`{command.text}`: does not write {missing!r}"


def _planproof(arguments: list[str]) -> tuple[int, str]:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = run(arguments)
    return code, output.getvalue()


def _program(text: str) -> str | None:
    done = _process([sys.executable, "-c", text])
    return None if done.returncode == 0 else _last_line(done.stderr)


def _configuration(text: str) -> str | None:
    try:
        table = tomllib.loads(text).get("tool", {}).get("planproof", {})
        parse_settings(table, "pyproject.toml")
    except (tomllib.TOMLDecodeError, PlanproofError) as error:
        return str(error)
    return None


def _process(command: list[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 - the page's own command
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"ran longer than {TIMEOUT_S} s")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Set `ENVIRONMENT`, and let a shell find the `planproof` and `python` of this process."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    changed = {**ENVIRONMENT, "PATH": path}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
