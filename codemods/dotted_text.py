"""Reading a string or a configuration value: a dotted path, a command, a file name or prose.

Pure functions over text. A string counts as naming a module only as a whole: `"acme.jobs:run"`
does, a sentence that mentions `acme.jobs` does not.
"""

import ast
import re
import textwrap
import warnings
from dataclasses import dataclass
from enum import StrEnum

_NAME = r"[^\W\d]\w*"
_PATH = rf"{_NAME}(?:\.{_NAME})*"
DOTTED = re.compile(_PATH)
_TARGET = re.compile(rf"({_PATH})(?::({_PATH}))?(?:\.\*)?(?:\(\))?")
_ENTRY_POINT = re.compile(
    rf"\s*[\w.@-][\w.@ -]*=\s*({_PATH})(?::\s*({_PATH}))?\s*(?:\[[^\]]*\])?\s*"
)
_COMMAND = re.compile(rf"(?:^|\s)-m\s*({_PATH})")
_CODE = re.compile(rf"\b(?:import|from)\s+\.*({_PATH})")
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sdr]|\{[^{}\s]*\}|\$\{?\w+\}?|\0")
_PATH_LIKE = re.compile(r"[^\s\"'=,;]*[/\\][^\s\"'=,;]*")

# `durable_execution.log` is a file, not an attribute of a module.
FILE_SUFFIXES = frozenset(
    [
        "cfg",
        "conf",
        "csv",
        "db",
        "env",
        "gz",
        "html",
        "ini",
        "ipynb",
        "json",
        "jsonl",
        "lock",
        "log",
        "md",
        "pdf",
        "pid",
        "png",
        "rst",
        "sh",
        "sock",
        "sql",
        "sqlite",
        "svg",
        "tar",
        "toml",
        "txt",
        "whl",
        "xml",
        "yaml",
        "yml",
        "zip",
    ]
)
SOURCE_SUFFIXES = frozenset({"py", "pyi", "pyc", "pyx"})


class Form(StrEnum):
    """What a text is."""

    DOTTED = "dotted"
    RELATIVE = "relative"
    ENTRY_POINT = "entry_point"
    COMMAND = "command"
    CODE = "code"
    PATH = "path"
    FILE = "file"
    TEMPLATE = "template"
    PROSE = "prose"


@dataclass(frozen=True, slots=True)
class Reading:
    """The form of a text and the dotted path in it (empty where it has none)."""

    form: Form
    parts: tuple[str, ...] = ()
    level: int = 0


def _parts(*paths: str | None) -> tuple[str, ...]:
    return tuple(part for path in paths if path for part in path.split("."))


def read_text(value: str, needle: str) -> Reading:
    """Read a whole string that holds the word `needle`."""
    text = value.strip()
    if match := _TARGET.fullmatch(text):
        parts = _parts(*match.groups())
        return file_name(parts, needle) or Reading(Form.DOTTED, parts)
    if text.startswith(".") and (match := _TARGET.fullmatch(text.lstrip("."))):
        return Reading(Form.RELATIVE, _parts(*match.groups()), len(text) - len(text.lstrip(".")))
    if text.endswith(".") and DOTTED.fullmatch(text[:-1]):
        return Reading(Form.DOTTED, _parts(text[:-1]))
    if "://" in text:
        return Reading(Form.PROSE)
    return _list(text, needle) or _template(text, needle) or _phrase(value, needle)


def file_name(parts: tuple[str, ...], needle: str) -> Reading | None:
    """Read `module.py` and `module.log`, which look like dotted paths."""
    if len(parts) > 1 and parts[-2] == needle:
        if parts[-1] in SOURCE_SUFFIXES:
            return Reading(Form.PATH, parts[:-1])
        if parts[-1] in FILE_SUFFIXES:
            return Reading(Form.FILE)
    return None


def _list(text: str, needle: str) -> Reading | None:
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) < 2 or not all(_TARGET.fullmatch(piece) for piece in pieces if piece):  # noqa: PLR2004 - one piece is no list
        return None
    return next((read_text(piece, needle) for piece in pieces if needle in piece), None)


def _template(text: str, needle: str) -> Reading | None:
    if not (hole := _PLACEHOLDER.search(text)):
        return None
    whole = _PLACEHOLDER.sub("X", text).replace("XX", "X")
    if not _TARGET.fullmatch(whole.strip(".")):
        return None
    known = text[: hole.start()]
    if known.endswith(".") and DOTTED.fullmatch(known[:-1]) and needle in known.split("."):
        return Reading(Form.DOTTED, _parts(known[:-1]))
    return Reading(Form.TEMPLATE)


def _phrase(value: str, needle: str) -> Reading:
    if match := _ENTRY_POINT.fullmatch(value):
        return Reading(Form.ENTRY_POINT, _parts(*match.groups()))
    for match in _COMMAND.finditer(value):
        if needle in match[1].split("."):
            return Reading(Form.COMMAND, _parts(match[1]))
    if parts := _imported(value, needle):
        return Reading(Form.CODE, parts)
    text = value.strip()
    if _PATH_LIKE.fullmatch(text) and (parts := path_parts(text, needle)):
        return Reading(Form.PATH, parts)
    return Reading(Form.PROSE)


def _imported(value: str, needle: str) -> tuple[str, ...]:
    """Return what the string imports if it is a program, not a sentence about one."""
    match = next((m for m in _CODE.finditer(value) if needle in m[1].split(".")), None)
    if match is None:
        return ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(textwrap.dedent(value))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return _parts(match[1])


def path_parts(text: str, needle: str) -> tuple[str, ...]:
    """Return a file path as the dotted path of the module, up to the word; empty if it is none."""
    names = [name for name in re.split(r"[/\\]", text) if name not in {"", ".", "..", "*", "**"}]
    parts: list[str] = []
    for name in names:
        stem, _, suffix = name.partition(".")
        if stem == needle and suffix in {"", *SOURCE_SUFFIXES}:
            return (*parts, needle)
        if DOTTED.fullmatch(name):
            parts.append(name)
        else:
            parts.clear()
    return ()
