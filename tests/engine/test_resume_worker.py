"""Without these a worker could lose an execution, stop at a bad one, or not stop when told."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from engine import Event, ToolResult, WorkflowMachine, WorkflowSettings
from engine.limits import MAX_STORE_BACKOFF_MS, WORKER_PAUSE_MS
from engine.resume_worker import ResumeWorker
from engine.slice_runner import Slice
from engine.states import is_terminal
from tests.engine.lab import WORKER, Client, Killed, Lab, Script, chain, plan_of, step

LEASE_MS = 3_000
SHORT = WORKER.model_copy(update={"lease_ms": LEASE_MS})
NAMES = [f"e{at}" for at in range(30)]


def worker(lab: Lab, client: Client | None = None, **options: Any) -> ResumeWorker:
    store = lab.store(client)
    settings = options.pop("settings", WORKER)
    machines = options.pop("machines", None) or partial(
        WorkflowMachine, tools=lab.tools, store=store, clock=lab.clock, settings=settings
    )
    options.setdefault("concurrency", 4)
    return ResumeWorker(store, machines, clock=lab.clock, **options)


async def submit(lab: Lab, *names: str, length: int = 2) -> None:
    for name in names:
        await lab.machine(chain(length), execution_id=name).submit()


async def status(lab: Lab, name: str) -> str:
    return str((await lab.machine(execution_id=name).get_state()).status)


async def until_ended(lab: Lab, *names: str) -> None:
    while True:
        states = [await lab.machine(execution_id=name).get_state() for name in names]
        if all(is_terminal(state.status) for state in states):
            return
        await lab.clock.sleep_ms(100)


async def with_workers(
    workers: list[ResumeWorker], body: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Run the body beside the workers, then stop them."""
    async with asyncio.TaskGroup() as group:
        for one in workers:
            group.create_task(one.run())
        await body()
        for one in workers:
            one.stop()


@pytest.mark.parametrize("workers", [1, 3])
def test_everything_due_is_done_once_and_never_more_than_allowed_at_a_time(workers: int) -> None:
    lab, slices = Lab(), list[Slice]()

    async def main() -> None:
        await submit(lab, *NAMES)
        several = [worker(lab, reported=slices.append) for _ in range(workers)]
        await with_workers(several, lambda: until_ended(lab, *NAMES))

    lab.run(main)
    assert sorted(call.idempotency_key for call in lab.tools.calls) == sorted(
        f"{name}:s{at}:0" for name in NAMES for at in range(2)
    )
    assert 1 < lab.tools.widest <= 4 * workers
    assert [done.end for done in slices] == ["ended"] * len(NAMES)


def test_submitted_executions_tell_the_same_events_as_executed_ones() -> None:
    lab, other = Lab(), Lab()

    async def main() -> None:
        await submit(lab, "e")
        await submit(lab, "e")  # harmless
        await with_workers([worker(lab)], lambda: until_ended(lab, "e"))
        names = [event.name for event in await lab.store().events("e")]
        assert names == [event.name for event in other.events]

    other.run(lambda: other.machine(chain(2), settings=WORKER).execute())
    lab.run(main)


def test_what_is_due_later_is_resumed_then() -> None:
    lab = Lab()
    lab.tools.scripts["flaky"] = Script(answers=[ToolResult.failed("busy"), ToolResult.ok(1)])
    policy = {"max_attempts": 2, "backoff_ms": 10_000}

    async def main() -> None:
        plan = plan_of(step("flaky", retry_policy=policy))
        await lab.machine(plan, execution_id="e").submit()
        one = worker(lab, settings=WorkflowSettings())
        await with_workers([one], lambda: until_ended(lab, "e"))

    lab.run(main)
    late_ms = lab.tools.started_ms[1] - 10_000
    assert 0 <= late_ms <= 2 * WORKER_PAUSE_MS


def test_a_poisoned_execution_stops_nobody_and_is_heard_of() -> None:
    lab, told = Lab(), list[Event]()

    async def main() -> None:
        client = lab.client()
        await submit(lab, "bad", *NAMES)
        head = lab.store(client)._keys("bad")[0]
        await client.hset(head, "schema", "99")
        one = worker(lab, client, concurrency=1, listeners=[told.append])
        await with_workers([one], lambda: until_ended(lab, *NAMES))
        assert await client.hget(head, "schema") == b"99"

    lab.run(main)
    assert {event.execution_id for event in told} == {"bad"}
    assert lab.tools.count("work") == 2 * len(NAMES)


def test_a_queue_that_cannot_be_read_stops_no_other() -> None:
    lab = Lab()

    async def main() -> None:
        client = lab.client()
        store = lab.store(client)
        shards = {store._shard(name) for name in NAMES}
        free = next(shard for shard in range(16) if shard not in shards)
        await client.set(store._due_key(free), "text")
        await submit(lab, *NAMES)
        await with_workers([worker(lab)], lambda: until_ended(lab, *NAMES))

    names_used = {Lab().store()._shard(name) for name in NAMES}
    if len(names_used) == 16:
        del NAMES[8:]
    lab.run(main)


