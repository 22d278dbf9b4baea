"""The journal of one run: the bytes of every file before and after, on disk before any file changes.

A run that is being written and one that is done are two files, so that the step from the one to the
other is a rename, which needs no space on a full disk.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from codemods.errors import CodemodError
from codemods.staging import STATE_FOLDER, make_state_folder, put, sync_folders

JOURNAL = Path(STATE_FOLDER, "codemod-journal.json")
WRITING = Path(STATE_FOLDER, "codemod-writing.json")
_SCHEMA = "codemod-journal/v2"


class JournalError(CodemodError):
    """The journal of a repository cannot be read or written; no file was touched."""

    code = "CODEMOD_JOURNAL"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a run: its path relative to the root, its group, its bytes."""

    path: str
    group: int
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Journal:
    """One run.

    Attributes:
        run: what the run calls itself; runs of one name are undone together. Empty: no name.
        entries: every file that it changes.
        summary: what the caller wants to know about the run if it is completed by another one.
    """

    run: str
    entries: tuple[Entry, ...]
    summary: Mapping[str, Any] = field(default_factory=dict)

    def follows(self, earlier: "Journal | None") -> "Journal":
        """Return the journal of this run and an earlier one of the same name together."""
        if earlier is None or not self.run or earlier.run != self.run:
            return self
        first = {(entry.path, entry.after): entry.before for entry in earlier.entries}
        # Only what the earlier one wrote itself leads back to its bytes; anything else is work.
        mine = tuple(
            replace(entry, before=first.get((entry.path, entry.before), entry.before))
            for entry in self.entries
        )
        paths = {entry.path for entry in mine}
        kept = tuple(entry for entry in earlier.entries if entry.path not in paths)
        return replace(self, entries=kept + mine)


def read_journal(root: Path, name: Path) -> Journal | None:
    """Return a journal, or None if there is none.

    Raises:
        JournalError: it cannot be read or is another version's.
    """
    place = root / name
    try:
        document: Any = json.loads(place.read_bytes())
        if document["schema_version"] != _SCHEMA:
            raise JournalError(
                f"the journal is {document['schema_version']}, not {_SCHEMA}", place=str(place)
            )
        entries = tuple(
            Entry(
                item["path"],
                item["group"],
                base64.b64decode(item["before"]),
                base64.b64decode(item["after"]),
            )
            for item in document["files"]
        )
        return Journal(document["run"], entries, document["summary"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JournalError(f"the journal cannot be read: {error}", place=str(place)) from None


def write_journal(root: Path, name: Path, journal: Journal) -> None:
    """Write a journal durably.

    Raises:
        JournalError: the system refuses it.
    """
    place = root / name
    document = {
        "schema_version": _SCHEMA,
        "run": journal.run,
        "summary": dict(journal.summary),
        "files": [
            {
                "path": entry.path,
                "group": entry.group,
                "before": base64.b64encode(entry.before).decode(),
                "after": base64.b64encode(entry.after).decode(),
            }
            for entry in journal.entries
        ],
    }
    try:
        make_state_folder(place.parent)
        # In ASCII, because a file's name need not be valid Unicode.
        put(place, json.dumps(document).encode("ascii"))
    except OSError as error:
        raise JournalError(error.strerror or str(error), place=str(place)) from None


def close_journal(root: Path) -> None:
    """Turn the journal of the run that is being written into that of a run that is done."""
    try:
        (root / WRITING).replace(root / JOURNAL)
        sync_folders([(root / JOURNAL).parent])
    except OSError as error:
        place = str(root / JOURNAL)
        raise JournalError(error.strerror or str(error), place=place) from None


def remove_journal(root: Path, name: Path) -> None:
    """Forget a run."""
    place = root / name
    try:
        place.unlink(missing_ok=True)
    except OSError as error:
        raise JournalError(error.strerror or str(error), place=str(place)) from None
