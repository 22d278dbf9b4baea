"""What a contender sends to its store, and what it uses of the machine."""

import contextlib
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.engine.contenders import Counting


@dataclass(slots=True)
class Sent:
    """What went to the store. `round_trips`: None where nobody sees them."""

    sent_bytes: int = 0
    round_trips: int | None = 0


@contextlib.contextmanager
def counted(counting: Counting, url: str) -> Iterator[Sent]:
    """Count what the body sends; the figures are there when it has ended."""
    sent = Sent()
    if counting == "connection":
        with _at_connections(sent):
            yield sent
    elif counting == "server":
        before = _received_bytes(url)
        asked = _received_bytes(url)  # what asking costs is taken off
        yield sent
        sent.sent_bytes = _received_bytes(url) - asked - (asked - before)
        sent.round_trips = None
    else:
        before_bytes = _written_bytes()
        yield sent
        sent.sent_bytes = _written_bytes() - before_bytes
        sent.round_trips = None


@contextlib.contextmanager
def _at_connections(sent: Sent) -> Iterator[None]:
    """Count at redis-py's connections, asynchronous and not: each packed command, however long."""
    from redis import asyncio as asynchronous  # noqa: PLC0415 - only where it is used
    from redis import connection as synchronous  # noqa: PLC0415 - only where it is used

    kinds: tuple[Any, ...] = (
        asynchronous.connection.AbstractConnection,
        synchronous.AbstractConnection,
    )
    originals = [kind.send_packed_command for kind in kinds]

    def note(command: Any) -> None:
        parts = [command] if isinstance(command, bytes | str) else command
        sent.sent_bytes += sum(map(len, parts))
        sent.round_trips = (sent.round_trips or 0) + 1

    def wrapped(original: Any) -> Any:
        def send(self: Any, command: Any, *args: Any, **options: Any) -> Any:
            if not isinstance(command, bytes | str):
                command = list(command)
            note(command)
            return original(self, command, *args, **options)

        return send

    for kind, original in zip(kinds, originals, strict=True):
        kind.send_packed_command = wrapped(original)
    try:
        yield
    finally:
        for kind, original in zip(kinds, originals, strict=True):
            kind.send_packed_command = original


def _received_bytes(url: str) -> int:
    """Return the bytes that the server has received from all clients."""
    from redis import Redis  # noqa: PLC0415 - only where it is used

    with Redis.from_url(url) as client:
        stats: Any = client.info("stats")
    return int(stats["total_net_input_bytes"])


def _written_bytes() -> int:
    """Return what this process has handed to the system's write calls."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def cpu_s(pids: Sequence[int]) -> float:
    """Return the processor time of this process and those at `pids`, in seconds."""
    others = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        others += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return time.process_time() + others


def peak_mb(pids: Sequence[int]) -> float:
    """Return the peak memory of this process and those at `pids`, in megabytes."""
    if not Path("/proc/self/status").exists():
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    total_kb = 0
    for pid in ("self", *pids):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        total_kb += next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return total_kb / 1024
