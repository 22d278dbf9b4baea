"""The journal of a batch: one line for each repository that has been dealt with, durable at once.

A killed batch leaves a journal whose last line may be torn; everything before that line counts.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codemods.errors import CodemodError
from codemods.staging import locked, make_state_folder, put

NAME = "codemod-batch.jsonl"
_SCHEMA = "codemod-batch-journal/v1"
_LOCK = "batch.lock"
_RUN_BYTES = 8


class BatchJournalError(CodemodError):
    """The journal of a batch cannot be read or written, or another process has it."""

    code = "CODEMOD_BATCH"


@dataclass(frozen=True, slots=True)
class Record:
    """One repository that has been dealt with: the digest of its inputs, and its entry."""

    inputs: str
    entry: Mapping[str, Any]


@dataclass(slots=True)
class BatchJournal:
    """A journal that is being written.

    Attributes:
        folder: the state folder.
        run: the name under which every repository of the batch is written.
        records: the last record of each repository, by its absolute path.
    """

    folder: Path
    run: str
    records: dict[str, Record] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """Return the file that holds the journal."""
        return self.folder / NAME

    def append(self, repository: Path, record: Record) -> None:
        """Note one repository.

        Raises:
            BatchJournalError: the system refuses it.
        """
        self.records[str(repository)] = record
        line = {"repository": str(repository), "inputs": record.inputs, "entry": record.entry}
        try:
            with self.file.open("ab") as file:
                file.write(json.dumps(line).encode("ascii") + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _refused(error, self.file) from None

    def remove(self) -> None:
        """Forget the batch."""
        self.file.unlink(missing_ok=True)


@contextmanager
def open_journal(folder: Path, *, resumes: bool) -> Iterator[BatchJournal]:
    """Hold a state folder and give its journal: a new one, or the earlier one to go on with.

    Raises:
        BatchJournalError: another process has it, or it cannot be read or written.
    """
    with ExitStack() as stack:
        try:
            make_state_folder(folder)
            stack.enter_context(locked(folder, _LOCK, waits=False))
            journal = read_batch(folder) if resumes else None
            if journal is None:
                journal = BatchJournal(folder, secrets.token_hex(_RUN_BYTES))
                head = {"schema_version": _SCHEMA, "run": journal.run}
                put(journal.file, json.dumps(head).encode("ascii") + b"\n")
        except BlockingIOError:
            raise BatchJournalError("another batch is under way", place=str(folder)) from None
        except OSError as error:
            raise _refused(error, folder) from None
        yield journal


def read_batch(folder: Path) -> BatchJournal | None:
    """Return the journal of a batch, None if there is none.

    Raises:
        BatchJournalError: it cannot be read.
    """
    file = folder / NAME
    try:
        data = file.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        lines = [json.loads(line) for line in whole.splitlines()]
        head = lines[0]
        if head["schema_version"] != _SCHEMA:
            raise BatchJournalError(f"is {head['schema_version']}, not {_SCHEMA}", place=str(file))
        records = {line["repository"]: Record(line["inputs"], line["entry"]) for line in lines[1:]}
        if len(whole) < len(data):
            put(file, whole)  # the next line must not become a part of the torn one
        return BatchJournal(folder, head["run"], records)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(error, file) from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BatchJournalError(f"cannot be read: {error}", place=str(file)) from None


def _refused(error: OSError, place: Path) -> BatchJournalError:
    where = os.fsdecode(error.filename) if error.filename else str(place)
    return BatchJournalError(error.strerror or str(error), place=where)
