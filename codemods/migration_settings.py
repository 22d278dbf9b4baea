"""What a repository says about its own migration: `[tool.planproof.codemod]` as a frozen record."""

import dataclasses
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from codemods.errors import SettingsError


class Binding(StrEnum):
    """What becomes of the local name of an import: the successor's, or the old one by `as`."""

    RENAME = "rename"
    KEEP = "keep"


class Level(StrEnum):
    """How far a plan is proved before it is written; each level includes those before it."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"
    P5 = "P5"
    P6 = "P6"
    P7 = "P7"


# A reader of the migrated code should meet the names of the engine's own documentation.
DEFAULT_BINDING = Binding.RENAME

# Without the bridge, what cannot be written directly has to be changed by hand.
DEFAULT_BRIDGE = True

# Documents tell of the past as well; whoever wrote them decides which of them are out of date.
DEFAULT_DOCS = False

# The highest level that needs nothing but the files themselves: no type checker, no environment
# of the consumer and none of its tests.
DEFAULT_VERIFY = Level.P2

# A usual repository is scanned before a pool of processes has started.
DEFAULT_JOBS = 1


class MigrationSettingsError(SettingsError):
    """`[tool.planproof.codemod]` holds an unknown key or a value of the wrong form: correct it."""

    code = "CODEMOD_SETTINGS"


@dataclass(frozen=True, slots=True)
class MigrationSettings:
    """Settings of one migration.

    Attributes:
        binding: whether local names change with what they are bound to.
        bridge: whether what cannot be written directly is taken from the bridge module, where
            every legacy name lives on; without it, such places are reported.
        docs: whether code, doctests and Sphinx references in documentation are rewritten.
        string_keys: further names of configuration keys, variables and callees whose strings are
            import paths, beside `codemods.known_keys.KNOWN_KEYS`.
        verify: how far the plan is proved before it is written.
        jobs: processes to scan with, if there are many files.
    """

    binding: Binding = DEFAULT_BINDING
    bridge: bool = DEFAULT_BRIDGE
    docs: bool = DEFAULT_DOCS
    string_keys: tuple[str, ...] = ()
    verify: Level = DEFAULT_VERIFY
    jobs: int = DEFAULT_JOBS

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Read the table `[tool.planproof.codemod]`.

        Raises:
            MigrationSettingsError: for an unknown key (naming the nearest one) or a value of the
                wrong form.
        """
        known = tuple(field.name for field in dataclasses.fields(cls))
        values: dict[str, Any] = {}
        for key, value in mapping.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
                advice = f"did you mean {near[0]!r}?" if near else None
                raise MigrationSettingsError(f"unknown key {key!r}", advice=advice)
            values[key] = _READERS[key](value, key)
        return cls(**values)


def _binding(value: Any, place: str) -> Binding:
    return Binding(_one_of(value, tuple(Binding), place))


def _level(value: Any, place: str) -> Level:
    return Level(_one_of(value, tuple(Level), place))


def _one_of(value: Any, choices: tuple[str, ...], place: str) -> str:
    if isinstance(value, str) and value in choices:
        return value
    listed = ", ".join(str(choice) for choice in choices)
    raise MigrationSettingsError(f"is {value!r}, not one of {listed}", place=place)


def _flag(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise MigrationSettingsError("must be true or false", place=place)
    return value


def _names(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(
        isinstance(item, str) and item.strip() for item in value
    ):
        raise MigrationSettingsError("must be a list of non-empty strings", place=place)
    return tuple(value)


def _count(value: Any, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise MigrationSettingsError(
            "must be a number of processes; 0 is one for each processor", place=place
        )
    return value or os.cpu_count() or 1


_READERS = {
    "binding": _binding,
    "bridge": _flag,
    "docs": _flag,
    "string_keys": _names,
    "verify": _level,
    "jobs": _count,
}
