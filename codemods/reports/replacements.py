"""What a change replaces, computed from the bytes before and after.

Line by line first, then without what the replaced blocks share at both ends.
"""

import codecs
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from codemods.migration import Change
from codemods.source import Source, declared_encoding, decode_python, decode_text

PYTHON_SUFFIXES = (".py", ".pyi", ".pyw")
_CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Replacement:
    """A region of the text before, in characters from 0, and the text that takes its place."""

    start: int
    end: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """A piece of a unified diff, and the lines before the change (from 1) that it shows."""

    first: int
    last: int
    text: str


def decoded(data: bytes, name: str) -> str:
    """Return a file's text without a byte order mark; never fails."""
    if name.endswith(PYTHON_SUFFIXES):
        try:
            return decode_python(data)
        except (UnicodeError, LookupError):
            return data.decode("latin-1")
    return decode_text(data)


def encoding_of(data: bytes, name: str) -> str:
    """Return the name of the encoding that `decoded` used."""
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if name.endswith(PYTHON_SUFFIXES):
        try:
            decode_python(data)
        except (UnicodeError, LookupError):
            return "latin-1"
        return declared_encoding(data)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def replacements(change: Change) -> tuple[Replacement, ...]:
    """Return what turns a file's text before into the text after; never empty for a change.

    A change of the bytes alone (a byte order mark) is the replacement of nothing by nothing.
    """
    before, after = decoded(change.before, change.shown), decoded(change.after, change.shown)
    old, new = _lines(before), _lines(after)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    found = []
    matcher = difflib.SequenceMatcher(None, old, new)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            found.append(_trimmed(starts[i1], "".join(old[i1:i2]), "".join(new[j1:j2])))
    return tuple(found) or (Replacement(0, 0, "", ""),)


def _trimmed(start: int, old: str, new: str) -> Replacement:
    shortest = min(len(old), len(new))
    head = 0
    while head < shortest and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < shortest - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    # Never between a carriage return and its line feed.
    if head and old[head - 1] == "\r":
        head -= 1
    if (
        tail
        and old[len(old) - tail] == "\n"
        and "\r" in (old[head:][-tail - 1 : -tail], new[-tail - 1 : -tail])
    ):
        tail -= 1
    end = len(old) - tail
    return Replacement(start + head, start + end, old[head:end], new[head : len(new) - tail])


def hunks(change: Change) -> tuple[Hunk, ...]:
    """Return the change as pieces of a unified diff, each with the header of its file."""
    before = _lines(decoded(change.before, change.shown))
    after = _lines(decoded(change.after, change.shown))
    head = f"--- a/{change.shown}\n+++ b/{change.shown}\n"
    matcher = difflib.SequenceMatcher(None, before, after)
    found = []
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        first, last = group[0][1], group[-1][2]
        start, end = group[0][3], group[-1][4]
        title = f"@@ -{_range(first, last)} +{_range(start, end)} @@\n"
        body = "".join(_marked(group, before, after))
        found.append(Hunk(first + 1, max(last, first + 1), head + title + body))
    return tuple(found)


def _range(start: int, stop: int) -> str:
    length = stop - start
    return f"{start + 1 if length else start},{length}"


def _marked(
    group: Sequence[tuple[str, int, int, int, int]], before: Sequence[str], after: Sequence[str]
) -> Iterator[str]:
    for tag, i1, i2, j1, j2 in group:
        if tag == "equal":
            yield from (_line(" ", line) for line in before[i1:i2])
            continue
        yield from (_line("-", line) for line in before[i1:i2])
        yield from (_line("+", line) for line in after[j1:j2])


def _line(mark: str, line: str) -> str:
    ended = line.endswith(("\n", "\r"))
    return f"{mark}{line}" if ended else f"{mark}{line}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    source = Source.of(text)
    bounds = [*source.line_starts, len(text)]
    return [text[start:end] for start, end in pairwise(bounds) if end > start]
