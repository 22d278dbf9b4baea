"""Without these a queue that loses, repeats or refuses messages could cost an execution."""

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from engine import ToolResult, WorkflowMachine, WorkflowSettings
from engine.queued_slices import QueuedSlices
from engine.slice_runner import SliceEnd, SliceRunner
from tests.engine.lab import Client, Lab, Script, chain, plan_of, step

OVERDUE_MS = 1_000
HIDE_MS = 10_000
NAMES = [f"e{at}" for at in range(7)]


@dataclass
class Queue:
    """Keeps messages, in order; loses them or refuses them when told."""

    loses: bool = False
    refuses: bool = False
    messages: deque[tuple[str, int]] = field(default_factory=deque)

    async def put(self, execution_id: str, due_at_ms: int) -> None:
        if self.refuses:
            raise OSError("the broker is away")
        if not self.loses:
            self.messages.append((execution_id, due_at_ms))

    @property
    def ids(self) -> list[str]:
        return sorted(name for name, _ in self.messages)


def slices(
    lab: Lab, queue: Queue, *, settings: Any = None, client: Client | None = None
) -> QueuedSlices:
    store = lab.store(client)
    settings = settings or WorkflowSettings()
    machines = partial(
        WorkflowMachine, tools=lab.tools, store=store, clock=lab.clock, settings=settings
    )
    runner = SliceRunner(store, machines, clock=lab.clock)
    return QueuedSlices(
        runner, queue, clock=lab.clock, overdue_ms=OVERDUE_MS, hide_ms=HIDE_MS, batch=3
    )


async def submit(lab: Lab, *names: str) -> None:
    for name in names:
        await lab.machine(chain(2), execution_id=name).submit()


def test_a_slice_that_yields_asks_for_the_next_one_at_its_time() -> None:
    lab, queue = Lab(), Queue()
    lab.tools.scripts["flaky"] = Script(answers=[ToolResult.failed("busy"), ToolResult.ok(1)])

    async def main() -> None:
        policy = {"max_attempts": 2, "backoff_ms": 60_000}
        await lab.machine(plan_of(step("flaky", retry_policy=policy)), execution_id="e").submit()
        work = slices(lab, queue)
        done = await work.handle("e")
        assert done.end is SliceEnd.YIELDED
        assert list(queue.messages) == [("e", lab.clock.now_ms() + 60_000)]
        await lab.clock.sleep_ms(60_000)
        assert (await work.handle("e")).end is SliceEnd.ENDED
        assert (await work.handle("e")).end is SliceEnd.ENDED  # a repeated message
        assert len(queue.messages) == 1 and lab.tools.count("flaky") == 2

    lab.run(main)


def test_what_lost_its_message_is_sent_again_once() -> None:
    lab, queue = Lab(), Queue()

    async def main() -> None:
        await submit(lab, *NAMES)
        one, other = slices(lab, queue), slices(lab, queue)
        assert await one.sweep() == 0  # due, but a message may be on its way
        await lab.clock.sleep_ms(OVERDUE_MS)
        assert (await one.sweep(), await other.sweep()) == (len(NAMES), 0)
        assert list(queue.messages) != [] and queue.ids == NAMES
        assert {due for _, due in queue.messages} == {lab.clock.now_ms()}
        queue.messages.clear()  # lost again
        await lab.clock.sleep_ms(HIDE_MS + OVERDUE_MS)
        assert await other.sweep() == len(NAMES)
        for name in queue.ids:
            assert (await one.handle(name)).end is SliceEnd.ENDED
        await lab.clock.sleep_ms(HIDE_MS + OVERDUE_MS)
        assert await one.sweep() == 0

    lab.run(main)


def test_a_queue_that_refuses_delays_and_loses_nothing() -> None:
    lab, queue = Lab(), Queue(refuses=True)

    async def main() -> None:
        await submit(lab, *NAMES)
        await lab.clock.sleep_ms(OVERDUE_MS)
        work = slices(lab, queue)
        assert await work.sweep() == 0
        queue.refuses = False
        await lab.clock.sleep_ms(HIDE_MS + OVERDUE_MS)
        assert await work.sweep() == len(NAMES)

    lab.run(main)


def test_a_store_that_is_away_is_left_to_the_next_sweep() -> None:
    lab, queue = Lab(), Queue()

    async def main() -> None:
        client = lab.client()
        await submit(lab, *NAMES)
        await lab.clock.sleep_ms(OVERDUE_MS)
        work = slices(lab, queue, client=client)
        client.fail_at = frozenset(range(1, 99))
        assert await work.sweep() == 0
        assert (await work.handle("e1")).end is SliceEnd.STORE_AWAY
        client.fail_at = frozenset()
        assert await work.sweep() == len(NAMES)

    lab.run(main)


def test_what_is_due_at_no_time_is_found_by_the_sweep() -> None:
    lab, queue = Lab(), Queue()

    async def main() -> None:
        client = lab.client()
        await submit(lab, "e")
        assert await client.zrem(lab.store(client)._keys("e")[4], "e") == 1
        work = slices(lab, queue)
        await work.sweep()
        await lab.clock.sleep_ms(OVERDUE_MS)
        assert await work.sweep() == 1 and queue.ids == ["e"]

    lab.run(main)