def test_a_store_that_goes_away_is_waited_for() -> None:
    lab = Lab()

    async def main() -> None:
        client = lab.client()
        await submit(lab, *NAMES)
        one = worker(lab, client)
        away = len(client.commands)

        async def body() -> None:
            await lab.clock.sleep_ms(15)
            client.fail_at = frozenset(range(away, 10**6))
            await lab.clock.sleep_ms(60_000)
            tries = len(client.commands)
            await lab.clock.sleep_ms(60_000)
            assert 0 < len(client.commands) - tries < 3 * 120_000 / MAX_STORE_BACKOFF_MS
            client.fail_at = frozenset()
            await until_ended(lab, *NAMES)

        await with_workers([one], body)

    lab.run(main)
    assert len({call.idempotency_key for call in lab.tools.calls}) == 2 * len(NAMES)


def test_a_stopped_worker_lets_its_segments_yield_and_another_goes_on() -> None:
    lab, slices = Lab(), list[Slice]()
    lab.tools.scripts["work"] = Script(latency_ms=1_000)

    async def main() -> None:
        await submit(lab, "e", "f", length=5)
        one = worker(lab, reported=slices.append)
        async with asyncio.TaskGroup() as group:
            group.create_task(one.run())
            await lab.clock.sleep_ms(2_500)
            assert one.running == 2
            one.stop()
        assert one.running == 0
        assert [done.end for done in slices] == ["yielded", "yielded"]
        assert [await status(lab, name) for name in "ef"] == ["EXECUTING", "EXECUTING"]
        await with_workers([worker(lab)], lambda: until_ended(lab, "e", "f"))

    lab.run(main)
    assert lab.tools.count("work") == 10


def test_a_stop_does_not_wait_for_ever() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=10**8)

    async def main() -> None:
        await submit(lab, "e")
        one = worker(lab, stop_grace_ms=1_000, settings=SHORT)
        async with asyncio.TaskGroup() as group:
            group.create_task(one.run())
            await lab.clock.sleep_ms(500)
            stopped_ms = lab.clock.elapsed_ms
            one.stop()
        assert 1_000 <= lab.clock.elapsed_ms - stopped_ms <= 1_100
        lab.tools.scripts["work"] = Script()
        await with_workers([worker(lab)], lambda: until_ended(lab, "e"))

    lab.run(main)


def test_a_stop_reaches_a_segment_that_is_only_being_claimed() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=1_000)

    async def main() -> None:
        await submit(lab, "e", length=30)
        client = lab.client()
        client.thaw, client.freeze_at = asyncio.Event(), 10**9
        one = worker(lab, client)
        async with asyncio.TaskGroup() as group:
            group.create_task(one.run())
            while not one.running:
                await lab.clock.sleep_ms(1)
                client.freeze_at = len(client.commands) + 1
            one.stop()
            await lab.clock.sleep_ms(100)
            client.freeze_at = 10**9
            client.thaw.set()
        assert await status(lab, "e") == "EXECUTING"

    lab.run(main)
    assert lab.tools.count("work") <= 2


def test_what_a_dead_worker_held_is_due_for_the_next_when_its_lease_ends() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=100)

    async def main() -> None:
        await submit(lab, *NAMES[:4])
        client = lab.client()
        settings = SHORT
        dying = worker(lab, client, settings=settings)

        async def die() -> None:
            await lab.clock.sleep_ms(150)
            client.die_before = len(client.commands) + 1

        with pytest.raises(BaseExceptionGroup) as died:
            await with_workers([dying], die)
        assert died.group_contains(Killed)
        begun_ms = lab.clock.elapsed_ms
        await with_workers([worker(lab)], lambda: until_ended(lab, *NAMES[:4]))
        assert lab.clock.elapsed_ms - begun_ms < LEASE_MS + 2_000

    lab.run(main)
    assert len({call.idempotency_key for call in lab.tools.calls}) == 8
    assert lab.tools.count("work") <= 12


def test_what_is_due_at_no_time_is_found_in_turns() -> None:
    lab = Lab()

    async def main() -> None:
        client = lab.client()
        await submit(lab, "lost")
        assert await client.zrem(lab.store(client)._keys("lost")[4], "lost") == 1
        several = [worker(lab, restore_interval_ms=5_000) for _ in range(2)]
        await with_workers(several, lambda: until_ended(lab, "lost"))

    lab.run(main)


def test_a_listener_that_raises_stops_nobody() -> None:
    lab = Lab()

    def broken(done: Slice) -> None:
        raise ValueError(done)

    async def main() -> None:
        await submit(lab, "e", "f")
        one = worker(lab, reported=broken, concurrency=1)
        await with_workers([one], lambda: until_ended(lab, "e", "f"))

    lab.run(main)


def test_no_place_is_no_worker() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        worker(Lab(), concurrency=0)
