"""Reading files and the byte test that keeps 99 of 100 of them away from any parser."""

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

# One read of this size covers nearly every source file; a longer file takes further reads.
CHUNK_BYTES = 1 << 16

# The marks that UTF-16 text begins with.
UTF_16 = frozenset({b"\xff\xfe", b"\xfe\xff"})

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Absence(StrEnum):
    """Why a listed file has no bytes to examine and needs none."""

    GONE = "deleted in the work tree"
    SUBMODULE = "submodule"
    LINK = "link to an examined file"
    LINKED_FOLDER = "linked folder"
    LINK_LOOP = "link to itself"
    SPECIAL = "no regular file"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that exists and could not be read."""

    reason: str


def read(path: str, base: str) -> bytes | Absence | Unreadable:
    """Return the bytes of a file; a symbolic link is followed only to outside of `base`."""
    try:
        return _read(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return _read_link(path, base)
        return _absence(error)


def _absence(error: OSError) -> Absence | Unreadable:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return Absence.GONE
    if error.errno == errno.EISDIR:
        return Absence.SUBMODULE
    if error.errno == errno.ELOOP:
        return Absence.LINK_LOOP
    if error.errno in {errno.ENXIO, errno.ENODEV}:
        return Absence.SPECIAL
    return Unreadable(error.strerror or str(error))


def _read(path: str, flags: int) -> bytes:
    descriptor = os.open(path, flags)
    try:
        data = os.read(descriptor, CHUNK_BYTES)
        if len(data) < CHUNK_BYTES:
            return data
        parts = [data]
        while data := os.read(descriptor, CHUNK_BYTES * 16):
            parts.append(data)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _read_link(path: str, base: str) -> bytes | Absence | Unreadable:
    target = os.path.realpath(path)
    if target.startswith(base.rstrip("/") + "/") and not os.path.islink(target):  # noqa: PTH114 - plain strings throughout
        return Absence.LINKED_FOLDER if os.path.isdir(target) else _present(target)  # noqa: PTH112
    try:
        mode = os.stat(target).st_mode  # noqa: PTH116
        if stat.S_ISDIR(mode):
            return Absence.LINKED_FOLDER
        return _read(target, _FLAGS) if stat.S_ISREG(mode) else Absence.SPECIAL
    except OSError as error:
        return _absence(error)


def _present(target: str) -> Absence:
    return Absence.LINK if os.path.exists(target) else Absence.GONE  # noqa: PTH110


def contains_any(data: bytes, needles: Iterable[bytes]) -> bool:
    """Say whether one of the words stands anywhere in the bytes, also in UTF-16 text."""
    for needle in needles:
        if needle in data:
            return True
    return data[:2] in UTF_16 and _contains_utf16(data, needles)


def _contains_utf16(data: bytes, needles: Iterable[bytes]) -> bool:
    text = data.decode("utf-16", "replace")
    return any(needle.decode() in text for needle in needles)
