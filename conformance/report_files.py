"""Writing a report to a file: whole or not at all."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from conformance.errors import HarnessError, UsageError

PART = ".part"
"""How the file ends that a report is written into before it takes its place."""


def check_writable(path: Path | None) -> None:
    """Fail before a long run and not after it; None is standard output.

    Raises:
        UsageError: a file cannot be written there, and why.
    """
    if path is None or _is_stream(path):
        return
    folder = path.resolve().parent
    if path.is_dir():
        reason = "it is a folder"
    elif not folder.is_dir():
        reason = "its folder does not exist"
    elif not os.access(folder, os.W_OK):
        reason = "its folder is read-only, or not yours"
    else:
        return
    raise UsageError(f"cannot be written: {reason}", place=str(path))


def write_report(path: Path, text: str) -> None:
    """Write `text` to `path`, so that a reader sees the old file or the new one, never a part.

    A path that is no regular file (a pipe, `/dev/stdout`) is written as it is.

    Raises:
        HarnessError: the disk is full, or the file cannot be written for another reason.
    """
    write_whole(path, text.encode("utf-8", "backslashreplace"))


def write_whole(path: Path, data: bytes) -> None:
    """Write bytes as `write_report` writes text.

    Raises:
        HarnessError: as there.
    """
    with whole_file(path) as file:
        file.write(data)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write into; it takes the place of `path` at the end, if nothing was raised.

    Raises:
        HarnessError: as `write_report`.
    """
    try:
        if _is_stream(path):
            with path.open("wb") as stream:
                yield stream
        else:
            # What a link points to, not the link.
            with _replacement(Path(os.path.realpath(path))) as file:
                yield file
    except OSError as error:
        if error.filename not in {None, str(path)} and not str(error.filename).endswith(PART):
            raise  # it was not this file
        reason = error.strerror or "cannot be written"
        raise HarnessError(f"{reason}; no report was written", place=str(path)) from None


def _is_stream(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def _replacement(path: Path) -> Iterator[BinaryIO]:
    mode = _mode(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PART, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)  # noqa: PTH101 - a name, as mkstemp gave it
        os.replace(name, path)  # noqa: PTH105 - the same
    except BaseException:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - the same
        raise


def _mode(path: Path) -> int:
    """Return the mode of the file that is replaced, or the one that a new file gets."""
    with suppress(OSError):
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
