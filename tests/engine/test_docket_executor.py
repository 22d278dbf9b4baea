"""Without these the adapter could send a slice twice, never, or to a worker that cannot run it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from docket import Docket, Worker

from engine import ToolRegistry, ToolResult, WorkflowExecutor, WorkflowMachine, WorkflowSettings
from engine.adapters import docket_executor
from engine.adapters.docket_executor import DocketExecutor, DocketResumeQueue
from engine.redis_store import RedisStore
from engine.slice_runner import SliceRunner
from engine.store import Store
from engine.store_url import open_store
from tests.engine.lab import WORKER, chain, plan_of, step

SOON_MS = 0
QUICK = {
    "minimum_check_interval": timedelta(milliseconds=5),
    "scheduling_resolution": timedelta(milliseconds=5),
}
OPTIONS = {"sweep_every_ms": 50, "overdue_ms": 100, "hide_ms": 1_000}
Test = Callable[[Docket, Store, ToolRegistry], Awaitable[None]]


def machines(
    store: Store, tools: ToolRegistry, settings: WorkflowSettings = WORKER
) -> Callable[[str], WorkflowMachine]:
    return partial(WorkflowMachine, tools=tools, store=store, settings=settings)


def run(test: Test, name: str, *, works: bool = True) -> list[str]:
    """Run a test beside a worker on an embedded Docket; return the calls of `work`."""
    calls: list[str] = []
    tools = ToolRegistry()
    tools.tool("work")(lambda call: calls.append(call.idempotency_key))

    async def main() -> None:
        store = open_store("memory://")
        async with Docket(name, url=f"memory://{name}") as docket:
            if not works:
                await test(docket, store, tools)
            else:
                await _beside_a_worker(test, docket, store, tools)
        await store.aclose()

    asyncio.run(main())
    return calls


async def _beside_a_worker(test: Test, docket: Docket, store: Store, tools: ToolRegistry) -> None:
    docket_executor.register(docket, SliceRunner(store, machines(store, tools)), **OPTIONS)
    async with Worker(docket, **QUICK) as worker:
        work = asyncio.create_task(worker.run_forever())
        try:
            await test(docket, store, tools)
        finally:
            work.cancel()
            await asyncio.wait([work])


def test_a_plan_is_carried_out_by_the_worker() -> None:
    async def test(docket: Docket, store: Store, tools: ToolRegistry) -> None:
        one = DocketExecutor("e", machines(store, tools), docket)
        assert isinstance(one, WorkflowExecutor)
        one.set_plan(chain(3))
        result = await one.execute()
        assert result.success and result.completed_steps == 3
        assert (await one.get_state()).completed_at_ms is not None

    assert run(test, "carried-out") == ["e:s0:0", "e:s1:0", "e:s2:0"]


def test_a_slice_that_is_due_later_is_carried_out_then() -> None:
    async def test(docket: Docket, store: Store, tools: ToolRegistry) -> None:
        attempts: list[int] = []

        @tools.tool()
        def flaky(call: Any) -> ToolResult:
            attempts.append(call.attempt)
            return ToolResult.failed("busy") if len(attempts) == 1 else ToolResult.ok()

        budget = WorkflowSettings(checkpoint_threshold_ms=100)
        docket_executor.register(docket, SliceRunner(store, machines(store, tools, budget)))
        one = DocketExecutor("e", machines(store, tools), docket)
        policy = {"max_attempts": 2, "backoff_ms": 300}
        one.set_plan(plan_of(step("flaky", retry_policy=policy)))
        assert (await one.execute()).success and attempts == [1, 2]
        names = [str(event.name) for event in await store.events("e")]
        assert names.count("WORKFLOW_YIELDED") == 1

    run(test, "later")


def test_a_lost_message_is_found_by_the_perpetual_sweep() -> None:
    async def test(docket: Docket, store: Store, tools: ToolRegistry) -> None:
        machine = machines(store, tools)("e")
        machine.set_plan(chain(2))
        await machine.submit()  # and no message
        one = DocketExecutor("e", machines(store, tools), docket)
        while (await one.get_state()).completed_at_ms is None:  # noqa: ASYNC110 - a real worker
            await asyncio.sleep(0.01)

    assert run(test, "lost") == ["e:s0:0", "e:s1:0"]


def test_one_slice_is_one_task_and_carries_only_the_id() -> None:
    async def test(docket: Docket, store: Store, tools: ToolRegistry) -> None:
        queue = DocketResumeQueue(docket)
        for _ in range(3):
            await queue.put("e", SOON_MS)
            await queue.put("e", 4_000_000_000_000)
            await queue.put("f", 4_000_000_000_000)
        found = await docket.snapshot()
        tasks = [*found.running, *found.future]
        assert sorted((task.key, task.args, task.kwargs) for task in tasks) == [
            ("e@0", ("e",), {}),
            ("e@4000000000000", ("e",), {}),
            ("f@4000000000000", ("f",), {}),
        ]

    run(test, "one-task", works=False)


def test_a_worker_that_has_not_registered_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def test(docket: Docket, store: Store, tools: ToolRegistry) -> None:
        await DocketResumeQueue(docket).put("e", SOON_MS)
        async with Worker(docket, **QUICK) as worker:
            await worker.run_until_finished()

    with caplog.at_level(logging.ERROR):
        run(test, "unregistered", works=False)
    assert "has not called docket_executor.register" in caplog.text


def test_a_queue_that_is_closed_loses_nothing() -> None:
    async def main() -> None:
        store = open_store("memory://")
        async with Docket("closed", url="memory://closed") as docket:
            one = DocketExecutor("e", machines(store, ToolRegistry()), docket, wait_ms=0)
        one.set_plan(chain(1))
        result = await one.execute()
        assert result.is_partial and isinstance(store, RedisStore)
        assert await store.due(10**15, 9) == ["e"]
        await store.aclose()

    asyncio.run(main())
