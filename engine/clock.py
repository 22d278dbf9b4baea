"""Time is given from outside, so that a test owns it."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class TimerHandle(Protocol):
    """An armed timer."""

    def cancel(self) -> None:
        """Disarm the timer; harmless after it fired."""


class Clock(Protocol):
    """What the engine may know about time. All figures are milliseconds."""

    def now_ms(self) -> int:
        """Return the wall-clock time since the epoch."""

    def monotonic_ms(self) -> float:
        """Return a time that never goes back, for durations."""

    async def sleep_ms(self, duration_ms: float) -> None:
        """Wait."""

    def call_later_ms(self, delay_ms: float, callback: Callable[[], object]) -> TimerHandle:
        """Arm a timer now; `callback` runs once, `delay_ms` later, unless cancelled."""


class SystemClock:
    """The clock of the machine and its event loop."""

    def now_ms(self) -> int:
        """Return the wall-clock time since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        """Return a time that never goes back."""
        return time.perf_counter() * 1_000

    async def sleep_ms(self, duration_ms: float) -> None:
        """Wait on the running loop."""
        await asyncio.sleep(duration_ms / 1_000)  # noqa: TID251 - the one place that may

    def call_later_ms(self, delay_ms: float, callback: Callable[[], object]) -> TimerHandle:
        """Arm a timer of the running loop."""
        return asyncio.get_running_loop().call_later(delay_ms / 1_000, callback)
