"""What the harness knows of one worker process, and does to it from outside."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from typing import Any

from chaos.faults.connection import Passage
from chaos.worlds import framing
from chaos.worlds.keeping import Forked


class WorkerHandle:
    """One process.

    Attributes:
        changed: set when the process is gone, and when it is stopped.
        thawed: set when a stopped one may go on.
        thaws_in: operations of the next life before a stopped one goes on.
        outstanding: operations that were let through and have not been answered.
        ended_how: what it said about its end; None: nothing, it was killed.
    """

    def __init__(self, number: int, forked: Forked) -> None:
        """Know the process that was forked for the life of this number."""
        self.number = number
        self.pid = forked.pid
        self._channel = forked.channel
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.changed = asyncio.Event()
        self.thawed = asyncio.Event()
        self.thaws_in: int | None = None
        self.is_stopped = False
        self.outstanding: list[Passage] = []
        self.seen: Counter[str] = Counter()
        self.ended_how: str | None = None
        self.task: asyncio.Task[None] | None = None
        self._killing: asyncio.TimerHandle | None = None
        self._is_gone = False

    async def connect(self) -> None:
        """Open the channel to it."""
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._channel)

    async def receive(self) -> Any:
        """Return what it asks next.

        Raises:
            chaos.worlds.framing.PeerGoneError: it is gone.
        """
        if self._reader is None:
            raise framing.PeerGoneError("never connected")
        return await framing.receive_later(self._reader)

    def reply(self, answer: Any) -> None:
        """Answer it."""
        if self._writer is not None:
            framing.write(self._writer, answer)

    def forget(self, passage: Passage) -> None:
        """Count an operation as answered."""
        self.outstanding = [
            one for one in self.outstanding if (one.site, one.nth) != (passage.site, passage.nth)
        ]

    def stop(self) -> None:
        """Stop it, with SIGSTOP."""
        self.is_stopped = True
        self.thawed.clear()
        os.kill(self.pid, signal.SIGSTOP)
        self.changed.set()

    def thaw(self) -> None:
        """Let it go on, with SIGCONT."""
        self.is_stopped = False
        self.changed.clear()
        os.kill(self.pid, signal.SIGCONT)
        self.thawed.set()

    def kill(self) -> None:
        """Kill it, wherever it is."""
        if not self._is_gone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.thawed.set()

    def kill_later(self, delay_s: float) -> None:
        """Kill it after a while."""
        self._killing = asyncio.get_running_loop().call_later(delay_s, self.kill)

    def close(self) -> None:
        """Close the channel to a process that is gone."""
        self._is_gone = True
        if self._killing is not None:
            self._killing.cancel()
        if self._writer is not None:
            self._writer.close()
