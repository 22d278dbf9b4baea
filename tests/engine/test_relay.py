"""Without these a subscriber could miss an event for ever, or its store fill up unseen."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.errors import SubscriberUnknownError
from engine.feed import SequencedEvent
from engine.identity import SeededIdSource
from engine.redis_store import RedisStore
from engine.relay import Relay
from tests.engine.lab import WORKER, Client, Killed, Lab, chain

LEASE_MS = 1_000
Seen = list[tuple[str, int, str]]
EXECUTIONS = [f"execution-{at}" for at in range(6)]


def note(event: SequencedEvent) -> tuple[str, int, str]:
    return (event.event.execution_id, event.sequence, str(event.event.name))


def relay(
    lab: Lab, seen: Seen, name: str = "audit", client: Client | None = None, **options: Any
) -> Relay:
    async def deliver(event: SequencedEvent) -> None:
        seen.append(note(event))

    options.setdefault("deliver", deliver)
    feed = lab.store(client).feed()
    ids = SeededIdSource(lab.machines)
    return Relay(feed, name, clock=lab.clock, ids=ids, lease_ms=LEASE_MS, **options)


async def work(lab: Lab) -> Seen:
    """Run some executions; return their events as the outboxes have them."""
    expected: Seen = []
    for name in EXECUTIONS:
        await lab.machine(chain(2), execution_id=name, settings=WORKER).execute()
        events = await lab.store().events(name)
        assert len(events) == 6
        expected += [(name, at, str(event.name)) for at, event in enumerate(events, start=1)]
    return expected


async def feed_sizes(lab: Lab) -> int:
    client = lab.client()
    return sum([await client.xlen(f"{{planproof:{shard:02d}}}:feed") for shard in range(16)])


def in_order(seen: Seen) -> bool:
    """Whether the first deliveries of each execution's events came in their order."""
    first: dict[str, list[int]] = {}
    for name, number, _ in seen:
        numbers = first.setdefault(name, [])
        if number not in numbers:
            numbers.append(number)
    return all(numbers == sorted(numbers) for numbers in first.values())


def test_every_event_is_delivered_with_its_number_and_in_order() -> None:
    lab, seen = Lab(), []

    async def main() -> Seen:
        one = relay(lab, seen)
        await one.subscribe()
        expected = await work(lab)
        assert await one.run_once() == len(expected)
        assert await one.run_once() == 0
        return expected

    assert sorted(lab.run(main)) == sorted(seen)
    assert in_order(seen)


def test_without_subscribers_nothing_is_kept() -> None:
    lab = Lab()

    async def main() -> None:
        await work(lab)
        assert await feed_sizes(lab) == 0
        with pytest.raises(SubscriberUnknownError) as caught:
            await relay(lab, []).run_once()
        assert caught.value.code == "SUBSCRIBER_UNKNOWN"

    lab.run(main)


def test_only_what_all_subscribers_have_seen_is_dropped() -> None:
    lab, fast_seen, slow_seen, late_seen = Lab(), [], [], []

    async def main() -> None:
        fast, slow = relay(lab, fast_seen, "fast"), relay(lab, slow_seen, "slow")
        await fast.subscribe()
        await slow.subscribe()
        await slow.subscribe()  # harmless
        expected = await work(lab)
        kept = await feed_sizes(lab)
        assert kept > len(EXECUTIONS)
        await fast.run_once()
        assert await feed_sizes(lab) == kept
        late = relay(lab, late_seen, "late")
        await late.subscribe()
        assert await late.run_once() == 0  # what was there before is not theirs
        while await slow.run_once(limit=1):
            assert len(slow_seen) == len(set(slow_seen))
        assert await feed_sizes(lab) == 0
        assert sorted(fast_seen) == sorted(slow_seen) == sorted(expected)
        await lab.machine(chain(1), execution_id="more", settings=WORKER).execute()
        await fast.run_once()
        await late.run_once()
        assert await feed_sizes(lab) > 0
        await lab.store().feed().unsubscribe("slow")
        assert await feed_sizes(lab) == 0
        assert len(late_seen) == 4

    lab.run(main)


def test_an_event_whose_delivery_fails_comes_again_and_none_before_it() -> None:
    lab, seen = Lab(), []
    broken = [True]

    async def deliver(event: SequencedEvent) -> None:
        if event.sequence == 3 and broken:
            broken.pop()
            raise RuntimeError("subscriber is down")
        seen.append(note(event))

    async def main() -> Seen:
        one = relay(lab, seen, deliver=deliver)
        await one.subscribe()
        expected = await work(lab)
        with pytest.raises(RuntimeError, match="is down"):
            await one.run_once()
        while await relay(lab, seen, deliver=deliver).run_once():
            pass
        return expected

    expected = lab.run(main)
    assert set(seen) == set(expected) and in_order(seen)
    assert len(seen) - len(expected) <= 2  # at most one write's events come again


