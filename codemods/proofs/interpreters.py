"""The Python versions a project supports, and the interpreters of them that are here."""

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from codemods.proofs.child_process import ChildError, run

Version = tuple[int, int]

_FIRST, _LAST = 8, 15  # minor versions that a declaration without a bound may mean
_NAME = re.compile(r"python3\.(\d+)")
_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|~=|>|<)\s*3(?:\.(\d+))?(?:\.[\d*]+)*(\.\*)?\s*")
_ASK = "import sys; print('%d.%d' % sys.version_info[:2])"
_DEADLINE_S = 10


@dataclass(frozen=True, slots=True)
class Supported:
    """What a project declares: its own words, and the versions that they mean."""

    declared: str
    versions: frozenset[Version]


def supported(folder: Path) -> Supported:
    """Return the versions that a project declares; without a declaration the running one."""
    text = _declared(folder)
    running = sys.version_info[:2]
    if not text:
        return Supported("", frozenset({running}))
    newest = max((_LAST, running[1], *(version[1] for version in installed())))
    minors = range(_FIRST, newest + 1)
    return Supported(text, frozenset((3, minor) for minor in minors if _allows(text, minor)))


def _declared(folder: Path) -> str:
    try:
        document = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        document = {}
    project = document.get("project")
    text = project.get("requires-python") if isinstance(project, dict) else None
    if isinstance(text, str):
        return text
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(folder / "setup.cfg", encoding="utf-8")
        return parser.get("options", "python_requires", fallback="")
    except (configparser.Error, UnicodeDecodeError):
        return ""


def _allows(text: str, minor: int) -> bool:
    """Say whether a specifier allows some version 3.`minor`; a clause not understood allows all."""
    for clause in filter(None, (item.strip() for item in text.split(","))):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            continue
        operator, number = match[1], int(match[2] or 0)
        is_micro = clause.count(".") > 1 and not clause.endswith(".*")
        held = {
            ">=": minor >= number,
            "~=": minor >= number and (not is_micro or minor == number),
            "<=": minor <= number,
            ">": minor >= number if is_micro else minor > number,
            "<": minor <= number if is_micro else minor < number,
            "==": minor == number or match[2] is None,
            "!=": is_micro or minor != number,
        }[operator]
        if not held:
            return False
    return True


@cache
def installed() -> dict[Version, str]:
    """Return the interpreters other than the running one: on the path, and pyenv's."""
    found: dict[Version, str] = {}
    for path in _candidates():
        try:
            answer = run([path, "-I", "-c", _ASK], deadline_s=_DEADLINE_S)
        except ChildError:
            continue
        major, _, minor = answer.output.strip().partition(".")
        if answer.status == 0 and major == "3" and minor.isdecimal():
            found.setdefault((3, int(minor)), path)
    return found


def _candidates() -> Iterator[str]:
    for name in os.environ.get("PATH", "").split(os.pathsep):
        folder = Path(name or ".")
        # A shim of pyenv fails for the versions that are not chosen; they are found below.
        if folder.name == "shims":
            continue
        yield from _named(folder)
    home = os.environ.get("PYENV_ROOT") or os.path.join(Path.home(), ".pyenv")  # noqa: PTH118 - a string is wanted
    versions = Path(home, "versions")
    try:
        names = sorted(versions.iterdir(), reverse=True)
    except OSError:
        return
    for folder in names:
        yield from _named(folder / "bin")


def _named(folder: Path) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names only
    except OSError:
        return
    for name in names:
        match = _NAME.fullmatch(name)
        if match and int(match[1]) >= _FIRST and (3, int(match[1])) != sys.version_info[:2]:
            yield str(folder / name)
