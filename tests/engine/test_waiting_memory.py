"""Without this a process could hold what waits, and die of ten thousand executions."""

import asyncio
import gc
import os
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine import SystemClock, ToolRegistry, ToolResult, WorkflowMachine, WorkflowSettings
from engine.redis_store import RedisStore
from engine.resume_worker import ResumeWorker
from engine.slice_runner import Slice, SliceEnd
from engine.store_url import open_store
from tests.conftest import RedisServer
from tests.engine.lab import plan_of, step

pytestmark = [pytest.mark.redis, pytest.mark.slow]
FEW, MANY = 1_000, 10_000
HOUR_MS = 3_600_000
SAMPLE = 100
AT_ONCE = 50
GROWTH_BYTES = 9_000 * 100
"""What 9,000 more executions may cost a process: a hundred bytes each would be their ids alone."""
RESIDENT_GROWTH_BYTES = 16 * 1_024 * 1_024
"""The same for its resident memory, which the allocator rounds; held states are some 60 MB."""

ASKING = plan_of(step("ask", tool="note", requires_confirmation=True))
LATE = plan_of(step("late", tool="flaky", retry_policy={"max_attempts": 2, "backoff_ms": HOUR_MS}))


class Shifted(SystemClock):
    """The machine's clock, some time later."""

    later_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.later_ms


def resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class World:
    def __init__(self, url: str) -> None:
        self.clock = Shifted()
        store = open_store(url, clock=self.clock)
        assert isinstance(store, RedisStore)
        self.store = store
        self.tools = ToolRegistry()
        self.tools.tool("note")(lambda: 1)
        self.tools.tool("flaky")(
            lambda call: ToolResult.failed("busy") if call.attempt == 1 else ToolResult.ok(1)
        )
        self.machines: Any = partial(
            WorkflowMachine,
            tools=self.tools,
            store=store,
            clock=self.clock,
            settings=WorkflowSettings(),
        )

    async def wait_in_store(self, numbers: range) -> None:
        """Let executions begin and yield: every tenth waits for an hour, the rest for a person."""

        async def begin(rest: Any) -> None:
            for number in rest:
                machine = self.machines(f"e{number}")
                machine.set_plan(ASKING if number % 10 else LATE)
                assert (await machine.execute()).is_partial

        rest = iter(numbers)
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(begin(rest))

    async def peak_of_a_worker(self, done: asyncio.Event | None = None, **options: Any) -> int:
        """Return the most memory that a worker needed: for a few rounds, or until `done`."""
        gc.collect()
        tracemalloc.start()
        one = ResumeWorker(
            self.store,
            self.machines,
            clock=self.clock,
            pause_ms=50,
            restore_interval_ms=1,
            **options,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(one.run())
            await (done.wait() if done else asyncio.sleep(1))
            one.stop()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    async def confirm(self, name: str) -> None:
        machine = self.machines(name)
        waiting = (await machine.get_state()).waiting_for
        await machine.confirm(waiting.step_id, waiting.token, approved=True)


def test_ten_thousand_waiting_executions_cost_a_process_nothing(
    redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: set[str] = set()
    confirmed = {f"e{number}" for number in range(MANY - 1, MANY - 1 - 10 * SAMPLE, -10)}
    enough = asyncio.Event()

    def note(done: Slice) -> None:
        assert done.end in (SliceEnd.ENDED, SliceEnd.YIELDED), done  # the latter as it stops
        ended.add(done.execution_id)
        if confirmed <= ended and len(ended) >= 2 * SAMPLE:
            enough.set()

    async def main() -> dict[str, int]:
        world = World(redis_server.url)
        await world.wait_in_store(range(FEW))
        figures = {"idle_few": await world.peak_of_a_worker(), "resident_few": resident_bytes()}
        await world.wait_in_store(range(FEW, MANY))
        figures |= {"idle_many": await world.peak_of_a_worker(), "resident_many": resident_bytes()}
        for name in confirmed:
            await world.confirm(name)
        world.clock.later_ms = HOUR_MS
        figures["busy_many"] = await world.peak_of_a_worker(enough, reported=note)
        states = [await world.machines(name).get_state() for name in ended]
        assert {str(state.status) for state in states} <= {"COMPLETED", "EXECUTING"}
        completed = [state for state in states if str(state.status) == "COMPLETED"]
        assert confirmed < {state.execution_id for state in completed}
        assert len(completed) >= 2 * SAMPLE
        await world.store.aclose()
        return figures

    figures = asyncio.run(main())
    with capsys.disabled():
        print(f"\n{MANY} waiting executions, bytes of a process: {figures}")
    assert figures["idle_many"] - figures["idle_few"] < GROWTH_BYTES, figures
    assert figures["resident_many"] - figures["resident_few"] < RESIDENT_GROWTH_BYTES, figures
    assert figures["busy_many"] - figures["idle_few"] < 4 * GROWTH_BYTES, figures
