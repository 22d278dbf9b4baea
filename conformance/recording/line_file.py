"""A file of JSON lines that several processes append to: a line is there whole or not at all."""

import fcntl
import json
import logging
import os
from pathlib import Path
from typing import Any

_LOG = logging.getLogger("planproof.recording")


class LineFile:
    """Appends lines. What cannot be written is logged and counted; the caller's work goes on.

    Attributes:
        path: the file; it is made, readable by its owner alone.
        lost: lines that could not be written.
    """

    def __init__(self, path: str | Path) -> None:
        """Name the file; it is opened for each line, so that it may be moved away."""
        self.path = Path(path)
        self.lost = 0

    def append(self, document: dict[str, Any]) -> bool:
        """Append one line, and say whether it is there."""
        try:
            text = json.dumps(document, separators=(",", ":"), allow_nan=False)
            self._write(text.encode() + b"\n")
        except (OSError, ValueError, TypeError) as error:
            self.lost += 1
            _LOG.warning("%s: a line was not recorded: %s", self.path, error)
            return False
        return True

    def _write(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            written = 0
            try:
                while written < len(line):
                    written += os.write(descriptor, line[written:])
            except OSError:
                if written:
                    os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
