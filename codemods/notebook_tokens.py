"""Where the strings of a notebook's cells stand in its JSON, to the character.

The layout of the file is nobody's business but its owner's, so the text is searched for positions
and never written anew. `json` has accepted the text before, which keeps this simple.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r'(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")|(?P<mark>[{}\[\],])|[^\s{}\[\],"]++', re.DOTALL
)
# One unit is one character of the value: a pair of surrogates is one in Python.
_UNIT = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]",
    re.DOTALL,
)
_SOURCES = frozenset({"source", "input"})


@dataclass(frozen=True, slots=True)
class Token:
    """One JSON string: where its value begins, and its characters as they are spelled."""

    start: int
    units: tuple[str, ...]
    value: str

    @property
    def end(self) -> int:
        """Where its value ends, before the closing quotes."""
        return self.start + sum(len(unit) for unit in self.units)


@dataclass(frozen=True, slots=True)
class Located:
    """The strings of one cell's source; `is_list` says that they are items of an array."""

    tokens: tuple[Token, ...]
    is_list: bool

    @property
    def text(self) -> str:
        """The cell's source."""
        return "".join(token.value for token in self.tokens)


@dataclass(slots=True)
class _Frame:
    is_object: bool
    key: str | int
    expects_key: bool = field(default=False)


def locate_sources(text: str) -> dict[tuple[str | int, ...], Located]:
    """Return the strings of every cell's source by the path of the cell.

    Args:
        text: a notebook that `json` accepts.
    """
    found: dict[tuple[str | int, ...], dict[int, Token]] = {}
    lists: dict[tuple[str | int, ...], bool] = {}
    for path, start, end in _strings(text):
        cell, item = _cell(path)
        if cell is None:
            continue
        if item <= 0:
            found[cell] = {}  # a key that is there twice: the last one counts
        found[cell][item] = _token(text, start, end)
        lists[cell] = item >= 0
    return {
        cell: Located(tuple(tokens[index] for index in sorted(tokens)), lists[cell])
        for cell, tokens in found.items()
    }


def _cell(path: tuple[str | int, ...]) -> tuple[tuple[str | int, ...] | None, int]:
    """Return the path of the cell whose source a string is, and its place in it, -1 for a whole."""
    item = -1
    if path and isinstance(path[-1], int):
        item, path = path[-1], path[:-1]
    is_cell = path[:1] == ("cells",) and len(path) == 3  # noqa: PLR2004 - cells, number, source
    is_old = path[:1] == ("worksheets",) and len(path) == 5 and path[2] == "cells"  # noqa: PLR2004 - the same below a sheet
    return (path[:-1], item) if (is_cell or is_old) and path[-1] in _SOURCES else (None, item)


def _token(text: str, start: int, end: int) -> Token:
    raw = text[start + 1 : end - 1]
    return Token(
        start + 1, tuple(_UNIT.findall(raw)), str(json.loads(text[start:end], strict=False))
    )


def _strings(text: str) -> Iterator[tuple[tuple[str | int, ...], int, int]]:
    """Yield the path, begin and end of every string that is a value."""
    stack: list[_Frame] = []
    for match in _TOKEN.finditer(text):
        if match["string"] is not None:
            frame = stack[-1] if stack else None
            if frame is not None and frame.expects_key:
                frame.key = json.loads(match["string"], strict=False)
                frame.expects_key = False
            else:
                yield tuple(item.key for item in stack), match.start(), match.end()
            continue
        match match["mark"]:
            case "{":
                stack.append(_Frame(is_object=True, key="", expects_key=True))
            case "[":
                stack.append(_Frame(is_object=False, key=0))
            case "}" | "]":
                stack.pop()
            case ",":
                top = stack[-1]
                if isinstance(top.key, int):
                    top.key += 1
                top.expects_key = top.is_object
            case _:
                pass
