"""Without these a worker could take what another has, lose what is due, or stop at one bad entry."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from chaos.virtual_time import VirtualClock
from engine import SeededIdSource
from engine.codec import HANDED_BACK
from engine.errors import StoreUnavailableError
from engine.redis_due_queue import HEADS_AT_ONCE, RedisDueQueue
from engine.redis_store import RedisStore
from engine.store import Beginning, DueAt, Transition
from tests.engine.lab import chain

LEASE_MS = 1_000
HIDE_MS = 300
PLAN = chain(1)


class World:
    def __init__(self, client: Any, prefix: str) -> None:
        self.client = client
        self.clock = VirtualClock()
        self.prefix = prefix
        self.ids = SeededIdSource(1)
        self.store = RedisStore(client, clock=self.clock, ids=self.ids, prefix=prefix)
        self.queue: RedisDueQueue = self.store.due_queue()

    def wait(self, ms: int) -> None:
        self.clock.fire_next(self.clock.elapsed_ms + ms)

    def key(self, execution_id: str, kind: str = "run") -> str:
        return f"{{{self.prefix}:{self.store._shard(execution_id):02d}}}:{kind}"

    async def claim(self, name: str) -> Any:
        beginning = Beginning(plan=PLAN, created_at_ms=self.clock.now_ms())
        return await self.store.begin(name, "owner", LEASE_MS, beginning)

    async def waiting(self, *names: str, in_ms: int = 0, **more: Any) -> None:
        """Begin executions, and give them back, due after `in_ms`."""
        for name in names:
            claimed = await self.claim(name)
            fields = {"due": DueAt(self.clock.now_ms() + in_ms), "release": True, **more}
            await self.store.apply(
                claimed.lease,
                Transition(operation_id=self.ids.new_id(), lease_ms=LEASE_MS, **fields),
            )

    async def due(self) -> list[str]:
        return await self.store.due(self.clock.now_ms(), 1_000)

    async def lose(self, name: str) -> None:
        assert await self.client.zrem(self.key(name, "due"), name) == 1


Test = Callable[[World], Awaitable[None]]


@asynccontextmanager
async def world_on(url: str | None, prefix: str) -> AsyncIterator[World]:
    client: Any = FakeAsyncRedis(server=FakeServer()) if url is None else Redis.from_url(url)
    try:
        await client.flushall()
        yield World(client, prefix)
        await client.flushall()
    finally:
        await client.aclose()


@pytest.fixture(params=["embedded", pytest.param("server", marks=pytest.mark.redis)])
def run(request: pytest.FixtureRequest) -> Callable[[Test], None]:
    url = request.getfixturevalue("redis_url") if request.param == "server" else None

    def run(test: Test, prefix: str = "planproof") -> None:
        async def whole() -> None:
            async with world_on(url, prefix) as world:
                await test(world)

        asyncio.run(whole())

    return run


def test_what_one_took_the_others_do_not_see_for_a_while(run: Any) -> None:
    async def test(world: World) -> None:
        names = [f"e{at}" for at in range(40)]
        await world.waiting(*names)
        other = world.store.due_queue()
        first = await world.queue.take(25, HIDE_MS)
        second = await other.take(25, HIDE_MS)
        assert len(first) == 25 and len(second) == 15
        assert sorted([*first, *second]) == sorted(names)
        world.wait(HIDE_MS - 1)
        assert await world.queue.take(100, HIDE_MS) == []
        world.wait(1)  # whoever took them has died
        assert sorted(await world.queue.take(100, HIDE_MS)) == sorted(names)

    run(test)


def test_what_is_not_due_yet_is_not_taken(run: Any) -> None:
    async def test(world: World) -> None:
        await world.waiting("later", in_ms=50)
        await world.claim("leased")
        world.wait(49)
        assert await world.queue.take(9, HIDE_MS) == []
        world.wait(1)
        assert await world.queue.take(9, HIDE_MS, overdue_ms=1) == []
        world.wait(1)
        assert await world.queue.take(9, HIDE_MS, overdue_ms=1) == ["later"]
        world.wait(LEASE_MS)  # whoever has the lease has died
        assert sorted(await world.queue.take(9, HIDE_MS)) == ["later", "leased"]

    run(test)


def test_each_take_begins_with_another_shard(run: Any) -> None:
    async def test(world: World) -> None:
        names = [f"e{at}" for at in range(150)]
        await world.waiting(*names)
        shards = [world.store._shard((await world.queue.take(1, HIDE_MS))[0]) for _ in range(16)]
        assert shards == list(range(16))

    run(test)


def test_what_ends_meanwhile_does_not_come_back(run: Any) -> None:
    async def test(world: World) -> None:
        await world.waiting("e")
        assert await world.queue.take(1, HIDE_MS) == ["e"]
        claimed = await world.store.claim("e", "owner", LEASE_MS)
        end = Transition(
            operation_id="end", lease_ms=LEASE_MS, due="remove", release=True, expire_s=60
        )
        await world.store.apply(claimed.lease, end)
        world.wait(10 * LEASE_MS)
        assert await world.queue.take(1, HIDE_MS) == []
        assert not await world.queue.postpone("e", HIDE_MS)
        assert await world.queue.restore(1) == 0 and await world.due() == []

    run(test)


@pytest.mark.parametrize("name", ["\x00\x01", "a:b{c}", "ä€🙂", "%s-[*]?", "x" * 512])
def test_any_id_comes_back_as_it_went_in(run: Any, name: str) -> None:
    async def test(world: World) -> None:
        await world.waiting(name)
        assert await world.queue.take(2, HIDE_MS) == [name]
        assert await world.queue.postpone(name, 5)
        await world.lose(name)
        assert await world.queue.restore(1) == 1
        assert await world.due() == [name]

    run(test)


def test_foreign_bytes_keep_nobody_from_the_rest(run: Any) -> None:
    async def test(world: World) -> None:
        await world.waiting("e")
        await world.client.zadd(world.key("e", "due"), {b"\xff\xfe": 1, b"": 2})
        await world.client.set(world.key("e", "run:") + "foreign", "no hash")
        await world.client.hset(world.key("e", "run:") + "half", "status", "EXECUTING")
        await world.client.set(world.key("e", "run:").encode() + b"\xff", "x")
        assert await world.queue.take(9, HIDE_MS) == ["e"]
        await world.lose("e")
        assert await world.queue.restore(1) == 1

    run(test)


def test_what_cannot_be_resumed_is_due_later_and_what_is_gone_no_more(run: Any) -> None:
    async def test(world: World) -> None:
        await world.waiting("broken", "later", in_ms=0)
        await world.waiting("far", in_ms=10_000)
        await world.client.delete(world.key("broken", "steps:broken"))
        assert await world.queue.postpone("broken", 500)
        assert await world.queue.postpone("far", 500)
        assert await world.due() == ["later"]
        world.wait(500)
        assert await world.due() == ["later", "broken"]
        world.wait(10_000 - 501)
        assert "far" not in await world.due()
        await world.client.delete(world.key("later", "run:later"))
        assert await world.queue.postpone("later", 500)  # a plan without a head: for a person
        await world.client.delete(world.key("later", "plan:later"))
        assert not await world.queue.postpone("later", 500)
        world.wait(60_000)
        assert sorted(await world.due()) == ["broken", "far"]

    run(test)


def test_a_claim_is_not_postponed(run: Any) -> None:
    async def test(world: World) -> None:
        await world.claim("e")
        assert await world.queue.postpone("e", 60_000)
        world.wait(LEASE_MS)
        assert await world.due() == ["e"]

    run(test)


def test_what_is_due_at_no_time_is_found(run: Any) -> None:
    async def test(world: World) -> None:
        now_ms = world.clock.now_ms()
        await world.waiting("lost", "kept", "lost timer", "person", "cancelled", "theirs")
        await world.claim("lost lease")
        heads = {
            "lost timer": {"due_at_ms": str(now_ms + 700)},
            "person": {"waiting_for": "{}"},
            "cancelled": {"waiting_for": "{}", "cancel_reason": "no more"},
            "theirs": {"schema": HANDED_BACK},
        }
        for name, fields in heads.items():
            await world.client.hset(world.key(name, f"run:{name}"), mapping=fields)
        for name in ("lost", "lost lease", *heads):
            await world.lose(name)
        assert await world.queue.restore(600_000) == 4
        assert sorted(await world.due()) == ["cancelled", "kept", "lost"]
        world.wait(700)
        assert sorted(await world.due()) == ["cancelled", "kept", "lost", "lost timer"]
        world.wait(LEASE_MS - 700)
        assert "lost lease" in await world.due()

    run(test)


def test_one_look_at_everything_in_an_interval_whoever_asks(run: Any) -> None:
    async def test(world: World) -> None:
        await world.waiting("e")
        assert await world.queue.restore(1_000) == 0
        await world.lose("e")
        assert await world.store.due_queue().restore(1_000) is None
        world.wait(1_000)
        assert await world.store.due_queue().restore(1_000) == 1
        assert await world.queue.restore(1_000) is None

    run(test)


def test_more_executions_than_are_looked_at_at_once(run: Any) -> None:
    async def test(world: World) -> None:
        names = [f"e{at}" for at in range(HEADS_AT_ONCE + 5)]
        world.store._shard = lambda execution_id: 3  # type: ignore[method-assign] # all in one
        await world.waiting(*names)
        await world.client.delete(world.key("e0", "due"))
        assert await world.queue.restore(1) == len(names)
        assert len(await world.due()) == len(names)

    run(test)


@pytest.mark.parametrize("prefix", ["a*", "a[b]", "a?", "a-b", "a\\b"])
def test_two_prefixes_are_two_stores(run: Any, prefix: str) -> None:
    async def test(world: World) -> None:
        other = World(world.client, "aXb")
        await world.waiting("e")
        await other.waiting("e")
        await world.lose("e")
        await other.lose("e")
        assert await world.queue.restore(1) == 1
        assert (await world.due(), await other.due()) == (["e"], [])

    run(test, prefix=prefix)


def test_a_failing_store_is_said_to_fail() -> None:
    class Failing(FakeAsyncRedis):
        async def execute_command(self, *args: Any, **options: Any) -> Any:
            if args[0] == "SCAN":
                raise RedisConnectionError("connection reset")
            return await super().execute_command(*args, **options)

    async def test() -> None:
        client = Failing(server=FakeServer())
        with pytest.raises(StoreUnavailableError):
            await RedisStore(client).due_queue().restore(1)
        await client.aclose()
        away: Any = Redis.from_url("redis://127.0.0.1:1/0")
        queue = RedisStore(away).due_queue()
        for call in (queue.take(1, 1), queue.postpone("e", 1), queue.restore(1)):
            with pytest.raises(StoreUnavailableError):
                await call
        await away.aclose()

    asyncio.run(test())
