"""Without these two processes could write to one execution, or a write be lost or applied twice.

Everything runs on the embedded store and on a real server, and both must answer alike.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from engine import codec, redis_scripts
from engine.errors import (
    CheckpointCorruptError,
    CompensationBegunError,
    ExecutionNotFoundError,
    LeaseHeldError,
    LeaseLostError,
    PlanMismatchError,
    StoreUnavailableError,
    UnknownVersionError,
)
from engine.events import Event, EventName
from engine.identity import SeededIdSource
from engine.limits import QUEUE_SHARDS
from engine.plan import Plan
from engine.redis_store import RedisStore
from engine.states import CompensationStatus, ExecutionStatus, StepStatus
from engine.store import Beginning, DueAt, Lease, Transition
from engine.store_url import open_store
from engine.types.execution import StepState
from tests.engine.lab import chain, plan_of, step

E = "execution-1"
LEASE_MS = 30_000
PLAN = chain(3)


class ManualClock:
    """A clock that a test sets; the store only reads it."""

    def __init__(self) -> None:
        self.at_ms = 1_000_000

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic_ms(self) -> float:
        return float(self.at_ms)

    async def sleep_ms(self, duration_ms: float) -> None:
        raise AssertionError("a store does not sleep")

    def call_later_ms(self, delay_ms: float, callback: Callable[[], object]) -> Any:
        raise AssertionError("a store arms no timer")


class World:
    """A client, a clock, and stores of several processes on them."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.clock = ManualClock()
        self.ids = SeededIdSource(1)

    def store(self, **options: Any) -> RedisStore:
        options = {"clock": self.clock, "ids": self.ids, **options}
        return RedisStore(self.client, **options)

    def transition(self, **fields: Any) -> Transition:
        fields = {"operation_id": self.ids.new_id(), "lease_ms": LEASE_MS, **fields}
        return Transition(**fields)

    async def begin(self, owner: str = "one", plan: Plan = PLAN, execution_id: str = E) -> Any:
        beginning = Beginning(
            plan=plan, created_at_ms=self.clock.at_ms, intent={"type": "t"}, trace_id="x"
        )
        return await self.store().begin(execution_id, owner, LEASE_MS, beginning)

    def pass_lease(self) -> None:
        self.clock.at_ms += LEASE_MS


Test = Callable[[World], Awaitable[Any]]


@asynccontextmanager
async def world_on(url: str | None, **options: Any) -> AsyncIterator[World]:
    client: Any
    if url is None:
        client = FakeAsyncRedis(server=FakeServer(), **options)
    else:
        client = Redis.from_url(url, **options)
    try:
        if url is not None:
            await client.flushall()
        yield World(client)
        if url is not None:
            await client.flushall()
    finally:
        await client.aclose()


