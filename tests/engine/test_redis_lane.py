"""Without these a kept connection could be used when it is broken, or be kept from its pool."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, OutOfMemoryError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.redis_calls import ScriptCalls
from engine.redis_lane import Lane, LaneFailedError, pack
from tests.conftest import RedisServer

pytestmark = pytest.mark.redis
COUNT = "return redis.call('INCR', KEYS[1])"
ECHO = "return ARGV"
Test = Callable[[Redis], Awaitable[None]]


class Line(Connection):
    """A connection that fails as often as it is told."""

    lose_replies = 0
    cut_before = 0

    async def send_packed_command(self, *args: Any, **options: Any) -> Any:
        if Line.cut_before:
            Line.cut_before -= 1
            await self.disconnect(nowait=True)
            raise RedisConnectionError("cut")
        return await super().send_packed_command(*args, **options)

    async def read_response(self, *args: Any, **options: Any) -> Any:
        reply = await super().read_response(*args, **options)
        if Line.lose_replies and isinstance(reply, int):
            Line.lose_replies -= 1
            await self.disconnect(nowait=True)
            raise RedisConnectionError("lost")
        return reply


@pytest.fixture(autouse=True)
def _quiet_lines() -> None:
    Line.lose_replies = Line.cut_before = 0


def on(url: str, test: Test, *, retries: int = 0, **options: Any) -> None:
    async def whole() -> None:
        client = Redis.from_url(
            url, retry=Retry(NoBackoff(), retries), retry_on_error=[], **options
        )
        client.connection_pool.connection_class = Line
        try:
            await test(client)
        finally:
            await client.aclose()

    asyncio.run(whole())


def test_it_packs_what_the_protocol_says() -> None:
    assert pack(("EVALSHA", "", "ü\r\n")) == b"$7\r\nEVALSHA\r\n$0\r\n\r\n$4\r\n\xc3\xbc\r\n\r\n"


def test_arguments_and_errors_come_through(redis_url: str) -> None:
    async def test(client: Redis) -> None:
        calls = ScriptCalls(client)
        odd = ["", "ü\r\n", "x" * 100_000, "\x00"]
        for _ in range(2):  # by its text, then by its digest
            assert await calls.call(ECHO, ("k",), odd) == [text.encode() for text in odd]
        with pytest.raises(OutOfMemoryError):
            await calls.call("return redis.error_reply('OOM full')", ("k",), [])
        assert await calls.call(COUNT, ("n",), []) == 1
        await calls.aclose()

    on(redis_url, test)


def test_a_connection_is_kept_and_given_back(redis_url: str) -> None:
    async def test(client: Redis) -> None:
        calls, pool = ScriptCalls(client), client.connection_pool
        for expected in range(1, 50):
            assert await calls.call(COUNT, ("n",), []) == expected
        assert len(pool._in_use_connections) == 1
        kept = next(iter(pool._in_use_connections))
        await calls.aclose()
        assert not pool._in_use_connections and kept.socket_timeout is not None

    on(redis_url, test, socket_timeout=5)


@pytest.mark.parametrize("fault", ["lose_replies", "cut_before"])
def test_without_retries_a_failure_is_the_caller_s(redis_url: str, fault: str) -> None:
    async def test(client: Redis) -> None:
        calls = ScriptCalls(client)
        await calls.call(COUNT, ("n",), [])
        setattr(Line, fault, 1)
        with pytest.raises(RedisConnectionError):
            await calls.call(COUNT, ("n",), [])
        assert await calls.call(COUNT, ("n",), []) == (3 if fault == "lose_replies" else 2)
        await calls.aclose()

    on(redis_url, test)


@pytest.mark.parametrize("fault", ["lose_replies", "cut_before"])
@pytest.mark.parametrize("times", [1, 2])
def test_with_retries_the_client_tries_again(redis_url: str, fault: str, times: int) -> None:
    async def test(client: Redis) -> None:
        calls = ScriptCalls(client)
        await calls.call(COUNT, ("n",), [])
        setattr(Line, fault, times)
        reply = await calls.call(COUNT, ("n",), [])
        assert reply == (2 + times if fault == "lose_replies" else 2)
        await calls.aclose()

    on(redis_url, test, retries=3)


@pytest.mark.parametrize("retries", [0, 3])
def test_calls_that_travel_together_share_an_outage_and_nothing_else(
    redis_url: str, retries: int
) -> None:
    async def test(client: Redis) -> None:
        calls = ScriptCalls(client)
        found = await asyncio.gather(
            *(calls.call(COUNT, (f"k{at}",), []) for at in range(40)),
            calls.call("return redis.error_reply('OOM full')", ("k",), []),
            *(calls.call(ECHO, (f"k{at}",), [str(at)]) for at in range(40)),
            return_exceptions=True,
        )
        assert found[:40] == [1] * 40 and isinstance(found[40], OutOfMemoryError)
        assert found[41:] == [[str(at).encode()] for at in range(40)]
        Line.cut_before = 1
        again = await asyncio.gather(
            *(calls.call(COUNT, (f"k{at}",), []) for at in range(40)), return_exceptions=True
        )
        failed = [one for one in again if isinstance(one, RedisConnectionError)]
        assert len(failed) + sum(one == 2 for one in again) == 40
        assert bool(failed) is (retries == 0)
        await calls.aclose()

    on(redis_url, test, retries=retries)


def test_a_server_that_does_not_answer_is_waited_for_as_the_client_says(
    redis_server: RedisServer,
) -> None:
    async def test(client: Redis) -> None:
        calls = ScriptCalls(client)
        await calls.call(COUNT, ("n",), [])
        await client.client_pause(300)
        with pytest.raises(RedisTimeoutError):
            await calls.call(COUNT, ("n",), [])
        await asyncio.sleep(0.4)
        assert await calls.call(COUNT, ("n",), []) >= 2
        await calls.aclose()

    on(redis_server.url, test, socket_timeout=0.05)


def test_a_caller_that_is_cancelled_breaks_no_other_call(redis_url: str) -> None:
    async def test(client: Redis) -> None:
        calls = ScriptCalls(client)
        for at in range(30):
            task = asyncio.ensure_future(calls.call(ECHO, ("k",), [f"gone {at}"]))
            for _ in range(at % 5):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert await calls.call(ECHO, ("k",), [str(at)]) == [str(at).encode()]
        await calls.aclose()

    on(redis_url, test)


def test_a_server_that_has_forgotten_its_scripts_is_taught_again(redis_url: str) -> None:
    async def test(client: Redis) -> None:
        calls = ScriptCalls(client)
        await calls.call(COUNT, ("n",), [])
        await client.script_flush()
        found = await asyncio.gather(*(calls.call(COUNT, ("n",), []) for _ in range(9)))
        assert sorted(found) == list(range(2, 11))
        await calls.aclose()

    on(redis_url, test)


def test_a_connection_that_was_closed_while_it_stood_still_is_replaced(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.redis_lane.TRUSTED_S", -1.0)  # it stood still for longer than that

    async def test(client: Redis) -> None:
        calls = ScriptCalls(client)
        await calls.call(COUNT, ("n",), [])
        await client.client_kill_filter(_type="normal", skipme=True)
        await asyncio.sleep(0.05)
        assert await calls.call(COUNT, ("n",), []) == 2
        await calls.aclose()

    on(redis_server.url, test, retries=1)  # the client's default is ten


def test_clients_that_are_not_plain_keep_their_own_way(redis_url: str) -> None:
    class Own(Redis):
        """A client of somebody's own."""

    async def recorded(*_args: Any, **_options: Any) -> str:
        return "ours"

    patched = Redis.from_url(redis_url)
    patched.execute_command = recorded
    assert Lane.fits(Redis.from_url(redis_url))
    assert not Lane.fits(patched)
    assert not Lane.fits(Own.from_url(redis_url))
    assert not Lane.fits(Redis.from_url(redis_url, single_connection_client=True))
    assert not Lane.fits(Redis.from_url(redis_url, encoding="latin-1"))
    assert not Lane.fits(Redis(connection_pool=BlockingConnectionPool(max_connections=1)))


def test_a_server_that_is_not_there_is_tried_as_often_as_the_client_says() -> None:
    async def test() -> None:
        client = Redis.from_url("redis://127.0.0.1:1/0", retry=Retry(NoBackoff(), 2))
        with pytest.raises(LaneFailedError) as caught:
            await Lane(client).ask([b"*1\r\n$4\r\nPING\r\n"])
        assert not caught.value.may_retry
        assert not isinstance(caught.value.cause, NoScriptError)
        await client.aclose()

    asyncio.run(test())
