"""What a repository says about its own scan: `[tool.planproof.scan]` as a frozen record."""

import dataclasses
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from codemods.errors import SettingsError

# The legacy module, at the top level or below any package (`legacy.durable_execution`).
DEFAULT_ROOT = "durable_execution"

# What the legacy module exports; a local module that binds one of `SIGNATURE_NAMES` is a copy of it.
LEGACY_EXPORTS = frozenset(
    {
        "CheckpointManager",
        "DurableExecutionResult",
        "ExecutionCheckpoint",
        "ToolExecutor",
        "execute_segment",
        "resume_from_checkpoint",
    }
)
SIGNATURE_NAMES = frozenset({"CheckpointManager", "execute_segment", "resume_from_checkpoint"})

# Test code by path, relative to the project's root.
TEST_GLOBS = (
    "tests/",
    "test/",
    "test_*.py",
    "*_test.py",
    "conftest.py",
)

# A larger file that holds the name is not parsed but reported as unexamined: generated data, not
# code that somebody maintains, and the parser needs about 60 times its size in memory.
MAX_FILE_BYTES = 8 * 1024 * 1024

_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class AllowEntry:
    """A leftover that is accepted for a time.

    Attributes:
        path: a glob of the files, relative to the project's root.
        reason: why the use may stay.
        expires: the last day on which it may.
    """

    path: str
    reason: str
    expires: dt.date


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """Settings of one scan; globs are relative to the project's root (see `codemods.globs`).

    Attributes:
        roots: dotted names of further legacy modules, beside `durable_execution`.
        exclude: files and folders that are not examined (the legacy implementation itself).
        tests: globs of test code; they replace the default ones.
        source_roots: folders that are on the import path, beside those found in the project.
        allow: accepted leftovers.
        max_file_bytes: above this size a file with a hit is unexamined.
    """

    roots: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    tests: tuple[str, ...] = TEST_GLOBS
    source_roots: tuple[str, ...] = ()
    allow: tuple[AllowEntry, ...] = ()
    max_file_bytes: int = MAX_FILE_BYTES

    def __post_init__(self) -> None:
        """Reject roots that are no dotted module names."""
        for root in self.roots:
            if not _DOTTED.fullmatch(root):
                raise SettingsError(f"{root!r} is not a dotted module name", place="roots")

    @property
    def all_roots(self) -> tuple[tuple[str, ...], ...]:
        """Every legacy root as components, the default one first."""
        names = dict.fromkeys((DEFAULT_ROOT, *self.roots))
        return tuple(tuple(name.split(".")) for name in names)

    @property
    def needles(self) -> tuple[str, ...]:
        """The words whose absence from a file's bytes proves that it names no root."""
        return tuple(dict.fromkeys(root[-1] for root in self.all_roots))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Read the table `[tool.planproof.scan]`.

        Raises:
            SettingsError: for an unknown key (naming the nearest one) or a value of the wrong form.
        """
        known = tuple(field.name for field in dataclasses.fields(cls))
        _reject_unknown(mapping, known, "")
        values: dict[str, Any] = {}
        for key, value in mapping.items():
            if key == "allow":
                values[key] = _allow(value)
            elif key == "max_file_bytes":
                if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                    raise SettingsError("must be a positive number of bytes", place=key)
                values[key] = value
            else:
                values[key] = _strings(value, key)
        return cls(**values)


def _reject_unknown(mapping: Mapping[str, Any], known: tuple[str, ...], prefix: str) -> None:
    for key in mapping:
        if key not in known:
            import difflib  # noqa: PLC0415 - only a mistake needs it

            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            advice = f"did you mean {near[0]!r}?" if near else None
            raise SettingsError(f"unknown key {key!r}", place=prefix or None, advice=advice)


def _strings(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(
        isinstance(item, str) and item for item in value
    ):
        raise SettingsError("must be a list of non-empty strings", place=place)
    return tuple(value)


def _allow(value: Any) -> tuple[AllowEntry, ...]:
    if not isinstance(value, list | tuple):
        raise SettingsError("must be an array of tables", place="allow")
    return tuple(_allow_entry(item, f"allow[{index}]") for index, item in enumerate(value))


def _allow_entry(item: Any, place: str) -> AllowEntry:
    if not isinstance(item, Mapping):
        raise SettingsError("must be a table", place=place)
    keys = ("path", "reason", "expires")
    _reject_unknown(item, keys, place)
    for key in keys:
        if key not in item:
            raise SettingsError(f"key {key!r} is missing", place=place)
    for key in ("path", "reason"):
        if not isinstance(item[key], str) or not item[key].strip():
            raise SettingsError("must be a non-empty string", place=f"{place}.{key}")
    return AllowEntry(
        path=item["path"], reason=item["reason"], expires=_date(item["expires"], place)
    )


def _date(value: Any, place: str) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise SettingsError("must be a date such as 2027-01-31", place=f"{place}.expires")
