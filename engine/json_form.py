"""What of a value is durable: its JSON form. Pure."""

from copy import deepcopy
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import from_json, to_json

from engine.limits import MAX_VALUE_BYTES

_DEEPEST_FIELD = 5
"""How many objects a record wraps around a tool's value; the parser's bound counts them too."""


_MOST_PLAIN_ITEMS, _MOST_PLAIN_CHARS, _MOST_PLAIN_NUMBER = 16, 4_096, 2**53
_UNCHANGING = frozenset({str, int, float, bool, type(None)})


class TooLargeError(ValueError):
    """A value's JSON form exceeds the limit of one value."""


def durable_form(value: Any) -> Any:
    """Return a copy of `value` as a resume will read it: tuples are lists, keys are text.

    Raises:
        TooLargeError: its JSON form has more than `engine.limits.MAX_VALUE_BYTES`.
        ValueError: it has no JSON form, or one that is nested too deeply to be read again.
    """
    if _is_plain(value):
        return dict(value)
    wrapped = value
    for _ in range(_DEEPEST_FIELD):
        wrapped = [wrapped]
    text = to_json(wrapped)
    if len(text) > MAX_VALUE_BYTES:
        raise TooLargeError(f"{len(text)} bytes of JSON, allowed are {MAX_VALUE_BYTES}")
    found = from_json(text)
    for _ in range(_DEEPEST_FIELD):
        found = found[0]
    return found


def _is_plain(value: Any) -> bool:
    """Whether a value is its own durable form at a glance: a few short ASCII texts and numbers."""
    if type(value) is not dict or len(value) > _MOST_PLAIN_ITEMS:
        return False
    for key, item in value.items():
        if type(key) is not str or not key.isascii():
            return False
        kind = type(item)
        if kind is str:
            if len(item) > _MOST_PLAIN_CHARS or not item.isascii():
                return False
        elif kind is int:
            if not -_MOST_PLAIN_NUMBER <= item <= _MOST_PLAIN_NUMBER:
                return False
        elif item is not None and kind is not bool:
            return False
    return True


def fresh_copy(value: Any) -> Any:
    """Return a copy of `value` that shares nothing that can be changed with it."""
    kind = type(value)
    if kind is dict:
        return {
            key: item if type(item) in _UNCHANGING else fresh_copy(item)
            for key, item in value.items()
        }
    if kind is list:
        return [fresh_copy(item) for item in value]
    return value if kind in _UNCHANGING else deepcopy(value)


def storable_text(text: Any) -> Any:
    """Return `text` with what UTF-8 cannot carry (lone surrogates) replaced."""
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else text


JsonObject: TypeAlias = Annotated[dict[str, Any], AfterValidator(durable_form)]
"""Keyword arguments of a call, in their durable form."""

StorableText: TypeAlias = Annotated[str, BeforeValidator(storable_text)]
"""Text from outside, such as the message of an exception."""