@pytest.fixture(params=["embedded", pytest.param("server", marks=pytest.mark.redis)])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Run a coroutine function on a fresh world."""
    url = request.getfixturevalue("redis_url") if request.param == "server" else None

    def run(test: Test, **options: Any) -> Any:
        async def whole() -> Any:
            async with world_on(url, **options) as world:
                return await test(world)

        return asyncio.run(whole())

    return run


def event(name: EventName = EventName.STEP_STARTED, **more: Any) -> Event:
    return Event(name=name, execution_id=E, at_ms=1, segment_number=1, **more)


# --- begin and claim -----------------------------------------------------------------------------


def test_begin_creates_and_claims_in_one(run: Any) -> None:
    async def test(world: World) -> None:
        claimed = await world.begin()
        assert (claimed.created, claimed.cancel_reason) == (True, None)
        assert (claimed.lease.owner, claimed.lease.token, claimed.lease.version) == ("one", 1, 1)
        state = claimed.state
        assert (state.plan, state.status) == (PLAN, ExecutionStatus.EXECUTING)
        assert state.steps == tuple(StepState(id=f"s{at}") for at in range(3))
        assert (state.intent, state.trace_id, state.segment_number) == ({"type": "t"}, "x", 0)
        assert (state.created_at_ms, state.updated_at_ms) == (1_000_000, 1_000_000)
        assert await world.store().load(E) == state

    run(test)


def test_beginning_twice_continues_what_is_there(run: Any) -> None:
    async def test(world: World) -> None:
        first = await world.begin()
        done = StepState(id="s0", status=StepStatus.COMPLETED)
        await world.store().apply(first.lease, world.transition(steps={0: done}, release=True))
        second = await world.begin("two")
        assert not second.created
        assert second.state.steps[0] == done
        assert second.lease.token > first.lease.token

    run(test)


def test_another_plan_is_a_mismatch_and_changes_nothing(run: Any) -> None:
    async def test(world: World) -> None:
        first = await world.begin()
        world.pass_lease()
        with pytest.raises(PlanMismatchError):
            await world.begin("two", plan_of(step("other")))
        assert (await world.store().load(E)).plan == PLAN
        await world.store().apply(first.lease, world.transition())

    run(test)


def test_a_lease_keeps_others_out_until_it_runs_out(run: Any) -> None:
    async def test(world: World) -> None:
        await world.begin()
        world.clock.at_ms += 10_000
        for attempt in (world.store().claim(E, "two", LEASE_MS), world.begin("two")):
            with pytest.raises(LeaseHeldError) as caught:
                await attempt
            assert caught.value.retry_after_ms == 20_000
        world.clock.at_ms += 19_999
        with pytest.raises(LeaseHeldError) as caught:
            await world.store().claim(E, "two", LEASE_MS)
        assert caught.value.retry_after_ms == 1
        world.clock.at_ms += 1
        assert (await world.store().claim(E, "two", LEASE_MS)).lease.token == 2

    run(test)


def test_the_same_owner_may_claim_again(run: Any) -> None:
    async def test(world: World) -> None:
        first = await world.begin()
        second = await world.store().claim(E, "one", LEASE_MS)
        assert second.lease.token == first.lease.token + 1

    run(test)


def test_what_does_not_exist_cannot_be_claimed(run: Any) -> None:
    async def test(world: World) -> None:
        store = world.store()
        lease = Lease(E, "one", 1, 1)  # type: ignore[arg-type] # a token
        for attempt in (
            store.claim(E, "one", LEASE_MS),
            store.load(E),
            store.apply(lease, world.transition()),
        ):
            with pytest.raises(ExecutionNotFoundError):
                await attempt
        with pytest.raises(LeaseLostError):
            await store.renew(lease, LEASE_MS)
        assert not await store.request_cancel(E, "r")
        assert await store.due(10**15, 10) == []
        assert await world.client.keys("*") == []

    run(test)


# --- fencing -------------------------------------------------------------------------------------


async def taken_over(world: World) -> tuple[Lease, Lease]:
    old = (await world.begin()).lease
    world.pass_lease()
    return old, (await world.store().claim(E, "two", LEASE_MS)).lease


async def dump(world: World) -> dict[str, Any]:
    """Return everything stored, in plain types."""
    found: dict[str, Any] = {}
    for raw in sorted(await world.client.keys("*")):
        key = raw.decode() if isinstance(raw, bytes) else raw
        kind = await world.client.type(raw)
        match kind.decode() if isinstance(kind, bytes) else kind:
            case "hash":
                value: Any = sorted((await world.client.hgetall(raw)).items())
            case "zset":
                value = await world.client.zrange(raw, 0, -1, withscores=True)
            case "stream":
                value = [list(fields.items()) for _, fields in await world.client.xrange(raw)]
            case _:
                value = await world.client.get(raw)
        found[key] = value
    return found


@pytest.mark.parametrize("way", ["apply", "release", "finish", "renew", "repeat"])
def test_a_stale_token_can_write_nothing_at_all(run: Any, way: str) -> None:
    async def test(world: World) -> None:
        old = (await world.begin()).lease
        sent = world.transition(head={"trace_id": "mine"})
        newer = (await world.store().apply(old, sent)).lease
        world.pass_lease()
        await world.store().claim(E, "two", LEASE_MS)
        before = await dump(world)
        store, steps = world.store(), {0: StepState(id="s0", status=StepStatus.FAILED)}
        attempts = {
            "apply": lambda: store.apply(newer, world.transition(steps=steps, events=[event()])),
            "release": lambda: store.apply(newer, world.transition(release=True, due=DueAt(5))),
            "finish": lambda: store.apply(newer, world.transition(expire_s=5, due="remove")),
            "renew": lambda: store.renew(newer, LEASE_MS),
            "repeat": lambda: store.apply(old, sent),
        }
        with pytest.raises(LeaseLostError):
            await attempts[way]()
        assert await dump(world) == before

    run(test)


def test_a_write_needs_the_newest_version(run: Any) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        applied = await world.store().apply(lease, world.transition())
        assert applied.lease.version == lease.version + 1
        with pytest.raises(LeaseLostError):
            await world.store().apply(lease, world.transition())
        assert (await world.store().apply(applied.lease, world.transition())).lease.version == 3

    run(test)


def test_a_repeated_operation_is_applied_once_and_answered_alike(run: Any) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        await world.store().request_cancel(E, "stop")
        steps = {1: StepState(id="s1", status=StepStatus.COMPLETED)}
        once = world.transition(
            steps=steps, events=[event()], head={"trace_id": "new"}, due=DueAt(9)
        )
        first = await world.store().apply(lease, once)
        after = await dump(world)
        assert await world.store().apply(lease, once) == first
        assert await dump(world) == after
        assert first.cancel_reason == "stop"

    run(test)


def test_an_operation_id_of_an_older_lease_is_no_repetition(run: Any) -> None:
    """A process that draws the same ids as the one before it must not lose its first write."""

    async def test(world: World) -> None:
        old = (await world.begin()).lease
        await world.store().apply(old, world.transition(operation_id="op"))
        world.pass_lease()
        lease = (await world.store().claim(E, "two", LEASE_MS)).lease
        done = StepState(id="s0", status=StepStatus.COMPLETED)
        await world.store().apply(lease, world.transition(operation_id="op", steps={0: done}))
        assert (await world.store().load(E)).steps[0] == done

    run(test)


def test_a_token_that_was_given_out_twice_has_one_holder(run: Any) -> None:
    """A store that loses a grant gives its token out again: the first holder must not write then."""

    async def test(world: World) -> None:
        lost = (await world.begin()).lease
        await world.client.flushdb()
        held = (await world.store().begin(E, "two", LEASE_MS, Beginning(plan=PLAN))).lease
        assert (lost.token, lost.version) == (held.token, held.version)
        for write in (
            world.store().apply(lost, world.transition(operation_id="op")),
            world.store().renew(lost, LEASE_MS),
        ):
            with pytest.raises(LeaseLostError):
                await write
        done = StepState(id="s0", status=StepStatus.COMPLETED)
        once = world.transition(operation_id="op", steps={0: done})
        await world.store().apply(held, once)
        with pytest.raises(LeaseLostError):
            await world.store().apply(lost, once)

    run(test)


def test_a_repeated_begin_says_again_that_it_created_but_only_before_any_work(run: Any) -> None:
    async def test(world: World) -> None:
        async def begin(owner: str) -> Any:
            store = world.store(ids=SeededIdSource(7))
            return await store.begin(E, owner, LEASE_MS, Beginning(plan=PLAN))

        first = await begin("one")
        assert first.created and (await begin("one")).created
        again = await begin("one")
        await world.store().apply(again.lease, world.transition())
        world.pass_lease()
        assert not (await begin("two")).created

    run(test)


def test_whoever_creates_makes_the_first_transition_and_nobody_else(run: Any) -> None:
    intent = StepState(id="s0", status=StepStatus.IN_PROGRESS, attempts=1)

    async def test(world: World) -> None:
        async def begin(owner: str, seed: int) -> Any:
            first = world.transition(operation_id="1", steps={0: intent}, events=[event()])
            store, beginning = world.store(ids=SeededIdSource(seed)), Beginning(plan=PLAN)
            return await store.begin(E, owner, LEASE_MS, beginning, first)

        created = await begin("one", 7)
        assert (created.created, created.lease.token, created.lease.version) == (True, 1, 2)
        assert (await world.store().load(E)).steps[0] == intent
        sent_again = await begin("one", 7)
        assert (sent_again.created, sent_again.lease) == (True, created.lease)
        with pytest.raises(LeaseHeldError):
            await begin("two", 8)
        world.pass_lease()
        other = await begin("two", 8)
        assert (other.created, other.lease.token, other.lease.version) == (False, 2, 2)
        assert other.state.steps[0] == intent
        assert await world.store().events(E) == [event()]
        with pytest.raises(LeaseLostError):
            await world.store().apply(created.lease, world.transition())
        await world.store().apply(other.lease, world.transition(release=True))
        assert not (await begin("one", 7)).created

    run(test)


@pytest.mark.parametrize("kind", ["outbox", "due"])
def test_a_begin_that_meets_a_foreign_value_writes_nothing(run: Any, kind: str) -> None:
    async def test(world: World) -> None:
        keys = world.store()._keys(E)
        key = keys[3] if kind == "outbox" else keys[4]
        await world.client.set(key, "foreign")
        with pytest.raises(CheckpointCorruptError):
            await world.begin()
        assert [name.decode() for name in await world.client.keys()] == [key]

    run(test)


def test_the_first_copy_of_a_repeated_begin_may_arrive_last(run: Any) -> None:
    """It must not take the lease from the process that the second copy gave it to."""

    async def test(world: World) -> None:
        async def begin() -> Any:
            store = world.store(ids=SeededIdSource(7))
            return await store.begin(E, "one", LEASE_MS, Beginning(plan=PLAN))

        answered, late = await begin(), await begin()
        assert answered.lease == late.lease
        await world.store().apply(answered.lease, world.transition())

    run(test)


def test_a_released_lease_cannot_be_renewed(run: Any) -> None:
    """A renewal on its way when the segment ends must not move the time of the resume."""

    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        due_ms = world.clock.at_ms + 2_000
        await world.store().apply(lease, world.transition(release=True, due=DueAt(due_ms)))
        with pytest.raises(LeaseLostError):
            await world.store().renew(lease, LEASE_MS)
        assert await world.store().due(due_ms, 10) == [E]
        assert not (await world.store().claim(E, "two", LEASE_MS)).created

    run(test)


def test_renewing_moves_the_end_of_the_lease(run: Any) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        world.clock.at_ms += 20_000
        await world.store().renew(lease, LEASE_MS)
        world.clock.at_ms += 29_999
        with pytest.raises(LeaseHeldError):
            await world.store().claim(E, "two", LEASE_MS)
        assert await world.store().due(world.clock.at_ms, 1) == []
        assert await world.store().due(world.clock.at_ms + 1, 1) == [E]

    run(test)


@pytest.mark.parametrize("known", [(0, 1, 2), (1,)])
def test_a_late_result_of_a_step_that_is_being_undone_is_refused(
    run: Any, known: tuple[int, ...]
) -> None:
    """Not even the holder of the newest token may bring it: nobody would undo it again."""

    async def test(world: World) -> None:
        store, lease = world.store(), (await world.begin()).lease
        done = StepState(id="s1", status=StepStatus.COMPLETED)
        first = world.transition(steps={1: done}, undoing=[1], events=[event()])
        lease = (await store.apply(lease, first)).lease
        before = await dump(world)
        late = {at: StepState(id=f"s{at}", status=StepStatus.COMPLETED) for at in known}
        write = world.transition(steps=late, head={"trace_id": "x"}, events=[event()], due=DueAt(5))
        with pytest.raises(CompensationBegunError, match="step 1") as caught:
            await store.apply(lease, write)
        assert (caught.value.code, caught.value.retriable) == ("COMPENSATION_BEGUN", False)
        assert await dump(world) == before
        world.pass_lease()
        lease = (await store.claim(E, "two", LEASE_MS)).lease
        with pytest.raises(CompensationBegunError):
            await store.apply(lease, world.transition(steps=late))
        # Steps beside it may be written, and what undid it.
        undone = done.model_copy(update={"compensation_status": CompensationStatus.COMPENSATED})
        beside = {0: StepState(id="s0", attempts=3)}
        gone = {"trace_id": None, "error": None}
        last = world.transition(steps=beside, undone={1: undone}, undoing=[0], head=gone)
        await store.apply(lease, last)
        state = await store.load(E)
        assert (state.steps[0].attempts, state.steps[1].compensation_status) == (3, "compensated")

    run(test)


# --- ended executions ----------------------------------------------------------------------------


async def finished(world: World, expire_s: int = 60) -> Lease:
    lease = (await world.begin()).lease
    applied = await world.store().apply(
        lease,
        world.transition(
            head={"status": "COMPLETED"},
            events=[event()],
            due="remove",
            release=True,
            expire_s=expire_s,
        ),
    )
    return applied.lease


def test_what_has_ended_grants_no_lease_and_takes_no_write(run: Any) -> None:
    async def test(world: World) -> None:
        lease = await finished(world)
        before = await dump(world)
        claimed = await world.store().claim(E, "two", LEASE_MS)
        assert claimed.state.status is ExecutionStatus.COMPLETED
        assert not (await world.begin("three")).created
        for stale in (lease, claimed.lease):
            with pytest.raises(LeaseLostError):
                await world.store().apply(stale, world.transition(head={"status": "FAILED"}))
            with pytest.raises(LeaseLostError):
                await world.store().renew(stale, LEASE_MS)
        assert not await world.store().request_cancel(E, "late")
        assert await dump(world) == before
        assert await world.store().due(10**15, 10) == []

    run(test)


def test_the_last_write_may_be_repeated(run: Any) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        last = world.transition(
            head={"status": "COMPLETED"}, due="remove", release=True, expire_s=60
        )
        first = await world.store().apply(lease, last)
        assert await world.store().apply(lease, last) == first

    run(test)


def test_only_what_has_ended_expires_and_all_of_it(run: Any) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        await world.store().apply(
            lease, world.transition(steps={0: StepState(id="s0", attempts=1)}, events=[event()])
        )
        assert {await world.client.ttl(key) for key in await world.client.keys("*")} == {-1}
        world.pass_lease()
        lease = (await world.store().claim(E, "two", LEASE_MS)).lease
        await world.store().apply(lease, world.transition(due="remove", release=True, expire_s=60))
        keys = await world.client.keys("*")
        assert len(keys) == 4
        times_s = [await world.client.ttl(key) for key in keys]
        assert all(0 < time_s <= 60 for time_s in times_s)

    run(test)


# --- cancel, queue, outbox -----------------------------------------------------------------------


def test_a_cancel_request_reaches_whoever_claims_or_writes(run: Any) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        assert await world.store().request_cancel(E, "why")
        applied = await world.store().apply(lease, world.transition(release=True, due="remove"))
        assert applied.cancel_reason == "why"
        assert (await world.store().claim(E, "two", LEASE_MS)).cancel_reason == "why"

    run(test)


def test_a_cancel_request_wakes_what_nobody_works_on(run: Any) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        await world.store().request_cancel(E, "why")
        assert await world.store().due(world.clock.at_ms, 10) == []
        await world.store().apply(lease, world.transition(release=True, due="remove"))
        assert await world.store().due(10**15, 10) == []
        await world.store().request_cancel(E, "why")
        assert await world.store().due(world.clock.at_ms, 10) == [E]

    run(test)


def test_a_yield_request_reaches_the_holder_and_no_later_one(run: Any) -> None:
    async def test(world: World) -> None:
        store = world.store()
        assert not await store.request_yield("nobody")
        lease = (await world.begin()).lease
        assert await store.request_yield(E)
        write = world.transition()
        assert [(await store.apply(lease, write)).yield_requested for _ in range(2)] == [True] * 2
        lease = (await store.apply(lease, write)).lease
        await store.apply(lease, world.transition(release=True))
        assert not await store.request_yield(E)  # nobody works on it
        lease = (await store.claim(E, "two", LEASE_MS)).lease
        applied = await store.apply(lease, world.transition())
        assert not applied.yield_requested
        world.pass_lease()
        assert not await store.request_yield(E)  # the holder is dead
        lease = (await store.claim(E, "three", LEASE_MS)).lease
        await store.apply(lease, world.transition(expire_s=9, due="remove", release=True))
        assert not await store.request_yield(E)  # it has ended
        assert "yield_requested" not in str(await dump(world))

    run(test)


def test_the_queue_knows_every_execution_that_must_be_resumed(run: Any) -> None:
    async def test(world: World) -> None:
        names = [f"execution-{at}" for at in range(40)]
        for at, name in enumerate(names):
            lease = (await world.begin(execution_id=name)).lease
            if at % 2:
                due = world.transition(release=True, due=DueAt(world.clock.at_ms + 100 - at))
                await world.store().apply(lease, due)
        store, now_ms = world.store(), world.clock.at_ms
        yielded = names[1::2][::-1]
        assert len({store._shard(name) for name in names}) > QUEUE_SHARDS // 2
        assert await store.due(now_ms, 100) == []
        assert await store.due(now_ms + 100, 100) == yielded
        assert await store.due(now_ms + 100, 3) == yielded[:3]
        # The others are found when their process dies: at the end of its lease.
        assert set(await store.due(now_ms + LEASE_MS - 1, 100)) == set(yielded)
        assert set(await store.due(now_ms + LEASE_MS, 100)) == set(names)

    run(test)


def test_a_transition_without_a_due_time_keeps_the_one_there(run: Any) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        await world.store().apply(lease, world.transition())
        assert await world.store().due(world.clock.at_ms + LEASE_MS, 10) == [E]

    run(test)


def test_the_outbox_keeps_events_in_order(run: Any) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        sent = [event(step_index=at, detail={"x": [at]}) for at in range(1_500)]
        for part in (sent[:3], [], sent[3:]):
            lease = (await world.store().apply(lease, world.transition(events=part))).lease
        assert await world.store().events(E) == sent
        assert await world.store().events("ghost") == []

    run(test)


def test_a_wide_transition_is_one_write(run: Any) -> None:
    async def test(world: World) -> None:
        plan = plan_of(*(step(f"s{at}", tool="t") for at in range(3_000)))
        lease = (await world.begin(plan=plan)).lease
        steps = {at: StepState(id=f"s{at}", attempts=at + 1) for at in range(3_000)}
        head = {f"field{at}": str(at) for at in range(700)}
        await world.store().apply(lease, world.transition(steps=steps, head=head))
        assert [one.attempts for one in (await world.store().load(E)).steps] == list(
            range(1, 3_001)
        )
        gone = dict.fromkeys(head, None)
        claimed = await world.store().claim(E, "one", LEASE_MS)
        await world.store().apply(claimed.lease, world.transition(head=gone))
        key = world.store()._keys(E)[0]
        names = {name.decode() for name in await world.client.hkeys(key)}
        assert not names & set(head)

    run(test)


# --- records that cannot be read -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "field", "text"),
    [
        (0, "status", "NEW"),
        (0, "segment_number", "x"),
        (0, "version", "x"),
        (0, "fence", "x"),
        (0, "lease_until_ms", "soon"),
        (0, "status", b"\xff\xfe"),
        (1, "", b"\x80"),
        (2, "0", b"\xc3("),
        (1, "", "{"),
        (1, "", '{"id": "p", "steps": [{"id": "a", "tool_name": "t", "dependencies": ["a"]}]}'),
        (2, "1", "nonsense"),
    ],
)
def test_corrupt_records_are_refused_and_left_alone(
    run: Any, kind: int, field: str, text: Any
) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        await world.store().apply(lease, world.transition(release=True, due="remove"))
        key = world.store()._keys(E)[kind]
        if field:
            await world.client.hset(key, field, text)
        else:
            await world.client.set(key, text)
        before = await dump(world)
        for attempt in (world.store().claim(E, "two", LEASE_MS), world.begin("three")):
            with pytest.raises(CheckpointCorruptError) as caught:
                await attempt
            assert caught.value.code == "CHECKPOINT_CORRUPT" and not caught.value.retriable
        if field not in ("version", "fence", "lease_until_ms"):
            with pytest.raises(CheckpointCorruptError):
                await world.store().load(E)
        assert await dump(world) == before

    run(test)


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("foreign", ["string", "list"])
def test_a_foreign_value_in_a_key_is_refused_and_left_alone(
    run: Any, kind: int, foreign: str
) -> None:
    """A script that failed half way would keep what it had written until then."""

    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        done = {0: StepState(id="s0", attempts=1)}
        lease = (await world.store().apply(lease, world.transition(steps=done))).lease
        world.pass_lease()
        key = world.store()._keys(E)[kind]
        await world.client.delete(key)
        if foreign == "string":
            await world.client.set(key, "7")
        else:
            await world.client.lpush(key, "7")
        before = await dump_raw(world)
        store, write = world.store(), world.transition(steps=done, events=[event()], due=DueAt(5))
        attempts = {"claim": lambda: store.claim(E, "two", LEASE_MS), "begin": world.begin}
        if kind != 1:
            attempts["apply"] = lambda: store.apply(lease, write)
        if kind == 3:
            attempts = {"apply": attempts["apply"], "events": lambda: store.events(E)}
        if kind == 4:
            attempts["due"] = lambda: store.due(10**15, 9)
            attempts["cancel"] = lambda: store.request_cancel(E, "stop")
        for name, attempt in attempts.items():
            with pytest.raises(CheckpointCorruptError):
                await attempt()
            assert await dump_raw(world) == before, name

    run(test)


async def dump_raw(world: World) -> dict[Any, Any]:
    """Return everything stored, as the server would move it elsewhere."""
    found = {}
    for key in sorted(await world.client.keys("*")):
        kind = (await world.client.type(key)).decode()
        reads = {
            "hash": world.client.hgetall,
            "string": world.client.get,
            "list": lambda key: world.client.lrange(key, 0, -1),
            "zset": lambda key: world.client.zrange(key, 0, -1, withscores=True),
            "stream": world.client.xrange,
        }
        found[key] = await reads[kind](key)
    return found


def test_a_queue_with_foreign_members_still_serves_the_others(run: Any) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        await world.store().apply(lease, world.transition(release=True, due=DueAt(5)))
        await world.client.zadd(world.store()._keys(E)[4], {b"\xff": 1})
        assert await world.store().due(10, 10) == [E]

    run(test)


@pytest.mark.parametrize("lost", [0, 1])
def test_remains_of_an_execution_are_not_built_upon(run: Any, lost: int) -> None:
    """As after an eviction: a new execution must not find steps of an old one done."""

    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        done = {0: StepState(id="s0", status=StepStatus.COMPLETED)}
        await world.store().apply(lease, world.transition(steps=done, release=True))
        await world.client.delete(world.store()._keys(E)[lost])
        before = await dump(world)
        for attempt in (world.begin("two"), world.store().claim(E, "two", LEASE_MS)):
            with pytest.raises(CheckpointCorruptError):
                await attempt
        assert await dump(world) == before

    run(test)


def test_a_repeated_claim_takes_the_lease_all_the_same(run: Any) -> None:
    """The client library sends a script again when its reply was lost."""

    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        await world.store().apply(lease, world.transition(release=True, due=DueAt(5)))
        original = world.client.execute_command

        async def twice(*args: Any, **options: Any) -> Any:
            await original(*args, **options)
            return await original(*args, **options)

        world.client.execute_command = twice
        claimed = await world.store().claim(E, "two", LEASE_MS)
        del world.client.execute_command
        await world.store().apply(claimed.lease, world.transition())

    run(test)


def test_a_missing_plan_is_corrupt(run: Any) -> None:
    async def test(world: World) -> None:
        await world.begin()
        await world.client.delete(world.store()._keys(E)[1])
        with pytest.raises(CheckpointCorruptError, match="plan"):
            await world.store().load(E)

    run(test)


def test_an_unknown_version_is_refused_before_a_lease_is_taken(run: Any) -> None:
    """An older engine must not keep a newer one from its executions."""

    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        await world.store().apply(lease, world.transition(release=True, due=DueAt(5)))
        await world.client.hset(world.store()._keys(E)[0], "schema", "99")
        before = await dump(world)
        for attempt in (
            world.store().claim(E, "two", LEASE_MS),
            world.begin("two"),
            world.store().load(E),
        ):
            with pytest.raises(UnknownVersionError, match="99"):
                await attempt
        assert await dump(world) == before

    run(test)


# --- the server and the wire ---------------------------------------------------------------------


def test_a_server_that_forgot_its_scripts_is_taught_them_again(run: Any) -> None:
    async def test(world: World) -> None:
        store = world.store()
        lease = (await world.begin()).lease
        for expected in range(2, 5):
            await world.client.script_flush()
            done = {0: StepState(id="s0", attempts=expected)}
            lease = (await store.apply(lease, world.transition(steps=done))).lease
            assert lease.version == expected
            await world.client.script_flush()
            await store.renew(lease, LEASE_MS)
        await world.client.script_flush()
        assert (await store.load(E)).steps[0].attempts == 4

    run(test)


def test_the_store_s_own_clock_is_the_server_s(run: Any) -> None:
    async def test(world: World) -> None:
        store = world.store(clock=None)
        await store.begin(E, "one", LEASE_MS, Beginning(plan=PLAN))
        with pytest.raises(LeaseHeldError) as caught:
            await store.claim(E, "two", LEASE_MS)
        assert 0 < caught.value.retry_after_ms <= LEASE_MS
        seconds, _ = await world.client.time()
        assert await store.due(seconds * 1_000, 10) == []
        assert await store.due(seconds * 1_000 + LEASE_MS + 1_000, 10) == [E]

    run(test)


@pytest.mark.parametrize("options", [{"decode_responses": True}, {"protocol": 3}, {"protocol": 2}])
def test_any_kind_of_client_will_do(run: Any, options: dict[str, Any]) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease
        done = {0: StepState(id="s0", output={"ü": [1]}, has_output=True)}
        await world.store().apply(
            lease, world.transition(steps=done, events=[event()], due=DueAt(5))
        )
        assert (await world.store().load(E)).steps[0].output == {"ü": [1]}
        assert await world.store().events(E) == [event()]
        assert await world.store().due(5, 1) == [E]

    run(test, **options)


def test_errors_of_the_client_are_the_store_s(run: Any) -> None:
    async def test(world: World) -> None:
        lease = (await world.begin()).lease

        async def broken(*_args: Any, **_options: Any) -> Any:
            raise RedisConnectionError("gone")

        world.client.execute_command = broken
        store = world.store()
        for attempt in (
            store.load(E),
            store.claim(E, "x", 1),
            store.apply(lease, world.transition()),
            store.renew(lease, 1),
            store.request_cancel(E, "r"),
            store.request_yield(E),
            store.due(1, 1),
            store.events(E),
        ):
            with pytest.raises(StoreUnavailableError) as caught:
                await attempt
            assert caught.value.retriable and "gone" in caught.value.message
        del world.client.execute_command

    run(test)


def crc16(data: bytes) -> int:
    """CRC16/XMODEM, as in the Redis Cluster specification."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def slot(key: str) -> int:
    start = key.find("{")
    end = key.find("}", start + 1)
    tagged = key[start + 1 : end] if start >= 0 and end > start + 1 else key
    return crc16(tagged.encode()) % 16_384


