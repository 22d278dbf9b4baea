"""Without these a fault could miss the client's own retries, or strike in the embedded store only."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import pytest
from fakeredis import FakeServer
from fakeredis.aioredis import FakeAsyncRedisConnection
from redis import exceptions
from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from chaos.fault_kinds import FaultKind
from chaos.faults.connection import REFUSALS, FaultyConnection, Interceptor, Passage
from chaos.port import Command
from chaos.virtual_time import VirtualClock, run_virtual


class Real(FaultyConnection, Connection):
    pass


class Fake(FaultyConnection, FakeAsyncRedisConnection):
    pass


class Dead(BaseException):
    pass


class Notes(Interceptor):
    """Strikes once, at the first command of a name, and notes what passes."""

    generation = 0

    def __init__(self, name: bytes, kind: FaultKind | None) -> None:
        self.name, self.kind = name, kind
        self.passed: list[str] = []
        self.held: list[bytes] = []
        self.count = 0

    async def arrive(self, commands: Sequence[Command]) -> Passage | None:
        if commands[0][0].upper() != self.name:
            return None
        self.count += 1
        return Passage(1, "site", self.count, kind=self.kind if self.count == 1 else None)

    def kill(self, passage: Passage) -> NoReturn:
        raise Dead

    def hold(self, passage: Passage, packed: bytes) -> None:
        self.held.append(packed)

    async def pause(self, duration_ms: int) -> None:
        pass

    async def answered(self, passage: Passage, *, seen: bool) -> None:
        self.passed.append(f"{passage.nth} {'seen' if seen else 'unseen'}")

    def unsent(self, passage: Passage) -> None:
        self.passed.append(f"{passage.nth} unsent")


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.redis)])
def connect(request):
    """A function that makes a client whose connection passes an interceptor."""
    server = FakeServer()
    url = request.getfixturevalue("redis_url") if request.param == "real" else ""

    @asynccontextmanager
    async def connected(notes: Notes, retries: int) -> AsyncIterator[Redis]:
        options: dict[str, Any] = {"interceptor": notes, "retry": Retry(NoBackoff(), retries)}
        if url:
            pool = ConnectionPool.from_url(url, connection_class=Real, **options)
        else:
            pool = ConnectionPool(connection_class=Fake, server=server, **options)
        client = Redis(connection_pool=pool)
        try:
            yield client
        finally:
            await pool.disconnect()

    return connected


def count_after(connect: Any, kind: FaultKind | None, retries: int) -> tuple[Any, int, Notes]:
    """Count one up through a fault; return what the caller saw, what the store has, and notes."""
    notes = Notes(b"INCR", kind)

    async def main() -> tuple[Any, int]:
        seen: Any
        async with connect(Notes(b"", None), 0) as other:
            await other.delete("counter")
            async with connect(notes, retries) as client:
                try:
                    seen = await client.execute_command("INCR", "counter")
                except (exceptions.RedisError, Dead) as error:
                    seen = type(error)
            return seen, int(await other.get("counter") or 0)

    seen, stored = _run(main)
    return seen, stored, notes


def _run(main: Any) -> Any:
    clock = VirtualClock()

    async def held() -> Any:
        with clock.held():
            return await main()

    return run_virtual(held, clock)


@pytest.mark.parametrize(
    ("kind", "retries", "seen", "stored"),
    [
        (None, 0, 1, 1),
        ("B", 0, Dead, 0),
        ("A", 10, Dead, 1),
        ("B'", 0, exceptions.ConnectionError, 0),
        ("B'", 10, 1, 1),
        ("A'", 0, exceptions.ConnectionError, 1),
        ("A'", 10, 2, 2),  # applied twice, and nobody was told
        ("D'", 0, exceptions.TimeoutError, 0),
        ("D'", 10, 1, 1),
        ("Z", 10, Dead, 0),
        ("E'loading", 10, 1, 1),
        ("E'loading", 0, exceptions.BusyLoadingError, 0),
        ("E'oom", 10, exceptions.OutOfMemoryError, 0),
        ("E'readonly", 10, exceptions.ReadOnlyError, 0),
        ("E'busy", 10, exceptions.ResponseError, 0),
        ("E'noreplicas", 10, exceptions.ResponseError, 0),
        ("E'noscript", 10, exceptions.NoScriptError, 0),
    ],
)
def test_a_fault_does_to_the_store_and_the_caller_what_it_says(
    connect, kind, retries, seen, stored
):
    found = count_after(connect, None if kind is None else FaultKind(kind), retries)
    assert found[:2] == (seen, stored)


def test_what_the_client_repeats_is_another_occurrence(connect):
    assert count_after(connect, FaultKind.REPLY_LOST, 10)[2].passed == ["1 unseen", "2 seen"]
    assert count_after(connect, FaultKind.CUT_BEFORE, 10)[2].passed == ["1 unsent", "2 seen"]


def test_a_late_write_is_kept_as_it_was_sent(connect):
    (packed,) = count_after(connect, FaultKind.APPLIED_LATE, 0)[2].held
    assert packed.startswith(b"*2\r\n$4\r\nINCR\r\n")


def test_a_pipeline_is_one_operation(connect):
    notes = Notes(b"SET", FaultKind.REPLY_LOST)

    async def main() -> int:
        async with connect(notes, 0) as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.set("counter", 1)
            pipeline.incr("counter")
            with pytest.raises(exceptions.ConnectionError):
                await pipeline.execute()
            return int(await client.get("counter"))

    assert _run(main) == 2
    assert notes.passed == ["1 unseen"]


def test_every_refusal_is_an_answer_of_a_server():
    assert {kind for kind in FaultKind if kind.startswith("E'")} == set(REFUSALS)
