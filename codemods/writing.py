"""Writing groups of files, each all or nothing, and completing or taking back the last run.

Groups are independent: one that cannot be written costs the others nothing. A journal with every
file's bytes is durable before the first file changes, so a run that was killed can be completed
(`resume`) or taken back (`undo`).
"""

import difflib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codemods.errors import CodemodError
from codemods.journal import (
    JOURNAL,
    WRITING,
    Entry,
    Journal,
    close_journal,
    read_journal,
    remove_journal,
    write_journal,
)
from codemods.migration import Change
from codemods.staging import (
    STATE_FOLDER,
    locked,
    make_state_folder,
    put,
    stage,
    sync_folders,
    temporary_of,
)

_WRITABLE = 0o222
_LOCK = "writing.lock"


class WriteError(CodemodError):
    """A run could not be written or taken back; every group is whole, or the journal says so."""

    code = "CODEMOD_WRITE"


class NoRunError(WriteError):
    """There is no run to take back."""

    code = "CODEMOD_NO_RUN"


@dataclass(frozen=True, slots=True)
class Completed:
    """A killed run that was completed: its name, what it wrote, what it could not, its summary."""

    run: str
    written: tuple[str, ...]
    faults: Mapping[str, str]
    summary: Mapping[str, Any]


def write_groups(
    root: Path,
    changes: Sequence[Change],
    *,
    run: str = "",
    summary: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Write every group all or nothing; return why files were not written, by their shown path.

    Args:
        root: the folder that the journal belongs to; every change is below it.
        changes: what to write.
        run: what the run calls itself; runs of one name are taken back together.
        summary: what `resume` gives back if this run is killed.

    Raises:
        WriteError: an earlier run was interrupted, or a group is neither written nor put back.
        JournalError: there is no journal, so nothing was written.
    """
    if not changes:
        return {}
    with _held(root):
        if read_journal(root, WRITING) is not None:
            raise _interrupted(root)
        entries = tuple(
            Entry(os.path.relpath(item.path, root), item.group, item.before, item.after)
            for item in changes
        )
        journal = Journal(run, entries, summary or {})
        write_journal(root, WRITING, journal.follows(read_journal(root, JOURNAL)))
        faults = _write_all(changes)
        bad = {
            entry.path for entry, item in zip(entries, changes, strict=True) if item.shown in faults
        }
        _finish(root, bad)
        return faults


def interrupted(root: Path) -> Journal | None:
    """Return the journal of a run that was killed while it wrote; None if there is none.

    Raises:
        JournalError: it cannot be read.
    """
    return read_journal(root, WRITING)


def demand_finished(root: Path) -> None:
    """Refuse a tree in which a run was killed while it wrote.

    Raises:
        WriteError: it was.
        JournalError: the journal cannot be read.
    """
    if interrupted(root) is not None:
        raise _interrupted(root)


def _interrupted(root: Path) -> WriteError:
    return WriteError(
        "an earlier run was interrupted",
        place=str(root / WRITING),
        advice="complete it with --resume or take it back with --undo",
    )


def resume(root: Path) -> Completed | None:
    """Complete a run that was killed while it wrote; None if there is none.

    A group in which a file has been changed since is put back, as far as the run had written it.

    Raises:
        WriteError: a group is neither written nor put back.
        JournalError: the journal cannot be read or closed.
    """
    if interrupted(root) is None:
        return None
    with _held(root):
        journal = read_journal(root, WRITING)
        if journal is None:
            return None
        changes = [
            Change(str(root / item.path), item.path, item.before, item.after, (), group=item.group)
            for item in journal.entries
        ]
        for change in changes:
            temporary_of(Path(change.path)).unlink(missing_ok=True)
        faults = _write_all(changes, is_resumed=True)
        _finish(root, set(faults))
        written = tuple(item.shown for item in changes if item.shown not in faults)
        return Completed(journal.run, written, faults, journal.summary)


def written_by(root: Path, run: str) -> set[str]:
    """Return the files that stand as a run of this name has left them; none without a name.

    Raises:
        JournalError: the journal cannot be read.
    """
    journal = read_journal(root, JOURNAL) if run else None
    if journal is None or journal.run != run:
        return set()
    paths = ((root / entry.path, entry.after) for entry in journal.entries)
    return {str(path) for path, after in paths if _bytes_of(path) == after}


def undo(root: Path, *, run: str | None = None) -> list[str]:
    """Give every file of the last run its earlier bytes; return their paths.

    Args:
        root: the folder of the journal.
        run: take back a run of this name only.

    Raises:
        NoRunError: there is no run to undo.
        WriteError: a file has been changed after it; nothing was touched then.
        JournalError: the journal cannot be read.
    """
    absent = NoRunError("there is no run to undo", place=str(root / JOURNAL))
    if not (root / STATE_FOLDER).is_dir():
        raise absent
    with _held(root):
        name = WRITING if read_journal(root, WRITING) is not None else JOURNAL
        journal = read_journal(root, name)
        if journal is None or (run is not None and journal.run != run):
            raise absent
        pending: list[tuple[Path, bytes]] = []
        for entry in journal.entries:
            path = root / entry.path
            temporary_of(path).unlink(missing_ok=True)
            current = _bytes_of(path)
            if current == entry.before:
                continue
            if current != entry.after:
                raise WriteError("has been changed since the run", place=str(path))
            pending.append((path, entry.before))
        for path, before in pending:
            put(path, before)
        earlier = read_journal(root, JOURNAL)
        if name == WRITING and earlier is not None and journal.run and earlier.run == journal.run:
            remove_journal(root, JOURNAL)  # its files were part of the same run
        remove_journal(root, name)
    return [str(path) for path, _ in pending]


@contextmanager
def _held(root: Path) -> Iterator[None]:
    folder = root / STATE_FOLDER
    try:
        make_state_folder(folder)
        with locked(folder, _LOCK, waits=True):
            yield
    except OSError as error:
        place = os.fsdecode(error.filename) if error.filename else str(folder)
        raise WriteError(error.strerror or str(error), place=place) from None


def _finish(root: Path, bad: set[str]) -> None:
    """Close the journal, without the files that were not written."""
    if not bad:
        close_journal(root)
        return
    journal, earlier = read_journal(root, WRITING), read_journal(root, JOURNAL)
    if journal is not None:
        left = [entry for entry in journal.entries if entry.path not in bad]
        if earlier is not None and journal.run and earlier.run == journal.run:
            left += [entry for entry in earlier.entries if entry.path in bad]
        if left:
            write_journal(root, JOURNAL, replace(journal, entries=tuple(left)))
    remove_journal(root, WRITING)


def _write_all(changes: Sequence[Change], *, is_resumed: bool = False) -> dict[str, str]:
    groups: dict[int, list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.group].append(change)
    faults: dict[str, str] = {}
    for members in groups.values():
        written = [item for item in members if is_resumed and _is_written(item)]
        fault = _write_group([item for item in members if item not in written], written)
        if fault:
            faults |= {change.shown: fault for change in members}
    return faults


def _write_group(changes: Sequence[Change], written: list[Change]) -> str:
    """Write what is left of one group; return why none of it is written, empty if all is."""
    staged: list[tuple[Change, Path]] = []
    try:
        for change in changes:
            _demand_unchanged(change)
            staged.append((change, _staged(change)))
        for change, temporary in staged:
            _demand_unchanged(change)
            temporary.replace(change.path)
            written.append(change)
        sync_folders(Path(change.path).parent for change in changes)
    except (OSError, WriteError) as error:
        _put_back(written)
        return _described(error)
    finally:
        for _, temporary in staged:
            temporary.unlink(missing_ok=True)
    return ""


def _is_written(change: Change) -> bool:
    path = Path(change.path)
    return not path.is_symlink() and _bytes_of(path) == change.after


def _staged(change: Change) -> Path:
    path = Path(change.path)
    # Root may write anywhere; whoever took the right away meant it for root, too.
    if not path.stat().st_mode & _WRITABLE:
        raise WriteError("the file is read-only", place=change.shown)
    if not path.parent.stat().st_mode & _WRITABLE:
        raise WriteError("the folder is read-only", place=change.shown)
    return stage(path, change.after)


def _demand_unchanged(change: Change) -> None:
    if Path(change.path).is_symlink():
        raise WriteError("a symbolic link is not written", place=change.shown)
    if _bytes_of(Path(change.path)) != change.before:
        raise WriteError("has changed since it was read", place=change.shown)


def _put_back(changes: Sequence[Change]) -> None:
    for change in changes:
        try:
            if _bytes_of(Path(change.path)) == change.after:
                put(Path(change.path), change.before)
        except OSError as error:
            raise WriteError(
                f"could not be put back: {error.strerror or error}",
                place=change.shown,
                advice="make room, then complete the run with --resume or take it back with --undo",
            ) from None


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _described(error: OSError | WriteError) -> str:
    if isinstance(error, WriteError):
        return f"{error.place}: {error.message}"
    place = f"{os.fsdecode(error.filename)}: " if error.filename else ""
    return f"{place}{error.strerror or error}"


def patch_of(changes: Sequence[Change]) -> bytes:
    """Return the changes as a patch that `git apply` takes."""
    lines: list[bytes] = []
    for change in changes:
        name = os.fsencode(change.shown)
        diff = difflib.diff_bytes(
            difflib.unified_diff,
            _lines(change.before),
            _lines(change.after),
            b"a/" + name,
            b"b/" + name,
        )
        for line in diff:
            lines.append(line)
            if not line.endswith(b"\n"):
                lines.append(b"\n\\ No newline at end of file\n")
    return b"".join(lines)


def _lines(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
