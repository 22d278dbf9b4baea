"""Without these one execution that cannot be resumed would keep a worker from all the others."""

from functools import partial
from typing import Any

import pytest

from engine import Event, WorkflowMachine
from engine.errors import StoreUnavailableError
from engine.limits import MAX_REFUSED_BACKOFF_MS, REFUSED_BACKOFF_MS
from engine.redis_store import RedisStore
from engine.slice_runner import Slice, SliceEnd, SliceRunner
from tests.engine.lab import EXECUTION, WORKER, Client, Lab, chain, plan_of, step

PLAN = chain(2)


def runner(lab: Lab, store: RedisStore, **options: Any) -> SliceRunner:
    machines = partial(
        WorkflowMachine, tools=lab.tools, store=store, clock=lab.clock, settings=WORKER
    )
    return SliceRunner(store, machines, clock=lab.clock, **options)


def key(store: RedisStore, execution_id: str = EXECUTION) -> str:
    return store._keys(execution_id)[0]


async def spoil(client: Client, store: RedisStore, fault: str) -> None:
    """Break the record of the execution in one way."""
    head, plan = store._keys(EXECUTION)[:2]
    if fault == "version":
        await client.hset(head, "schema", "99")
    elif fault == "plan":
        await client.set(plan, b"\xff\xfe")
    elif fault == "type":
        await client.delete(head)
        await client.set(head, "text")
    else:
        await client.hset(head, "status", "NO_SUCH")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("version", "VERSION_UNKNOWN"),
        ("plan", "CHECKPOINT_CORRUPT"),
        ("type", "CHECKPOINT_CORRUPT"),
        ("status", "CHECKPOINT_CORRUPT"),
    ],
)
def test_what_cannot_be_read_is_told_and_postponed_ever_longer(fault: str, code: str) -> None:
    lab, told = Lab(), list[Event]()

    async def main() -> None:
        client = lab.client()
        store = lab.store(client)
        await lab.machine(PLAN, client=client).submit()
        await spoil(client, store, fault)
        slices = runner(lab, store, listeners=[told.append])
        for attempt in range(12):
            done = await slices.run(EXECUTION)
            delay_ms = min(REFUSED_BACKOFF_MS * 2**attempt, MAX_REFUSED_BACKOFF_MS)
            assert (done.end, done.delay_ms) == (SliceEnd.REFUSED, delay_ms)
            assert await store.due(lab.clock.now_ms() + delay_ms - 1, 9) == []
            assert await store.due(lab.clock.now_ms() + delay_ms, 9) == [EXECUTION]
            await lab.clock.sleep_ms(delay_ms)

    lab.run(main)
    assert {(str(event.name), event.detail["code"]) for event in told} == {("RESUME_REFUSED", code)}
    assert len(told) == 12 and not lab.tools.calls


def test_a_repaired_execution_begins_anew_with_a_short_pause() -> None:
    lab = Lab()

    async def main() -> list[Slice]:
        client = lab.client()
        store = lab.store(client)
        await lab.machine(chain(1), client=client).submit()
        slices, seen = runner(lab, store), []
        for version in ("99", "99", None, "99"):
            known = await client.hget(key(store), "schema")
            if version:
                await client.hset(key(store), "schema", version)
            seen.append(await slices.run(EXECUTION))
            if version is None:
                continue
            await client.hset(key(store), "schema", "1" if known == b"99" else known)
        return seen

    seen = lab.run(main)
    assert [done.end for done in seen] == ["refused", "refused", "ended", "refused"]
    assert [done.delay_ms for done in seen] == [1_000, 2_000, None, 1_000]


def test_a_factory_or_a_tool_table_that_fails_is_a_refusal_too() -> None:
    lab, told = Lab(), list[Event]()

    async def main() -> Slice:
        store = lab.store()
        await lab.machine(PLAN).submit()

        def broken(execution_id: str) -> WorkflowMachine:
            raise KeyError(execution_id)

        def deaf(event: Event) -> None:
            raise ValueError(event)

        slices = SliceRunner(store, broken, clock=lab.clock, listeners=[deaf, told.append])
        return await slices.run(EXECUTION)

    assert lab.run(main).end is SliceEnd.REFUSED
    assert told[0].detail["code"] == "KeyError"


def test_how_a_slice_ends() -> None:
    lab = Lab()

    async def main() -> None:
        store = lab.store()
        slices = runner(lab, store)
        assert (await slices.run("nobody")).end is SliceEnd.GONE
        assert (await slices.run("\ud800")).end is SliceEnd.REFUSED
        asking = plan_of(step("a", requires_confirmation=True))
        await lab.machine(asking, execution_id="asks").submit()
        done = await slices.run("asks")
        assert (done.end, done.due_at_ms) == (SliceEnd.WAITING, None)
        policy = {"max_attempts": 2, "backoff_ms": 60_000}
        lab.tools.scripts["flaky"] = lab.tools.scripts.get("flaky") or _failing()
        await lab.machine(plan_of(step("flaky", retry_policy=policy)), execution_id="late").submit()
        serverless = partial(WorkflowMachine, tools=lab.tools, store=store, clock=lab.clock)
        done = await SliceRunner(store, serverless, clock=lab.clock).run("late")
        assert done.end is SliceEnd.YIELDED and done.due_at_ms == lab.clock.now_ms() + 60_000
        await store.claim("late", "somebody", 1_000)
        assert (await slices.run("late")).end is SliceEnd.HELD
        assert slices.running == 0

    lab.run(main)


def _failing() -> Any:
    from engine import ToolResult
    from tests.engine.lab import Script

    return Script(answers=[ToolResult.failed("busy")])


def test_a_store_that_is_away_is_not_the_execution_s_fault() -> None:
    lab, told = Lab(), list[Event]()

    async def main() -> Slice:
        client = lab.client()
        store = lab.store(client)
        await lab.machine(PLAN).submit()
        client.fail_at = frozenset(range(1, 99))
        return await runner(lab, store, listeners=[told.append]).run(EXECUTION)

    done = lab.run(main)
    assert done.end is SliceEnd.STORE_AWAY and isinstance(done.error, StoreUnavailableError)
    assert told == []


def test_an_execution_s_own_store_error_is_a_refusal() -> None:
    lab, told = Lab(), list[Event]()

    async def main() -> Slice:
        client = lab.client()
        store = lab.store(client)
        await lab.machine(PLAN).submit()
        client.fail_at = frozenset({1})
        return await runner(lab, store, listeners=[told.append]).run(EXECUTION)

    assert lab.run(main).end is SliceEnd.REFUSED
    assert told[0].detail["code"] == "STORE_UNAVAILABLE"
