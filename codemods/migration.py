"""The plan of a migration over files: what is rewritten, what is reported, and the account of both.

Nothing here writes; `codemods.migration_plan` makes these records.
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from codemods.occurrence import Occurrence, Status
from codemods.report import ScanReport


class Outcome(StrEnum):
    """What became of an occurrence; every one has exactly one outcome."""

    REWRITTEN = "rewritten"
    REPORTED = "reported"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class Row:
    """One occurrence with its outcome.

    Attributes:
        occurrence: what the scan found.
        outcome: what becomes of it.
        rules: the rules that took part.
        reasons: of a reported one, why, with the places.
        notes: of a rewritten one, what a reader should know: what was bridged, and why.
    """

    occurrence: Occurrence
    outcome: Outcome
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One file: absolute path, path to show, bytes before and after.

    Changes of one `group` depend on each other: all of them are written, or none.
    """

    path: str
    shown: str
    before: bytes
    after: bytes
    rules: tuple[str, ...]
    group: int = 0


@dataclass(frozen=True, slots=True)
class Migration:
    """The plan over all files; nothing has been written."""

    scanned: ScanReport
    rows: tuple[Row, ...]
    changes: tuple[Change, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many occurrences have an outcome."""
        return sum(row.outcome is outcome for row in self.rows)

    @property
    def unexamined(self) -> int:
        """How many reported occurrences could not be examined at all."""
        return sum(row.occurrence.status is Status.UNEXAMINED for row in self.rows)

    def residue(self) -> Counter[tuple[str, str, str]]:
        """Return what a scan after the run must find: path, kind and word, with their number.

        A dynamic import of an unknown value is left out: it is looked at only where the file has
        a legacy word besides, which the run may have rewritten.
        """
        kept = (row for row in self.rows if row.outcome is not Outcome.REWRITTEN)
        return Counter(_key(row.occurrence) for row in kept if not _is_doubt(row.occurrence))


def found_by(plan: Migration) -> Counter[tuple[str, str, str]]:
    """Return the same of everything that a plan's scan found."""
    return Counter(_key(row.occurrence) for row in plan.rows if not _is_doubt(row.occurrence))


def _is_doubt(item: Occurrence) -> bool:
    return item.status is Status.UNDECIDED and not item.needle


def _key(item: Occurrence) -> tuple[str, str, str]:
    return item.path, item.kind.value, item.needle
