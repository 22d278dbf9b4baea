"""One virtual time for several processes: it moves when all of them wait, to whoever is due first.

A process that has nothing left to do but to wait for a timer asks the harness for that instant. When
nobody works any more, the earliest instant is granted. So a process never sees a time that another
one has not yet had its say about, and a case takes the same course each time.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from chaos.virtual_time import EPOCH_MS

SETTLE_ROUNDS = 6
"""Turns of the loop between the last sign of work and the next instant: a task that somebody has just
woken passes through at most half of them until it says that it works."""


class WorldClock(Protocol):
    """The time of a process world. All figures are milliseconds since its epoch."""

    @property
    def elapsed_ms(self) -> int:
        """Return the time on which the history runs."""

    def now_ms(self) -> int:
        """Return the time of day."""

    async def sleep_until(self, instant_ms: int) -> None:
        """Wait until `elapsed_ms` is at least this; the caller counts as working before and after."""

    def waiting(self) -> AbstractContextManager[None]:
        """Count the caller as waiting for somebody else meanwhile."""

    def begin_work(self) -> None:
        """Count one more who works."""

    def end_work(self) -> None:
        """Count one less."""


class SharedClock:
    """Virtual time. Needs a running loop."""

    def __init__(self) -> None:
        """Begin at zero, with nobody at work."""
        self._elapsed_ms = 0
        self._working = 0
        self._changes = 0
        self._order = itertools.count()
        self._waits: list[tuple[int, int, asyncio.Future[None]]] = []

    @property
    def elapsed_ms(self) -> int:
        """Return the virtual milliseconds since the start."""
        return self._elapsed_ms

    def now_ms(self) -> int:
        """Return the virtual time of day."""
        return EPOCH_MS + self._elapsed_ms

    async def sleep_until(self, instant_ms: int) -> None:
        """Wait for an instant, and be at work again when it has come."""
        if instant_ms <= self._elapsed_ms:
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waits, (instant_ms, next(self._order), granted))
        self.end_work()
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.done() or granted.cancelled():
                self.begin_work()
            raise

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the caller as waiting for somebody else meanwhile."""
        self.end_work()
        try:
            yield
        finally:
            self.begin_work()

    def begin_work(self) -> None:
        """Count one more who works."""
        self._working += 1
        self._changes += 1

    def end_work(self) -> None:
        """Count one less; the last one lets time go on."""
        self._working -= 1
        self._changes += 1
        if self._working == 0:
            self._settle(self._changes, SETTLE_ROUNDS)

    def _settle(self, changes: int, rounds: int) -> None:
        if self._working or self._changes != changes:
            return
        if rounds:
            asyncio.get_running_loop().call_soon(self._settle, changes, rounds - 1)
            return
        while self._waits:
            instant_ms, _, granted = heapq.heappop(self._waits)
            if granted.done():
                continue
            self._elapsed_ms = max(self._elapsed_ms, instant_ms)
            self.begin_work()
            granted.set_result(None)
            return


class RealClock:
    """The time of this machine, for cases in which the server's clock decides."""

    @property
    def elapsed_ms(self) -> int:
        """Return the milliseconds since the epoch of all histories."""
        return self.now_ms() - EPOCH_MS

    def now_ms(self) -> int:
        """Return the time of day."""
        return time.time_ns() // 1_000_000

    async def sleep_until(self, instant_ms: int) -> None:
        """Wait."""
        await asyncio.sleep(max(0, instant_ms - self.elapsed_ms) / 1_000)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Do nothing: this time waits for nobody."""
        yield

    def begin_work(self) -> None:
        """Do nothing."""

    def end_work(self) -> None:
        """Do nothing."""