def test_all_keys_of_one_execution_share_a_slot_and_executions_spread() -> None:
    assert crc16(b"123456789") == 0x31C3
    store = RedisStore(FakeAsyncRedis(server=FakeServer()))
    slots = set()
    for at in range(500):
        keys = store._keys(f"execution {at} {{x}}")
        assert len({slot(key) for key in keys}) == 1
        slots.add(slot(keys[0]))
    assert len(slots) == QUEUE_SHARDS
    assert {slot(store._due_key(shard)) for shard in range(QUEUE_SHARDS)} == slots


def test_prefixes_keep_stores_apart(run: Any) -> None:
    async def test(world: World) -> None:
        await world.begin()
        with pytest.raises(ExecutionNotFoundError):
            await world.store(prefix="other").load(E)

    run(test)


def test_scripts_use_the_keys_they_are_given_and_no_globals() -> None:
    for name, text in redis_scripts.BY_NAME.items():
        assert "planproof" not in text, name
        assert "redis.pcall" not in text, name


async def _history(world: World) -> list[Any]:
    """A life with everything in it; returns each reply and what is stored in the end."""
    replies: list[Any] = []
    original = world.client.execute_command

    async def recorded(*args: Any, **options: Any) -> Any:
        reply = await original(*args, **options)
        if str(args[0]).startswith("EVAL"):
            replies.append(reply)
        return reply

    world.client.execute_command = recorded
    store = world.store()
    lease = (await world.begin()).lease
    steps = {at: StepState(id=f"s{at}", attempts=1, output={"n": at, "t": "ü"}) for at in range(3)}
    lease = (await store.apply(lease, world.transition(steps=steps, events=[event()] * 3))).lease
    await store.renew(lease, LEASE_MS)
    await store.request_yield(E)
    for attempt in (store.claim(E, "two", LEASE_MS), world.begin("two", chain(2))):
        with pytest.raises((LeaseHeldError, PlanMismatchError)):
            await attempt
    world.clock.at_ms = 1_790_000_000_000  # as large as times are
    await store.request_cancel(E, "stop")
    lease = (await store.claim(E, "two", LEASE_MS)).lease
    lease = (
        await store.apply(
            lease, world.transition(head={"error": "{}"}, due=DueAt(world.clock.at_ms))
        )
    ).lease
    await store.apply(
        lease, world.transition(head={"error": None}, due="remove", release=True, expire_s=9)
    )
    await store.claim(E, "three", LEASE_MS)
    await store.load(E)
    world.client.execute_command = original
    return [_plain(replies), _plain(await dump(world))]


