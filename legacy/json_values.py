"""How the segment executor judges JSON values: truthiness, white space, error texts.

The executor was written for a dynamic language whose rules show in its decisions (an output of 0
counts as no output). The rules are collected here so that the other modules can name them.
"""

import json
from typing import Any, Final

# White space as the executor's pattern language and its trimming understand it.
WHITE_SPACE: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)


class JsonSyntaxError(ValueError):
    """A stored text is not JSON."""


def is_truthy(value: Any) -> bool:
    """Return False for null, false, 0 and the empty string; empty objects and lists are true."""
    if value is None or value is False:
        return False
    if isinstance(value, int | float):
        return value != 0 and value == value  # noqa: PLR0124 - NaN is the value unequal to itself
    return bool(value != "")


def is_integer(value: Any) -> bool:
    """Return whether a JSON number has no fraction; booleans are not numbers."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def parse_stored(value: Any) -> Any:
    """Parse what a `get` of the store returned.

    Raises:
        JsonSyntaxError: it is not JSON text. A client that parses replies by itself hands over an
            object, whose text form is not JSON either.
    """
    if not isinstance(value, str | bytes):
        # Quirk 56: with a client that parses, every stored record is unreadable.
        raise JsonSyntaxError('"[object Object]" is not valid JSON')
    try:
        return json.loads(value)
    except ValueError as error:
        raise JsonSyntaxError(str(error)) from None


def parse_answer(text: str) -> Any:
    """Parse a model's answer strictly: JSON after trimming, without NaN or Infinity.

    Raises:
        ValueError: it is anything else, code fences and prose included.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    def number(digits: str) -> float:
        value = float(digits)
        return int(value) if value.is_integer() else value

    return json.loads(text.strip(WHITE_SPACE), parse_constant=refuse, parse_float=number)


def dump(document: Any) -> str:
    """Return the text that is stored for `document`; pure ASCII, since any string must fit."""
    return json.dumps(document, separators=(",", ":"))
