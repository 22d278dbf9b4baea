"""Without these the adapter could send more than an id, hold what is due late, or never sweep."""

import asyncio
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

from chaos.virtual_time import VirtualClock
from engine import ToolRegistry, WorkflowExecutor, WorkflowMachine
from engine.adapters import celery_executor
from engine.adapters.celery_executor import (
    SLICE_TASK,
    SWEEP_TASK,
    CeleryExecutor,
    CeleryResumeQueue,
)
from engine.limits import MAX_COUNTDOWN_MS
from engine.loop_thread import LoopThread
from engine.slice_runner import SliceRunner
from engine.store_url import open_store
from tests.engine.lab import WORKER, chain

NUMBERS = itertools.count()


class World:
    """An app with a broker in memory, and a named store that every loop opens for itself."""

    def __init__(self) -> None:
        self.name = f"celery-{next(NUMBERS)}"
        self.calls: list[str] = []
        self.opened: list[int] = []
        self.tools = ToolRegistry()
        self.tools.tool("work")(lambda call: self.calls.append(call.idempotency_key))
        self.app = Celery(self.name, broker="memory://", set_as_current=False)
        self.app.conf.update(task_default_queue=self.name, broker_connection_retry_on_startup=True)

    def machines(self, store: Any = None) -> Any:
        store = store or open_store(f"memory://{self.name}")
        return partial(WorkflowMachine, tools=self.tools, store=store, settings=WORKER)

    def open_runner(self) -> SliceRunner:
        self.opened.append(threading.get_ident())
        store = open_store(f"memory://{self.name}")
        return SliceRunner(store, self.machines(store))

    def register(self, **options: Any) -> None:
        celery_executor.register(self.app, self.open_runner, overdue_ms=0, hide_ms=1_000, **options)

    @contextmanager
    def worker(self) -> Iterator[None]:
        with start_worker(self.app, pool="solo", perform_ping_check=False, shutdown_timeout=10):
            yield

    def messages(self) -> list[dict[str, Any]]:
        """Return what is in the broker's queue, and empty it."""
        found = []
        with self.app.connection_for_read() as connection:
            queue = connection.SimpleQueue(self.name)
            while queue.qsize():
                message = queue.get_nowait()
                body = message.body
                found.append({**message.headers, "body": body, "kind": message.content_type})
                message.ack()
            queue.close()
        return found


def test_plans_are_carried_out_by_the_worker_on_one_loop() -> None:
    world = World()
    world.register()

    async def main() -> None:
        for name in ("e", "f"):
            one = CeleryExecutor(name, world.machines(), world.app)
            assert isinstance(one, WorkflowExecutor)
            one.set_plan(chain(2))
            assert (await one.execute()).success

    with world.worker():
        asyncio.run(main())
    assert sorted(world.calls) == ["e:s0:0", "e:s1:0", "f:s0:0", "f:s1:0"]
    assert len(world.opened) == 1


def test_a_message_is_json_and_carries_only_the_id() -> None:
    world = World()

    async def main() -> None:
        one = CeleryExecutor("e", world.machines(), world.app)  # a process that only sends
        one.set_plan(chain(2))
        await one.submit()

    asyncio.run(main())
    (message,) = world.messages()
    assert (message["task"], message["kind"]) == (SLICE_TASK, "application/json")
    assert json.loads(message["body"])[:2] == [["e"], {}]
    assert message["ignore_result"] and message["eta"] is None


def test_what_is_due_late_stays_in_the_store() -> None:
    world, clock = World(), VirtualClock()
    queue = CeleryResumeQueue(world.app, clock=clock, queue=world.name)

    async def main() -> None:
        await queue.put("soon", clock.now_ms() + MAX_COUNTDOWN_MS)
        await queue.put("late", clock.now_ms() + MAX_COUNTDOWN_MS + 1)

    asyncio.run(main())
    (message,) = world.messages()
    assert json.loads(message["body"])[0] == ["soon"] and message["eta"] is not None


def test_the_sweep_sends_again_what_lost_its_message() -> None:
    world = World()
    world.register()

    async def main() -> None:
        for name in ("e", "f"):
            machine = world.machines()(name)
            machine.set_plan(chain(1))
            await machine.submit()  # and no message

    asyncio.run(main())
    world.app.tasks[SWEEP_TASK]()
    messages = world.messages()
    assert sorted(json.loads(message["body"])[0][0] for message in messages) == ["e", "f"]
    for name in ("e", "f"):
        world.app.tasks[SLICE_TASK](name)
    assert sorted(world.calls) == ["e:s0:0", "f:s0:0"]


def test_beat_has_the_sweep_in_its_schedule() -> None:
    world = World()
    world.register(sweep_every_ms=3_000, queue="q")
    world.app.finalize()
    entry = world.app.conf.beat_schedule[SWEEP_TASK]
    assert (entry["task"], entry["schedule"]) == (SWEEP_TASK, 3.0)
    assert entry["options"] == {"expires": 3.0, "queue": "q"}


def test_an_eager_app_needs_no_worker() -> None:
    world = World()
    world.app.conf.task_always_eager = True
    world.register()

    async def main() -> None:
        one = CeleryExecutor("e", world.machines(), world.app)
        one.set_plan(chain(2))
        assert (await one.execute()).success

    asyncio.run(main())


def test_two_apps_of_one_process_have_their_own_tasks() -> None:
    one, other = World(), World()
    one.register()
    other.register()
    assert one.app.tasks[SLICE_TASK] is not other.app.tasks[SLICE_TASK]


def test_a_thread_s_loop_is_one_and_tells_what_is_raised() -> None:
    thread = LoopThread()

    async def where() -> tuple[int, int]:
        return threading.get_ident(), id(asyncio.get_running_loop())

    async def broken() -> None:
        raise KeyError("k")

    assert thread.run(where) == thread.run(where) != (threading.get_ident(), 0)
    with pytest.raises(KeyError):
        thread.run(broken)
