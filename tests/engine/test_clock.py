"""Without these the engine could mistake seconds for milliseconds on the machine's clock."""

import asyncio
import time

from engine.clock import SystemClock


def test_the_wall_clock_counts_milliseconds_since_the_epoch() -> None:
    before = time.time() * 1_000
    assert before - 1 <= SystemClock().now_ms() <= time.time() * 1_000 + 1


def test_the_monotonic_clock_counts_milliseconds() -> None:
    clock, before = SystemClock(), time.perf_counter()
    first = clock.monotonic_ms()
    after = time.perf_counter()
    assert before * 1_000 <= first <= after * 1_000
    assert clock.monotonic_ms() >= first


def test_timers_are_armed_in_seconds_of_the_loop() -> None:
    async def main() -> None:
        loop, fired = asyncio.get_running_loop(), []
        handle = SystemClock().call_later_ms(60_000, lambda: fired.append(1))
        assert isinstance(handle, asyncio.TimerHandle)
        assert 59 < handle.when() - loop.time() <= 60
        handle.cancel()
        SystemClock().call_later_ms(0, lambda: fired.append(2))
        await SystemClock().sleep_ms(0)
        await SystemClock().sleep_ms(0)
        assert 1 not in fired

    asyncio.run(main())
