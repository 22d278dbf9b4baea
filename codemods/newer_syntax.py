"""The commonest newer syntax replaced by older syntax of the same length, without a second parser.

The parser that rejects a module says where it stopped. If one of the forms below stands there, the
span is replaced and the parser asked again; the place comes from the parser, so it is never inside
a string or a comment. Anything else is left to LibCST (`codemods.older_syntax`), which takes a
process of its own and tens of times longer.
"""

import re
from collections.abc import Callable
from typing import Protocol

from codemods.older_syntax import blank_brackets, joined_exceptions

# Each replacement costs one run of the parser; a module with more of them goes to LibCST.
MOST_REPLACEMENTS = 60

_TYPE_STATEMENT = re.compile(r"(?:^|[\r\n;])[ \t\f]*type[ \t]+$")
_TYPE_HEAD = re.compile(r"(\w+[ \t]*)(?:=(?!=)|\[)")
_GENERIC = re.compile(r"\b(?:def|class)[ \t]+\w+[ \t]*$")
_TEMPLATE = re.compile(r"(?<!\w)(?:[rR]?[tT]|[tT][rR])$")
_PARAMETER = re.compile(r"\s*(?:\*{0,2}\s*[^\W\d]\w*\s*(?:$|[:=])|$)")
_AFTER_EXCEPTIONS = re.compile(r"[ \t]*:")
_LINE_END = re.compile(r"\r\n|\r|\n")

# The longest `def name` or `type ` that is looked for before the place of an error.
_LOOK_BACK = 200

_OPEN, _CLOSE = "([{", ")]}"


class Place(Protocol):
    """Where a parser stopped: lines and columns from 1, columns in characters."""

    lineno: int | None
    offset: int | None
    end_lineno: int | None
    end_offset: int | None
    msg: str


def replaced(text: str, place: Place) -> str | None:
    """Return `text` with the newer syntax at `place` replaced, None if there is none known."""
    if not place.lineno or not place.offset or text.startswith("\ufeff"):
        return None
    starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
    if place.lineno > len(starts):
        return None
    at = starts[place.lineno - 1] + place.offset - 1
    if place.msg.startswith("multiple exception types") and place.end_lineno and place.end_offset:
        end = starts[place.end_lineno - 1] + place.end_offset - 1
        return _exceptions(text, at, end)
    before = text[max(0, at - _LOOK_BACK) : at]
    for pattern, replace in _FORMS:
        if match := pattern.search(before):
            return replace(text, at, at - len(before) + match.start())
    return None


def _exceptions(text: str, start: int, end: int) -> str | None:
    joined = joined_exceptions(text[start:end])
    # With a name, `except A, B as c:`, every version wants the brackets.
    if joined is None or " as " in joined or not _AFTER_EXCEPTIONS.match(text, end):
        return None
    return f"{text[:start]}{joined}{text[end:]}"


def _type_statement(text: str, at: int, _start: int) -> str | None:
    head = _TYPE_HEAD.match(text, at)
    if head is None:
        return None
    keyword = text.rindex("type", 0, at)
    older = f"{text[:keyword]}0000;{text[keyword + 5 :]}"
    return older if head[0].endswith("=") else _brackets(older, head.end(1), "=")


def _generic(text: str, at: int, start: int) -> str | None:
    is_class = text.startswith("class", start)
    return _brackets(text, at, "(:" if is_class else "(")


def _brackets(text: str, at: int, following: str) -> str | None:
    """Blank the type parameters at `at`, if one of the characters `following` follows them."""
    end = _closing(text, at) if text.startswith("[", at) else None
    if end is None or text[end:].lstrip(" \t\\\r\n")[:1] not in tuple(following):
        return None
    return f"{text[:at]}{blank_brackets(text[at:end])}{text[end:]}"


def _closing(text: str, at: int) -> int | None:
    """Return the end of the type parameters at `at`, None if they are not plain to see."""
    depth = 0
    parameter = at + 1
    for index in range(at, len(text)):
        character = text[index]
        if character in "\"'#":
            return None
        if character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth -= 1
        if depth == 0 or (depth == 1 and character == ","):
            is_last = depth == 0
            taken = text[parameter:index]
            if not _PARAMETER.match(taken) or (not taken.strip() and not is_last):
                return None
            parameter = index + 1
            if is_last:
                return index + 1 if text[at + 1 : index].strip() else None
    return None


def _template(text: str, at: int, start: int) -> str | None:
    if text[at : at + 1] not in {"'", '"'}:
        return None
    letter = next(index for index in (start, start + 1) if text[index] in "tT")
    return f"{text[:letter]}f{text[letter + 1 :]}"


_FORMS: tuple[tuple[re.Pattern[str], Callable[[str, int, int], str | None]], ...] = (
    (_TYPE_STATEMENT, _type_statement),
    (_GENERIC, _generic),
    (_TEMPLATE, _template),
)
