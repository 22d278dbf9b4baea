"""Without these a process could see a time that another one has not had its say about."""

import asyncio

import pytest

from chaos.virtual_time import EPOCH_MS
from chaos.worlds.shared_clock import RealClock, SharedClock


def test_time_goes_to_whoever_is_due_first_and_only_when_nobody_works():
    async def scenario():
        clock, order = SharedClock(), []

        async def sleeper(name, *instants):
            clock.begin_work()
            for instant_ms in instants:
                await clock.sleep_until(instant_ms)
                order.append((name, clock.elapsed_ms))
            clock.end_work()

        clock.begin_work()
        tasks = [
            asyncio.ensure_future(sleeper("a", 10, 30)),
            asyncio.ensure_future(sleeper("b", 20, 30)),
        ]
        for _ in range(50):
            await asyncio.sleep(0)
        assert order == [], "somebody works, and time went on"
        with clock.waiting():
            await asyncio.gather(*tasks)
        assert order == [("a", 10), ("b", 20), ("a", 30), ("b", 30)]
        assert clock.now_ms() == EPOCH_MS + 30

    asyncio.run(scenario())


def test_a_past_instant_is_there_at_once():
    async def scenario():
        clock = SharedClock()
        clock.begin_work()
        await clock.sleep_until(0)
        assert clock.elapsed_ms == 0

    asyncio.run(scenario())


def test_whoever_gives_up_waiting_works_again():
    async def scenario():
        clock = SharedClock()
        clock.begin_work()
        clock.begin_work()
        waiting = asyncio.ensure_future(clock.sleep_until(5))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        clock.end_work()
        await clock.sleep_until(7)
        assert clock.elapsed_ms == 7

    asyncio.run(scenario())


def test_real_time_counts_from_the_epoch_of_histories():
    async def scenario():
        clock = RealClock()
        assert clock.now_ms() - clock.elapsed_ms == EPOCH_MS
        with clock.waiting():
            await clock.sleep_until(clock.elapsed_ms)
        clock.begin_work()
        clock.end_work()

    asyncio.run(scenario())
