"""Replacing a file in one step: the new bytes are durable beside it before they take its place."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_MODE_BITS = 0o7777
_NEW_FILE_MODE = 0o644

# What this program keeps in a repository: journals, reports, the state of a batch.
STATE_FOLDER = ".planproof"


def temporary_of(path: Path) -> Path:
    """Return the one temporary file that `path` has, so that a killed run's is found again."""
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".planproof-{name}.tmp")


def stage(path: Path, data: bytes) -> Path:
    """Write `data` durably beside `path`, with its mode and owner; return the temporary file.

    Raises:
        OSError: the folder or the disk refuses it; the temporary file is gone then.
    """
    try:
        present = path.stat()
    except FileNotFoundError:
        present = None
    temporary = temporary_of(path)
    # What a killed run left there, or a link that somebody laid: removed, never written through.
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if present is not None:
                # Only root may give a file away; for anybody else the group is all that can differ.
                with contextlib.suppress(PermissionError):
                    os.fchown(file.fileno(), present.st_uid, present.st_gid)
            mode = _NEW_FILE_MODE if present is None else present.st_mode & _MODE_BITS
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def put(path: Path, data: bytes) -> None:
    """Give `path` these bytes: the old ones or the new ones are there at every moment.

    Raises:
        OSError: the folder or the disk refuses it.
    """
    temporary = stage(path, data)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folders([path.parent])


def sync_folders(folders: Iterable[Path]) -> None:
    """Make what was renamed in these folders survive a loss of power."""
    for folder in sorted(set(folders)):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_state_folder(folder: Path) -> None:
    """Make a folder for state that no version control takes up.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


@contextlib.contextmanager
def locked(folder: Path, name: str, *, waits: bool) -> Iterator[None]:
    """Hold the lock `name` of a state folder for this process.

    The system releases the lock of a process that dies.

    Raises:
        BlockingIOError: another process holds it, and this one does not wait.
        OSError: the lock file cannot be opened.
    """
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _NEW_FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
