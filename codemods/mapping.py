"""The mapping as data: what each legacy export becomes. `mapping.toml` explains the fields."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from codemods.errors import CodemodError

VERSION = 1


class MappingError(CodemodError):
    """The mapping cannot be used: a field is missing, unknown or of another version."""

    code = "CODEMOD_MAPPING"


class How(StrEnum):
    """How a symbol is migrated; `none` for one that is only reported."""

    NAME = "name"
    CALL = "call"
    RECORD = "record"
    ERROR = "error"
    NONE = "none"


class Use(StrEnum):
    """What becomes of an argument of a legacy call.

    `dropped` needs a value without effects; `none` must be absent or None; `optional` is handed on
    if it was given.
    """

    POSITIONAL = "positional"
    KEYWORD = "keyword"
    OPTIONAL = "optional"
    DROPPED = "dropped"
    NONE = "none"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Symbol:
    """One legacy export. `positional` counts the parameters that may be given by position."""

    name: str
    rule: str
    how: How = How.NONE
    target: str = ""
    reason: str = ""
    note: str = ""
    template: str = ""
    method: str = ""
    result: str = ""
    awaited: bool = False
    parameters: Mapping[str, Use] = field(default_factory=dict)
    method_parameters: Mapping[str, Use] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    same: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    removed: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()

    @property
    def is_rewritten(self) -> bool:
        """Whether a rule rewrites it at all."""
        return self.how is not How.NONE


@dataclass(frozen=True, slots=True)
class Mapped:
    """All symbols, and where their successors live.

    `bridge` is the module that has every legacy name in its old shape.
    """

    engine: str
    bridge: str
    symbols: Mapping[str, Symbol]

    def place(self, target: str) -> tuple[str, str]:
        """Return module and name of a target; of a method, its class."""
        if not target.startswith(f"{self.engine}."):
            return self.engine, target.partition(".")[0]
        module, _, name = target.rpartition(".")
        return module, name


@cache
def shipped() -> Mapped:
    """Return the mapping that comes with this package."""
    text = files("codemods").joinpath("mapping.toml").read_text(encoding="utf-8")
    return load(text)


def load(text: str) -> Mapped:
    """Read a mapping.

    Raises:
        MappingError: it is no TOML, of another version, or a symbol's fields are wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(str(error), place="mapping") from None
    if document.get("version") != VERSION:
        raise MappingError(f"version {document.get('version')!r}, not {VERSION}", place="version")
    symbols = {name: _symbol(name, table) for name, table in document.get("symbols", {}).items()}
    return Mapped(document["engine"], document["bridge"], symbols)


def _symbol(name: str, table: Mapping[str, Any]) -> Symbol:
    values = dict(table)
    status = values.pop("status", None)
    place = f"symbols.{name}"
    if status not in {"rewrite", "report"}:
        raise MappingError(f"status is {status!r}, not rewrite or report", place=place)
    if status == "report" and not values.get("reason"):
        raise MappingError("a reported symbol needs a reason", place=place)
    if status == "rewrite" and not (values.get("how") and values.get("target")):
        raise MappingError("a rewritten symbol needs how and target", place=place)
    try:
        for key in ("parameters", "method_parameters"):
            values[key] = {item: Use(use) for item, use in values.get(key, {}).items()}
        values["how"] = How(values.get("how", "none"))
        for key in ("same", "optional"):
            values[key] = tuple(values.get(key, ()))
        return Symbol(name=name, **values)
    except (TypeError, ValueError) as error:
        raise MappingError(str(error), place=place) from None