@pytest.mark.parametrize("when", ["die_before", "die_after"])
def test_a_relay_may_die_at_every_store_command(when: str) -> None:
    commands, number = 999, 0
    while number < commands:
        number += 1
        lab, seen = Lab(), []

        async def main(lab: Lab = lab, seen: Seen = seen, number: int = number) -> tuple[Seen, int]:
            await relay(lab, seen).subscribe()
            expected = await work(lab)
            await relay(lab, [], "warm").subscribe()
            await relay(lab, [], "warm").run_once()
            client = lab.client()
            setattr(client, when, number)
            try:
                await relay(lab, seen, client=client).run_once(limit=2)
            except Killed:
                await lab.clock.sleep_ms(LEASE_MS)
                client.commands.extend([()] * 999)
            while await relay(lab, seen).run_once():
                pass
            await lab.store().feed().unsubscribe("warm")
            assert await feed_sizes(lab) == 0
            return expected, len(client.commands)

        expected, commands = lab.run(main)
        assert set(seen) == set(expected), number
        assert in_order(seen), number
        assert max(Counter(seen).values()) <= 2
    assert number > 20


def test_several_relays_share_the_work_and_one_reads_a_shard_at_a_time() -> None:
    lab, seen = Lab(), []
    at_once: Counter[str] = Counter()

    async def deliver(event: SequencedEvent) -> None:
        name = event.event.execution_id
        at_once[name] += 1
        assert at_once[name] == 1
        await lab.clock.sleep_ms(10)
        at_once[name] -= 1
        seen.append(note(event))

    async def main() -> Seen:
        relays = [relay(lab, seen, deliver=deliver) for _ in range(4)]
        await relays[0].subscribe()
        expected = await work(lab)
        counts = await asyncio.gather(*(one.run_once() for one in relays))
        assert sum(counts) == len(expected) and sum(count > 0 for count in counts) > 1
        return expected

    assert sorted(lab.run(main)) == sorted(seen)


def test_a_sleeper_cannot_move_the_position_back() -> None:
    lab, seen = Lab(), []
    thaw = asyncio.Event()

    async def freeze(event: SequencedEvent) -> None:
        seen.append(note(event))
        if len(seen) == 2:
            await thaw.wait()

    async def main() -> Seen:
        sleeper = relay(lab, seen, deliver=freeze)
        await sleeper.subscribe()
        expected = await work(lab)
        sleeping = asyncio.ensure_future(sleeper.run_once())
        await lab.clock.sleep_ms(LEASE_MS + 1)
        while await relay(lab, seen).run_once():
            pass
        assert set(seen) == set(expected)
        thaw.set()
        await sleeping
        await lab.clock.sleep_ms(LEASE_MS + 1)
        assert await relay(lab, seen).run_once() == 0
        return expected

    lab.run(main)


def test_a_relay_runs_until_it_is_stopped() -> None:
    lab, seen = Lab(), []

    async def main() -> Seen:
        one = relay(lab, seen)
        await one.subscribe()
        running = asyncio.ensure_future(one.run(pause_ms=50))
        expected = await work(lab)
        await lab.clock.sleep_ms(200)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return expected

    assert sorted(lab.run(main)) == sorted(seen)


PROGRAM = """
import asyncio, os, signal, sys
from redis.asyncio import Redis
from engine.redis_store import RedisStore
from engine.relay import Relay

url, path, dies_after = sys.argv[1], sys.argv[2], int(sys.argv[3])
count = 0

async def deliver(event):
    global count
    with open(path, "a") as file:
        print(event.event.execution_id, event.sequence, event.event.name, file=file, flush=True)
    count += 1
    if count == dies_after:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    client = Redis.from_url(url)
    relay = Relay(RedisStore(client).feed(), "audit", deliver, lease_ms=300)
    idle = 0
    while idle < 6:
        idle = 0 if await relay.run_once() else idle + 1
        await asyncio.sleep(0.1)
    await client.aclose()

asyncio.run(main())
"""


@pytest.mark.redis
def test_processes_relay_at_once_and_one_of_them_is_killed(redis_url: str, tmp_path: Path) -> None:
    from redis.asyncio import Redis

    from engine import ToolRegistry, execute_workflow

    tools = ToolRegistry()
    tools.tool("work")(lambda: None)

    async def prepare() -> Seen:
        client: Any = Redis.from_url(redis_url)
        await client.flushall()
        store = RedisStore(client)
        await store.feed().subscribe("audit")
        expected: Seen = []
        for name in EXECUTIONS:
            await execute_workflow(chain(3), tools, execution_id=name, store=store)
            events = await store.events(name)
            expected += [(name, at, str(event.name)) for at, event in enumerate(events, start=1)]
        await client.aclose()
        return expected

    async def clear() -> None:
        client: Any = Redis.from_url(redis_url)
        sizes = [await client.xlen(f"{{planproof:{shard:02d}}}:feed") for shard in range(16)]
        await client.flushall()
        await client.aclose()
        assert sizes == [0] * 16

    expected = asyncio.run(prepare())
    paths = [tmp_path / f"seen-{at}" for at in range(3)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, redis_url, str(path), "5" if at == 0 else "-1"],
            env=environment,
        )
        for at, path in enumerate(paths)
    ]
    codes = [process.wait(timeout=60) for process in running]
    lines = [line for path in paths if path.exists() for line in path.read_text().splitlines()]
    asyncio.run(clear())
    assert codes[1:] == [0, 0]
    found = {(name, int(number), event) for name, number, event in map(str.split, lines)}
    assert found == set(expected)
