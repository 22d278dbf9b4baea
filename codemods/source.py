"""Text of a file as the parser sees it, and where the legacy words stand in it."""

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate

# Python ends a line at these only; `str.splitlines` would also cut at a form feed.
_LINE_END = re.compile(r"\r\n|\r|\n")
_WITH_LINE_FEED = (1).__add__

_ENCODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)
_BLANK = re.compile(rb"^[ \t\f]*(?:#.*)?\r?$")

# `"\ndurable_execution"`: the letter before the word belongs to an escape, not to the word.
_ESCAPE_LETTERS = frozenset("abfnrtv")


@dataclass(frozen=True, slots=True)
class Word:
    """A legacy word in a text: offsets in characters, the end exclusive."""

    start: int
    end: int
    needle: str


@dataclass(frozen=True, slots=True)
class Source:
    """A decoded text with its lines."""

    text: str
    line_starts: tuple[int, ...] = field(repr=False)

    @classmethod
    def of(cls, text: str) -> "Source":
        """Index the lines of `text`."""
        if "\r" in text:
            return cls(text, (0, *(match.end() for match in _LINE_END.finditer(text))))
        sizes = map(len, text.split("\n")[:-1])
        return cls(text, tuple(accumulate(map(_WITH_LINE_FEED, sizes), initial=0)))

    def line_column(self, offset: int) -> tuple[int, int]:
        """Return line and column, both from 1, of a character offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line_text(self, line: int) -> str:
        """Return line `line` (from 1) without its end."""
        start = self.line_starts[line - 1]
        end = self.line_starts[line] if line < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def offset(self, line: int, utf8_column: int) -> int:
        """Return the character offset of an `ast` position (columns in UTF-8 bytes, from 0)."""
        start = self.line_starts[line - 1]
        prefix = self.text[start : start + utf8_column]
        if prefix.isascii():
            return start + utf8_column
        row = self.line_text(line).encode("utf-8", "surrogatepass")
        return start + len(row[:utf8_column].decode("utf-8", "replace"))


def find_words(text: str, needles: Iterable[str]) -> tuple[list[Word], int]:
    """Return the whole words of `text` in order, and how many hits were parts of other words."""
    words: list[Word] = []
    substrings = 0
    for needle in needles:
        start = text.find(needle)
        while start >= 0:
            end = start + len(needle)
            if _begins_word(text, start) and not _is_word_character(text[end : end + 1]):
                words.append(Word(start, end, needle))
            else:
                substrings += 1
            start = text.find(needle, start + 1)
    words.sort(key=lambda word: word.start)
    return words, substrings


def _is_word_character(character: str) -> bool:
    return character == "_" or character.isalnum()


def _begins_word(text: str, start: int) -> bool:
    before = text[start - 1 : start]
    if not before or not _is_word_character(before):
        return True
    if (
        before == "m"
        and text[start - 2 : start - 1] == "-"
        and text[start - 3 : start - 2] in "\"' "
    ):
        return True  # `python -mdurable_execution`
    if before not in _ESCAPE_LETTERS:
        return False
    slashes = len(text[: start - 1]) - len(text[: start - 1].rstrip("\\"))
    return slashes % 2 == 1


def decode_python(data: bytes) -> str:
    """Decode Python source by its BOM or PEP 263 declaration; UTF-8 otherwise.

    Not `tokenize.detect_encoding`, which refuses a declaring line that is not UTF-8 itself.

    Raises:
        LookupError: the declared encoding is unknown.
        UnicodeError: the bytes are not text in that encoding.
    """
    if data.startswith(codecs.BOM_UTF8):
        return data.decode("utf-8-sig")
    return data.decode(declared_encoding(data))


def declared_encoding(data: bytes) -> str:
    """Return the encoding that the first two lines declare; UTF-8 otherwise."""
    for line in data.split(b"\n", 2)[:2]:
        if match := _ENCODING.match(line):
            return match[1].decode("ascii")
        if not _BLANK.match(line):
            break
    return "utf-8"


def decode_text(data: bytes) -> str:
    """Decode any other text: by its BOM, else UTF-8, else byte by byte; never fails."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