def _plain(value: Any) -> Any:
    """Bytes as text, and the fields of a hash reply in one order: servers keep their own."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        flat = [item for item in items if isinstance(item, str)]
        if len(flat) == len(items) and "schema" in flat[::2]:
            return dict(zip(flat[::2], flat[1::2], strict=True))
        if len(flat) == len(items) and flat and len(flat) % 2 == 0 and flat[0].isdigit():
            return dict(zip(flat[::2], flat[1::2], strict=True))
        return items
    return value


@pytest.mark.redis
def test_both_kinds_of_store_answer_and_store_alike(redis_url: str) -> None:
    async def on(url: str | None) -> list[Any]:
        async with world_on(url) as world:
            return await _history(world)

    embedded, server = asyncio.run(on(None)), asyncio.run(on(redis_url))
    assert len(server[0]) > 10 and len(server[1]) == 4
    assert embedded == server


# --- opening by URL ------------------------------------------------------------------------------


def test_memory_stores_are_apart_unless_they_are_named() -> None:
    async def test() -> None:
        stores = [open_store(url) for url in ("memory://", "memory://", "memory://n", "memory://n")]
        await stores[0].begin(E, "one", LEASE_MS, Beginning(plan=PLAN))
        await stores[2].begin(E, "one", LEASE_MS, Beginning(plan=PLAN))
        assert (await stores[3].load(E)).plan == PLAN
        with pytest.raises(ExecutionNotFoundError):
            await stores[1].load(E)
        for store in stores:
            await store.aclose()

    asyncio.run(test())


@pytest.mark.redis
def test_a_server_by_its_url(redis_url: str) -> None:
    async def test() -> None:
        store = open_store(redis_url)
        with pytest.raises(ExecutionNotFoundError):
            await store.load("by url")
        await store.aclose()

    asyncio.run(test())


def test_a_scheme_that_nobody_knows() -> None:
    with pytest.raises(StoreUnavailableError, match="'http'"):
        open_store("http://localhost")


def test_a_server_that_is_not_there() -> None:
    async def test() -> None:
        store = open_store("redis://127.0.0.1:1/0")
        with pytest.raises(StoreUnavailableError):
            await store.load(E)
        await store.aclose()

    asyncio.run(test())


def test_the_codec_s_version_is_what_is_stored(run: Any) -> None:
    async def test(world: World) -> None:
        await world.begin()
        key = world.store()._keys(E)[0]
        assert (await world.client.hget(key, "schema")).decode() == codec.SCHEMA_VERSION

    run(test)
