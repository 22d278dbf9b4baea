"""Bugs that campaigns have found, as cases that every profile runs first (`regressions.toml`)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from chaos.case import Case
from chaos.fault_id import parse_case


@dataclass(frozen=True, slots=True)
class Regression:
    """One bug that was found.

    Attributes:
        case: runs into it, if it comes back.
        since: when it was found.
        found_by: the predicate that found it.
        what: the bug, in a sentence.
        last_reproduced: when it was last seen to fail without its fix.
    """

    case: Case
    since: date
    found_by: str
    what: str
    last_reproduced: date


@cache
def regressions() -> tuple[Regression, ...]:
    """Return all saved bugs, the oldest first.

    Raises:
        KeyError: an entry lacks a field.
        chaos.fault_id.FaultIdError: an id is none.
    """
    document = tomllib.loads((files("chaos") / "regressions.toml").read_text("utf-8"))
    return tuple(_regression(entry) for entry in document["regression"])


def _regression(entry: Mapping[str, Any]) -> Regression:
    return Regression(
        case=parse_case(entry["id"]),
        since=entry["since"],
        found_by=entry["found_by"],
        what=entry["what"],
        last_reproduced=entry["last_reproduced"],
    )
