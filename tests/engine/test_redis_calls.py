"""Without these a lost connection, or one cancelled caller, could take the replies of others along."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from engine.limits import SCRIPT_BATCH_CALLS, SCRIPT_LANES
from engine.redis_calls import ScriptCalls

COUNT = "return {ARGV[1], redis.call('INCR', KEYS[1])}"
FAIL = "return redis.call('INCR', KEYS[2])"


class Client(FakeAsyncRedis):
    """A client that notes what travels together, and loses what it is told to."""

    def note(self) -> None:
        self.trips: list[int] = []
        self.lost = False

    async def evalsha(self, *arguments: Any) -> Any:
        self.trips.append(1)
        await asyncio.sleep(0)  # as a reply that has to come from somewhere
        return await super().evalsha(*arguments)

    def pipeline(self, *arguments: Any, **options: Any) -> Any:
        pipeline = super().pipeline(*arguments, **options)
        execute = pipeline.execute

        async def noted(**settings: Any) -> Any:
            self.trips.append(len(pipeline.command_stack))
            if self.lost:
                raise RedisConnectionError("cut")
            return await execute(**settings)

        pipeline.execute = noted
        return pipeline


def run(main: Callable[[Client, ScriptCalls], Awaitable[None]]) -> None:
    async def body() -> None:
        async with Client(server=FakeServer()) as client:
            client.note()
            await main(client, ScriptCalls(client))

    asyncio.run(body())


def test_calls_share_a_trip_only_while_others_are_under_way() -> None:
    async def main(client: Client, calls: ScriptCalls) -> None:
        for number in range(3):
            assert await calls.call(COUNT, ["key"], [str(number)]) == [b"%d" % number, number + 1]
        assert client.trips == [1, 1, 1]
        client.trips.clear()
        count = SCRIPT_LANES + SCRIPT_BATCH_CALLS + 5
        replies = await asyncio.gather(
            *(calls.call(COUNT, ["key"], [str(number)]) for number in range(count))
        )
        assert [reply[0] for reply in replies] == [b"%d" % number for number in range(count)]
        assert sorted(reply[1] for reply in replies) == list(range(4, 4 + count))
        assert sorted(client.trips) == [1] * SCRIPT_LANES + [5, SCRIPT_BATCH_CALLS]
        client.trips.clear()
        await calls.call(COUNT, ["key"], ["after"])
        assert client.trips == [1]

    run(main)


def test_each_call_of_a_trip_has_its_own_error() -> None:
    async def main(client: Client, calls: ScriptCalls) -> None:
        await client.set("text", "no number")
        others = [calls.call(COUNT, ["key"], [""]) for _ in range(SCRIPT_LANES + 2)]
        found = await asyncio.gather(
            *others, calls.call(FAIL, ["key", "text"], []), return_exceptions=True
        )
        assert isinstance(found[-1], ResponseError)
        assert not any(isinstance(reply, Exception) for reply in found[:-1])
        assert max(client.trips) == 3

    run(main)


def test_an_outage_is_the_error_of_all_who_shared_the_trip_and_of_nobody_else() -> None:
    async def main(client: Client, calls: ScriptCalls) -> None:
        client.lost = True
        found = await asyncio.gather(
            *(calls.call(COUNT, ["key"], [""]) for _ in range(SCRIPT_LANES + 3)),
            return_exceptions=True,
        )
        assert [isinstance(one, RedisConnectionError) for one in found] == (
            [False] * SCRIPT_LANES + [True] * 3
        )
        client.lost = False
        assert (await calls.call(COUNT, ["key"], [""]))[1] == SCRIPT_LANES + 1

    run(main)


@pytest.mark.parametrize("position", [0, SCRIPT_LANES, SCRIPT_LANES + 1])
def test_a_cancelled_caller_takes_nobody_along(position: int) -> None:
    async def main(_client: Client, calls: ScriptCalls) -> None:
        tasks = [
            asyncio.ensure_future(calls.call(COUNT, ["key"], [""])) for _ in range(SCRIPT_LANES + 3)
        ]
        await asyncio.sleep(0)
        tasks[position].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(one, asyncio.CancelledError) for one in found] == [
            at == position for at in range(len(tasks))
        ]
        assert await calls.call(COUNT, ["other"], ["x"]) == [b"x", 1]

    run(main)


def test_a_server_that_forgot_the_scripts_is_told_again() -> None:
    async def main(client: Client, calls: ScriptCalls) -> None:
        await calls.call(COUNT, ["key"], [""])
        await client.script_flush()
        many = [calls.call(COUNT, ["key"], [""]) for _ in range(SCRIPT_LANES + 3)]
        assert sorted(reply[1] for reply in await asyncio.gather(*many)) == list(
            range(2, SCRIPT_LANES + 5)
        )

    run(main)


def test_what_one_loop_left_behind_does_not_stop_the_next() -> None:
    client = Client(server=FakeServer())
    client.note()
    calls = ScriptCalls(client)

    async def abandon() -> None:
        for _ in range(SCRIPT_LANES + 2):
            asyncio.ensure_future(calls.call(COUNT, ["key"], [""]))  # noqa: RUF006 - abandoned
        await asyncio.sleep(0)

    async def again() -> None:
        assert (await calls.call(COUNT, ["key"], ["x"]))[0] == b"x"
        await client.aclose()

    asyncio.run(abandon())
    asyncio.run(again())
