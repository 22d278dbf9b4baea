"""The observed client records what passes, keeps TTLs on virtual time, and fails on cue."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from chaos.virtual_time import VirtualClock, run_virtual
from conformance.errors import HarnessError, UsageError
from conformance.fault_script import FaultScript
from conformance.observed_redis import StoreObserver, read_command
from conformance.process import Process, follow_tasks
from conformance.scenario import Fault
from conformance.stores import open_store, parse_store
from conformance.trace import Observations


def _run(main, *, faults=(), store="fake"):
    clock = VirtualClock()
    observer = StoreObserver(clock, Observations(), FaultScript(faults))

    async def opened():
        follow_tasks(asyncio.get_running_loop())
        async with open_store(parse_store(store), observer) as client:
            return await main(client, clock)

    return run_virtual(opened, clock), observer


def _shown(observer):
    return [(entry["op"], entry["key_kind"]) for entry in observer.seen.writes]


async def _setex(client, key, ttl_s, value):
    await client.execute_command("SETEX", key, ttl_s, value)


STORES = ["fake", pytest.param("redis", marks=pytest.mark.redis)]


@pytest.fixture(params=STORES)
def store(request):
    return "fake" if request.param == "fake" else request.getfixturevalue("redis_url")


def test_commands_on_keys_are_recorded(store):
    async def main(client, clock):
        await client.ping()
        await clock.sleep_ms(5)
        await _setex(client, "k", 60, "v")
        await client.set("n", "1", ex=9, nx=True)
        await client.zadd("z", {"m": 3})
        return await client.get("k")

    value, observer = _run(main, store=store)
    assert value == "v"
    assert observer.seen.writes == [
        {"op": "setex", "key_kind": "k", "at_ms": 5, "ttl": 60},
        {"op": "set", "key_kind": "n", "at_ms": 5, "ttl": 9},
        {"op": "zadd", "key_kind": "z", "at_ms": 5},
        {"op": "get", "key_kind": "k", "at_ms": 5},
    ]


def test_ttls_end_exactly_on_virtual_time(store):
    async def main(client, clock):
        await _setex(client, "k", 60, "v")
        await client.set("claim", "1", ex=60, nx=True)
        await clock.sleep_ms(59_999)
        before = await client.get("k")
        refused = await client.set("claim", "2", ex=60, nx=True)
        await clock.sleep_ms(1)
        return before, refused, await client.get("k"), await client.get("claim")

    assert _run(main, store=store)[0] == ("v", None, None, None)


def test_writes_renew_and_plain_sets_end_a_ttl():
    async def main(client, clock):
        for key in ("renewed", "kept", "persisted", "keepttl"):
            await _setex(client, key, 10, "v")
        await clock.sleep_ms(5_000)
        await _setex(client, "renewed", 10, "w")
        await client.set("persisted", "w")
        await client.set("keepttl", "w", keepttl=True)
        await client.set("kept", "w", ex=60, nx=True)
        await clock.sleep_ms(5_000)
        return [await client.get(key) for key in ("renewed", "kept", "persisted", "keepttl")]

    assert _run(main)[0] == ["w", None, "w", None]


def test_offstage_commands_leave_no_trace_and_meet_no_fault():
    async def main(client, _):
        with client.offstage():
            await client.set("k", "1")
        with pytest.raises(RedisConnectionError, match="redis unavailable"):
            await client.get("k")
        with client.offstage():
            return await client.get("k")

    value, observer = _run(main, faults=[Fault(op="get", nth=1)])
    assert value == "1"
    assert _shown(observer) == [("get", "k")]


def test_a_scripted_fault_does_nothing_and_is_no_broken_store():
    async def main(client, _):
        with pytest.raises(RedisConnectionError):
            await client.set("k", "1")
        await client.set("k", "2")
        with pytest.raises(RedisConnectionError):
            await client.set("k", "3")
        return await client.get("k")

    faults = [Fault(op="set", key_kind="k", nth=1), Fault(op="set", key_kind="k", nth=3)]
    value, observer = _run(main, faults=faults)
    assert value == "2"
    assert observer.broken is None
    assert observer.faults.unfired == []


def test_steps_take_turns(store):
    async def main(client, _):
        async def step(name):
            for round_ in range(3):
                await client.set(f"{name}{round_}", "1")

        await asyncio.gather(*(step(name) for name in "abc"))

    _, observer = _run(main, store=store)
    assert "".join(key for _, key in _shown(observer)) == "a0b0c0a1b1c1a2b2c2"


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_death_follows_the_nth_write(nth):
    async def main(client, _):
        process = Process()
        client.observer.crash_after_write = nth

        async def body():
            await client.get("k")
            for index in range(5):
                await client.set(f"k{index}", "1")

        process.spawn(body())
        await process.death
        await process.reap()
        with client.offstage():
            return await client.dbsize()

    keys, observer = _run(main)
    assert keys == nth
    assert _shown(observer)[-1] == ("set", f"k{nth - 1}")


def test_pipelines_and_scripts_are_recorded(store):
    async def main(client, _):
        async with client.pipeline(transaction=True) as pipe:
            pipe.set("a", "1")
            pipe.zadd("z", {"m": 1})
            replies = await pipe.execute()
        script = client.register_script("redis.call('SET', KEYS[2], ARGV[1]) return KEYS[1]")
        return replies, await script(keys=["one", "two"], args=["v"]), await client.get("two")

    result, observer = _run(main, store=store)
    assert result == ([True, 1], "one", "v")
    assert _shown(observer) == [("set", "a"), ("zadd", "z"), ("evalsha", "one"), ("get", "two")]


def test_an_answer_that_is_an_error_is_the_callers_and_not_a_broken_store():
    async def main(client, _):
        await client.set("k", "text")
        with pytest.raises(ResponseError):
            await client.zadd("k", {"m": 1})

    _, observer = _run(main)
    assert observer.broken is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (("PING",), None),
        (("SCRIPT LOAD", "x"), None),
        (("EVAL", "return 1", 0), None),
        (("GET", b"k"), ("get", "k", None)),
        (("SET", "k", "EX", "PX", 1500), ("set", "k", 2)),
        (("PSETEX", "k", 1, "v"), ("psetex", "k", 1)),
        (("EXPIRE", "k", 5), ("expire", "k", 5)),
        (("SET", "k", "NX"), ("set", "k", None)),
    ],
)
def test_reading_a_raw_command(raw, expected):
    command = read_command(raw)
    assert (command and (command.op, command.key, command.ttl_s)) == expected


@pytest.mark.redis
def test_a_store_is_left_as_it_was_found(redis_url):
    async def write(client, _):
        await client.set("k", "1")
        await client.zadd("z", {"m": 1})

    _run(write, store=redis_url)

    async def count(client, _):
        with client.offstage():
            return await client.dbsize()

    assert _run(count, store=redis_url)[0] == 0


@pytest.mark.redis
def test_a_store_that_holds_keys_is_refused_and_not_touched(redis_server):
    redis_server.command("SET mine 1")

    async def main(client, _):
        raise AssertionError("must not start")

    with pytest.raises(UsageError, match="holds 1 keys"):
        _run(main, store=redis_server.url)
    assert b"mine" in redis_server.command("KEYS *")


@pytest.mark.redis
def test_keys_of_others_that_appear_meanwhile_stay_and_are_reported(redis_server):
    async def main(client, _):
        await client.set("ours", "1")
        redis_server.command("SET theirs 1")

    with pytest.raises(HarnessError, match="1 keys"):
        _run(main, store=redis_server.url)
    keys = redis_server.command("KEYS *")
    assert b"theirs" in keys
    assert b"ours" not in keys


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("redis://user:secret@host:6379/1", "redis://host:6379/1"),
        ("redis://:se@cret@host/1", "redis://host/1"),
        ("redis://host/1?password=secret", "redis://host/1"),
        ("unix:///tmp/x.sock?password=secret", "unix:///tmp/x.sock"),
    ],
)
def test_no_password_is_ever_shown(url, public):
    assert parse_store(url).public == public


@pytest.mark.parametrize(
    "url", ["", "fak", "host:6379", "http://host", "redis://h:port/0", "redis:"]
)
def test_what_names_no_store(url):
    with pytest.raises(UsageError) as caught:
        parse_store(url)
    assert caught.value.exit_code == 2
