"""Without these Docket would wait in real time, or a worker would sleep through a message."""

import asyncio
from datetime import UTC, datetime, timedelta

from docket import Docket, Worker

from chaos.virtual_time import EPOCH_MS, VirtualClock, run_virtual
from conformance.subjects.docket_time import virtual_docket

TEN_MINUTES_MS = 600_000


def _beside_a_worker(test):
    clock = VirtualClock()
    ran_at_ms = []

    async def work():
        ran_at_ms.append(clock.elapsed_ms)

    async def main():
        with virtual_docket(clock):
            async with Docket("time", url="memory://time") as docket:
                docket.register(work)
                async with Worker(
                    docket,
                    minimum_check_interval=timedelta(seconds=30),
                    scheduling_resolution=timedelta(seconds=30),
                ) as worker:
                    task = asyncio.get_running_loop().create_task(worker.run_forever())
                    await asyncio.sleep(60)
                    await test(docket, clock)
                    task.cancel()
                    await asyncio.wait([task])

    run_virtual(main, clock)
    return ran_at_ms


def test_ten_minutes_pass_in_virtual_time():
    async def test(docket, clock):
        due = datetime.fromtimestamp((EPOCH_MS + TEN_MINUTES_MS) / 1000, UTC)
        await docket.add("work", when=due)()
        await clock.sleep_ms(2 * TEN_MINUTES_MS)

    ran_at_ms = _beside_a_worker(test)
    assert len(ran_at_ms) == 1
    assert TEN_MINUTES_MS <= ran_at_ms[0] <= TEN_MINUTES_MS + 60_000


def test_a_message_wakes_a_worker_that_waits():
    async def test(docket, clock):
        await docket.add("work")()
        await clock.sleep_ms(1)

    assert _beside_a_worker(test) == [60_000]


def test_outside_of_it_docket_has_its_own_time():
    async def main():
        async with Docket("real", url="memory://real") as docket:
            execution = await docket.add("trace")("x")
            return execution.when

    assert abs(asyncio.run(main()) - datetime.now(UTC)) < timedelta(minutes=5)
