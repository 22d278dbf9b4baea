"""Virtual time moves only by timers, keeps their order, and stands still during real I/O."""

import asyncio
import gc
import math
import socket
import sys
import threading

import pytest

from chaos import virtual_time
from chaos.virtual_time import EPOCH_MS, StalledError, VirtualClock, run_virtual


def _run(main, clock=None, **options):
    clock = clock or VirtualClock()
    return run_virtual(lambda: main(clock), clock, **options)


def test_a_hundred_times_seventy_is_seven_thousand():
    async def main(clock):
        for _ in range(100):
            await clock.sleep_ms(70)
        return clock.elapsed_ms, clock.monotonic_ms(), clock.now_ms()

    assert _run(main) == (7000, 7000.0, EPOCH_MS + 7000)


def test_asyncio_timers_live_on_the_same_timeline():
    async def main(clock):
        for _ in range(100):
            await asyncio.sleep(0.07)
        seen = [clock.elapsed_ms]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await clock.sleep_ms(1000)
        seen.append(clock.elapsed_ms)
        async with asyncio.timeout(10):
            await clock.sleep_ms(100)
        return [*seen, clock.elapsed_ms]

    assert _run(main) == [7000, 7500, 7600]


def test_timers_of_one_instant_fire_as_they_were_armed_and_each_runs_to_its_next_wait():
    async def main(clock):
        seen = []

        async def sleeper(name):
            await clock.sleep_ms(10)
            seen.append(name)
            await asyncio.sleep(0)
            seen.append(name.upper())

        await asyncio.gather(*(sleeper(name) for name in "abc"))
        return "".join(seen)

    assert _run(main) == "aAbBcC"


def test_before_others_precedes_whatever_was_armed_earlier():
    async def main(clock):
        seen = []
        clock.call_later_ms(10, lambda: seen.append("early"))
        clock.call_later_ms(10, lambda: seen.append("crash"), before_others=True)
        clock.call_later_ms(9, lambda: seen.append("nine"))
        await clock.sleep_ms(11)
        return seen

    assert _run(main) == ["nine", "crash", "early"]


def test_a_cancelled_timer_neither_fires_nor_moves_the_clock():
    async def main(clock):
        seen = []
        handle = clock.call_later_ms(5, lambda: seen.append("cancelled"))
        handle.cancel()
        handle.cancel()
        await clock.sleep_ms(3)
        sleeper = asyncio.ensure_future(clock.sleep_ms(1000))
        await asyncio.sleep(0)
        sleeper.cancel()
        await asyncio.gather(sleeper, return_exceptions=True)
        await clock.sleep_ms(4)
        return seen, clock.elapsed_ms

    assert _run(main) == ([], 7)


@pytest.mark.parametrize(("ms", "elapsed"), [(0, 0), (-5, 0), (0.2, 1), (1.0, 1), (1.5, 2)])
def test_fractions_are_rounded_up(ms, elapsed):
    async def main(clock):
        await clock.sleep_ms(ms)
        return clock.elapsed_ms

    assert _run(main) == elapsed


def test_time_stands_still_while_a_command_is_in_flight():
    async def main(clock):
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        clock.call_later_ms(1, lambda: None)
        threading.Timer(0.05, theirs.sendall, [b"reply\n"]).start()
        with clock.held():
            assert clock.is_held
            line = await reader.readline()
            during = clock.elapsed_ms
        writer.close()
        await writer.wait_closed()
        theirs.close()
        await clock.sleep_ms(5)
        return line, during, clock.is_held

    assert _run(main) == (b"reply\n", 0, False)


def test_arrived_io_goes_before_the_next_timer():
    async def main(clock):
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        theirs.sendall(b"now\n")
        timer = asyncio.ensure_future(clock.sleep_ms(1))
        await reader.readline()
        elapsed = clock.elapsed_ms
        await timer
        writer.close()
        await writer.wait_closed()
        theirs.close()
        return elapsed

    assert _run(main) == 0


def test_other_threads_are_waited_for_when_nothing_is_due():
    async def main(_):
        return await asyncio.to_thread(lambda: 42)

    assert _run(main) == 42


@pytest.mark.parametrize("held", [False, True])
def test_an_endless_wait_is_an_error(held):
    async def main(clock):
        if not held:
            await asyncio.get_running_loop().create_future()
        clock.call_later_ms(1, lambda: None)
        with clock.held():
            await asyncio.get_running_loop().create_future()

    with pytest.raises(StalledError, match="store" if held else "never comes"):
        _run(main, stall_grace_s=0.01)


def test_a_long_run_needs_no_real_time():
    async def main(clock):
        for _ in range(50):
            await clock.sleep_ms(3_600_000)
        return clock.elapsed_ms

    assert _run(main, stall_grace_s=0.0) == 50 * 3_600_000


@pytest.mark.parametrize("delay_s", [0.001_000_3, 0.000_000_02, 0.007_000_499])
def test_a_pause_of_a_crooked_length_ends(delay_s: float) -> None:
    """A pause drawn at random must not leave a rest of time in which no timer is ever due."""
    clock = VirtualClock()

    async def main() -> int:
        await asyncio.wait_for(asyncio.sleep(delay_s), 5)
        return clock.elapsed_ms

    assert run_virtual(main, clock) == math.ceil(delay_s * 1_000)


def test_an_interrupt_while_the_loop_is_made_is_all_that_is_heard(monkeypatch):
    said = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)

    def interrupted(*_):
        raise KeyboardInterrupt

    async def main(_clock):
        raise AssertionError

    monkeypatch.setattr(virtual_time, "_VirtualSelector", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _run(main)
    gc.collect()
    assert said == []
