"""Parameters of a step: aliases, checks before the call. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.limits import KNOWN_TOOL_NAMES
from engine.tools import ParameterFault

_WORD_BORDER = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")


def apply_aliases(parameters: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    """Return `parameters` with each primary filled from its alias, in definition order.

    An alias counts as present when its key is, null included; it stays. A primary that is present
    is never replaced.
    """
    result = dict(parameters)
    for alias, primary in aliases.items():
        if alias in result and primary not in result:
            result[primary] = result[alias]
    return result


@dataclass(frozen=True, slots=True)
class RequiredParameters:
    """Parameters without which a kind of tool must not be called.

    Attributes:
        words: the rule applies when one of these is a whole word of the tool's name, so that
            `bookTable` and `book_slot` are meant and `facebook_post` is not.
        fields: each required field, with the spellings that stand for it; the first is reported.
        message: what the failure says before the names of the missing fields.
    """

    words: frozenset[str]
    fields: tuple[tuple[str, ...], ...]
    message: str

    def missing(self, tool_name: str, parameters: Mapping[str, Any]) -> list[str]:
        """Return the required fields that are absent, null, false or empty. Zero is a value."""
        if self.words.isdisjoint(_word_set(tool_name)):
            return []
        return [
            spellings[0]
            for spellings in self.fields
            if all(_is_blank(parameters.get(spelling)) for spelling in spellings)
        ]


BOOKING = RequiredParameters(
    words=frozenset({"book", "reserve"}),
    fields=(
        ("restaurantId", "restaurant_id", "restaurant_name"),
        ("partySize", "party_size"),
        ("startTime", "start_time", "time"),
    ),
    message="Missing required booking fields",
)


def name_words(tool_name: str) -> list[str]:
    """Return the words of a tool name in lower case: `bookTable` and `book-table` have two."""
    return [word.lower() for word in _WORD_BORDER.split(tool_name) if word]


@lru_cache(maxsize=KNOWN_TOOL_NAMES)
def _word_set(tool_name: str) -> frozenset[str]:
    return frozenset(name_words(tool_name))


def describe_faults(faults: Sequence[ParameterFault]) -> str:
    """Return the message of a failed validation."""
    return "Parameter validation failed: " + "; ".join(
        f"{fault.path}: {fault.message}" for fault in faults
    )


def _is_blank(value: Any) -> bool:
    return value is None or value is False or value == ""
