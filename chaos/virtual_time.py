"""Virtual time: a clock that only timers move, and an asyncio loop that moves it.

Nothing but a due timer advances the clock: when the loop has nothing left to run, the earliest
timer fires and the clock jumps to its instant, so an hour of tool latency costs microseconds.
Milliseconds are integers, so that a hundred calls of 70 ms end at exactly 7000. Timers of one
instant fire in the order they were armed, and everything that one of them woke runs to its next
wait before the next one fires.

Real I/O and virtual time meet in one rule: while a store command is in flight (`VirtualClock.held`),
the loop waits for the socket and virtual time stands still.

Only public asyncio interfaces are used: a custom selector and an overridden `time()`.
"""

import asyncio
import contextvars
import heapq
import itertools
import math
import selectors
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from typing_extensions import override

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

EPOCH_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z, where every scenario begins
STALL_GRACE_S = 10.0  # real seconds without a sign of life before a wait counts as endless

_Result = TypeVar("_Result")


class StalledError(Exception):
    """Everything waits, no timer is armed, and no I/O arrived within the grace period."""


class TimerHandle(Protocol):
    """What `call_later_ms` returns."""

    def cancel(self) -> None:
        """Take the timer back; harmless after it fired."""


class _Timer:
    """One armed timer. Ordered by instant, then rank, then the order of arming.

    Its callback runs in the context that armed it, as with the timers of asyncio.
    """

    __slots__ = ("callback", "context", "key")

    def __init__(self, key: tuple[int, int, int], callback: Callable[[], object]) -> None:
        self.key = key
        self.context = contextvars.copy_context()
        self.callback: Callable[[], object] | None = callback

    def __lt__(self, other: "_Timer") -> bool:
        return self.key < other.key

    def cancel(self) -> None:
        """Take the timer back; it stays in the heap as an empty shell."""
        self.callback = None


class VirtualClock:
    """The four methods of `engine.clock.Clock`, on a timeline that only timers move."""

    def __init__(self, epoch_ms: int = EPOCH_MS) -> None:
        """Start at `epoch_ms` (milliseconds since 1970)."""
        self._epoch_ms = epoch_ms
        self._elapsed_ms = 0
        self._timers: list[_Timer] = []
        self._order = itertools.count()
        self._holds = 0

    @property
    def elapsed_ms(self) -> int:
        """Virtual milliseconds since the start; the `at_ms` of a trace."""
        return self._elapsed_ms

    @property
    def is_held(self) -> bool:
        """Whether real I/O is in flight, so that time stands still."""
        return self._holds > 0

    def now_ms(self) -> int:
        """Return the virtual time of day in milliseconds since 1970."""
        return self._epoch_ms + self._elapsed_ms

    def monotonic_ms(self) -> float:
        """Return virtual milliseconds since the start."""
        return float(self._elapsed_ms)

    async def sleep_ms(self, ms: float) -> None:
        """Wait for `ms` virtual milliseconds (rounded up to whole ones)."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        timer = self.call_later_ms(ms, wake)
        try:
            await woken
        finally:
            timer.cancel()

    def call_later_ms(
        self, ms: float, callback: Callable[[], object], *, before_others: bool = False
    ) -> TimerHandle:
        """Call `callback` in `ms` virtual milliseconds (rounded up to whole ones).

        `before_others` puts it ahead of every ordinary timer of the same instant, however early
        that was armed: a crash at an instant precedes all else that is due then.
        """
        due_ms = self._elapsed_ms + max(0, math.ceil(ms))
        timer = _Timer((due_ms, 0 if before_others else 1, next(self._order)), callback)
        heapq.heappush(self._timers, timer)
        return timer

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep time still: a command is on its way to a store and its reply is awaited."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1

    def fire_next(self, limit_ms: int | None = None) -> bool:
        """Jump to the next timer and fire it; with `limit_ms`, at most to that elapsed time.

        Returns:
            Whether the clock moved or a timer fired.
        """
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        if not self._timers or (limit_ms is not None and limit_ms < self._timers[0].key[0]):
            if limit_ms is None:
                return False
            self._elapsed_ms = max(self._elapsed_ms, limit_ms)
            return True
        timer = heapq.heappop(self._timers)
        self._elapsed_ms = max(self._elapsed_ms, timer.key[0])
        callback, timer.callback = timer.callback, None
        if callback is not None:
            timer.context.run(callback)
        return True


class _VirtualSelector(selectors.BaseSelector):
    """Stands between the loop and its real selector: where the loop would sleep, time moves."""

    def __init__(self, clock: VirtualClock, stall_grace_s: float) -> None:
        self._real = selectors.DefaultSelector()
        self._clock = clock
        self._stall_grace_s = stall_grace_s

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return self._real.select(0)
        if self._clock.is_held:
            return self._wait_for_io("a store did not answer")
        arrived = self._real.select(0)
        if arrived:
            return arrived
        # asyncio's own timers (asyncio.timeout, asyncio.sleep) live on the same timeline. The
        # rounding takes away what the float arithmetic of `when - time()` added. It must not take
        # away more than the loop itself forgives (a nanosecond): such a timer would never be due.
        limit_ms = None
        if timeout is not None:
            limit_ms = self._clock.elapsed_ms + math.ceil(round(timeout * 1000, 6))
        if self._clock.fire_next(limit_ms):
            return []
        return self._wait_for_io("every task waits for something that never comes")

    def _wait_for_io(self, complaint: str) -> list[tuple[selectors.SelectorKey, int]]:
        arrived = self._real.select(self._stall_grace_s)
        if not arrived:
            raise StalledError(f"{complaint} (waited {self._stall_grace_s:g} s)")
        return arrived

    @override
    def register(
        self, fileobj: "FileDescriptorLike", events: int, data: Any = None
    ) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    @override
    def unregister(self, fileobj: "FileDescriptorLike") -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    @override
    def modify(
        self, fileobj: "FileDescriptorLike", events: int, data: Any = None
    ) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    @override
    def get_map(self) -> "Mapping[FileDescriptorLike, selectors.SelectorKey]":
        return self._real.get_map()

    @override
    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` is a `VirtualClock`."""

    _is_whole = False

    def __init__(self, clock: VirtualClock, *, stall_grace_s: float = STALL_GRACE_S) -> None:
        """Run on `clock`; give up on an endless wait after `stall_grace_s` real seconds."""
        self._virtual_clock = clock
        super().__init__(_VirtualSelector(clock, stall_grace_s))
        self._is_whole = True

    @override
    def __del__(self) -> None:
        """Say nothing of a loop that an interrupt has left half made: asyncio would fail at it."""
        if self._is_whole:
            super().__del__()

    @override
    def time(self) -> float:
        return self._virtual_clock.elapsed_ms / 1000

    @override
    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for threads without a timeout: on this loop's timeline it would be over at once."""
        del timeout
        await super().shutdown_default_executor()


def run_virtual(
    main: Callable[[], Coroutine[Any, Any, _Result]],
    clock: VirtualClock,
    *,
    stall_grace_s: float = STALL_GRACE_S,
) -> _Result:
    """Run `main()` on a fresh loop in virtual time and close the loop.

    Raises:
        StalledError: the coroutine waits for something that never comes.
    """
    with asyncio.Runner(
        loop_factory=lambda: VirtualLoop(clock, stall_grace_s=stall_grace_s)
    ) as runner:
        return runner.run(main())
