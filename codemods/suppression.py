"""Allow entries: which occurrences they accept, and which entries are stale or expired."""

import dataclasses
import datetime as dt
from collections.abc import Sequence

from codemods.globs import matches
from codemods.occurrence import Occurrence, Status
from codemods.report import Suppression
from codemods.settings import AllowEntry

_ALLOWABLE = frozenset({Status.USE, Status.UNDECIDED})


def apply_allow(
    occurrences: Sequence[Occurrence],
    entries: Sequence[AllowEntry],
    listed: Sequence[str],
    *,
    today: dt.date,
    is_complete: bool,
) -> tuple[list[Occurrence], tuple[Suppression, ...]]:
    """Give allowed occurrences their status and judge the entries.

    An expired entry still covers its occurrences, so that the report names the entry as the
    fault and not the old leftovers. An entry that covers nothing is stale; a scan of a part of
    the project (`is_complete` false) judges only entries whose files it has listed.
    """
    used: set[int] = set()
    result: list[Occurrence] = []
    for item in occurrences:
        index = _entry_for(item, entries)
        if index is None:
            result.append(item)
            continue
        used.add(index)
        reason = f"allowed until {entries[index].expires}: {entries[index].reason}"
        result.append(dataclasses.replace(item, status=Status.ALLOWED, reason=reason))
    faults = []
    for index, entry in enumerate(entries):
        if entry.expires < today:
            faults.append(_suppression(entry, f"expired on {entry.expires}"))
        elif index not in used and (
            is_complete or any(matches(path, entry.path) for path in listed)
        ):
            faults.append(_suppression(entry, "matches no occurrence"))
    return result, tuple(faults)


def _entry_for(item: Occurrence, entries: Sequence[AllowEntry]) -> int | None:
    if item.status not in _ALLOWABLE:
        return None
    return next((i for i, entry in enumerate(entries) if matches(item.path, entry.path)), None)


def _suppression(entry: AllowEntry, fault: str) -> Suppression:
    return Suppression(entry.path, entry.reason, entry.expires.isoformat(), fault)
