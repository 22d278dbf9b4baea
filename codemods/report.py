"""The result of a scan: a pure record that renderers and gates read."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codemods.occurrence import Occurrence, Scope, Status

SCHEMA_VERSION = "scan/v1"


@dataclass(frozen=True, slots=True)
class Suppression:
    """An allow entry that must be removed or renewed, and why."""

    path: str
    reason: str
    expires: str
    fault: str


@dataclass(frozen=True, slots=True)
class ScanReport:
    """Everything one scan found and everything it did not look at.

    Attributes:
        root: absolute folder that all paths are relative to.
        legacy_roots: dotted names that were searched for.
        files_found: files that discovery listed.
        files_examined: files whose bytes were read and searched.
        files_with_hits: examined files that name a legacy root or use a facade.
        skipped: files and folders that were not examined, by reason.
        words: how often a legacy word stands in the examined files as a whole word.
        substrings: how often it is only a part of another word.
        facades: modules that hand legacy names on, with the names.
        occurrences: in the order of path, cell, line, column.
        suppressions: stale and expired allow entries.
        idle_excludes: exclude globs that covered nothing.
    """

    root: str
    legacy_roots: tuple[str, ...]
    files_found: int
    files_examined: int
    files_with_hits: int
    skipped: Mapping[str, int]
    words: int
    substrings: int
    facades: Mapping[str, tuple[str, ...]]
    occurrences: tuple[Occurrence, ...]
    suppressions: tuple[Suppression, ...] = ()
    idle_excludes: tuple[str, ...] = ()
    schema_version: str = SCHEMA_VERSION

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Occurrences by scope and status."""
        tally = Counter((item.scope, item.status) for item in self.occurrences)
        return {
            scope.value: {
                status.value: tally[scope, status] for status in Status if tally[scope, status]
            }
            for scope in Scope
        }

    def of(self, status: Status, scope: Scope | None = None) -> tuple[Occurrence, ...]:
        """Return the occurrences of one status, of one scope or of both."""
        return tuple(
            item
            for item in self.occurrences
            if item.status is status and (scope is None or item.scope is scope)
        )

    @property
    def is_accounted(self) -> bool:
        """Whether every whole word found has exactly one occurrence: nothing was dropped."""
        return self.words == sum(1 for item in self.occurrences if item.needle)

    def to_document(self) -> dict[str, Any]:
        """Return the report as plain JSON data."""
        return {
            "schema_version": self.schema_version,
            "root": self.root,
            "legacy_roots": list(self.legacy_roots),
            "files": {
                "found": self.files_found,
                "examined": self.files_examined,
                "with_hits": self.files_with_hits,
                "skipped": dict(sorted(self.skipped.items())),
            },
            "accounting": {
                "words": self.words,
                "substrings": self.substrings,
                "accounted": self.is_accounted,
            },
            "counts": self.counts,
            "facades": {path: list(names) for path, names in sorted(self.facades.items())},
            "suppressions": [dataclasses.asdict(item) for item in self.suppressions],
            "idle_excludes": list(self.idle_excludes),
            "occurrences": [dataclasses.asdict(item) for item in self.occurrences],
        }

    def to_json(self) -> str:
        """Return the report as JSON text, deterministic to the byte.

        In ASCII, because a file's name need not be valid Unicode.
        """
        return json.dumps(self.to_document(), indent=2) + "\n"
