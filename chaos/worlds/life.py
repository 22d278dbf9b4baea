"""One life of a process: its tasks, its clock, its sudden death, and its being stopped.

From the instant of its death nothing of a life may act: its tasks are cancelled, and whatever their
clean-up code still tries is refused. A task belongs to the life that started it.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from typing_extensions import override

from chaos.virtual_time import TimerHandle, VirtualClock
from engine import Clock

REAP_ROUNDS = 1_000
"""Turns of the loop that the tasks of a dead process get to end; they need a few."""

_CURRENT: contextvars.ContextVar["Life | None"] = contextvars.ContextVar("life", default=None)


class UndeadError(Exception):
    """A task of the executor does not give in to its cancellation."""


class Life:
    """A process of the executor. Needs a running loop that `follow_tasks` prepared."""

    def __init__(self, number: int) -> None:
        """Begin the life of this number."""
        self.number = number
        self.is_dead = False
        self.is_over = False
        self.changed = asyncio.Event()
        """Set when the life is over, and when it is stopped."""
        self._running = asyncio.Event()
        self._running.set()
        self._missed: list[Callable[[], object]] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, main: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `main`, and every task that it starts, as part of this life."""
        context = contextvars.copy_context()
        context.run(_CURRENT.set, self)
        return asyncio.get_running_loop().create_task(main, context=context)

    def kill(self) -> NoReturn:
        """Let the process die, and the caller with it.

        Raises:
            asyncio.CancelledError: always; no handler of ordinary errors sees it.
        """
        self.is_dead = True
        for task in self._tasks:
            task.cancel()
        raise asyncio.CancelledError

    async def reap(self) -> None:
        """Wait until no task of the life is left.

        Raises:
            UndeadError: one does not end.
        """
        for _ in range(REAP_ROUNDS):
            left = [task for task in self._tasks if not task.done()]
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        raise UndeadError(f"a task of life {self.number} outlives its process")

    def stop(self) -> None:
        """Stop the process, as SIGSTOP does: nothing of it goes on before `thaw`."""
        self._running.clear()
        self.changed.set()

    def thaw(self) -> None:
        """Let a stopped process go on; timers that it has missed ring now."""
        self._running.set()
        missed, self._missed = self._missed, []
        for ring in missed:
            ring()

    def miss(self, ring: Callable[[], object]) -> None:
        """Keep a timer that rings while the process is stopped."""
        self._missed.append(ring)

    @property
    def is_stopped(self) -> bool:
        """Whether the process is stopped."""
        return not self._running.is_set()

    async def go_on(self) -> None:
        """Wait while the process is stopped.

        Raises:
            asyncio.CancelledError: it is dead.
        """
        if not self._running.is_set():
            await self._running.wait()
        if self.is_dead:
            raise asyncio.CancelledError

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Count a task among those of this life."""
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if self.is_dead and not task.cancelled():
            task.exception()  # what a dead task ends with concerns nobody


class LifeClock(Clock):
    """The clock of one life's machine: virtual, and wrong by as much as somebody made it jump."""

    def __init__(self, clock: VirtualClock, life: Life) -> None:
        """Show the time of `clock`."""
        self._clock = clock
        self._life = life
        self.jumped_ms = 0

    @override
    def now_ms(self) -> int:
        return self._clock.now_ms() + self.jumped_ms

    @override
    def monotonic_ms(self) -> float:
        return self._clock.monotonic_ms()

    @override
    async def sleep_ms(self, duration_ms: float) -> None:
        await self._clock.sleep_ms(duration_ms)
        await self._life.go_on()

    @override
    def call_later_ms(self, delay_ms: float, callback: Callable[[], object]) -> TimerHandle:
        context = contextvars.copy_context()

        def ring() -> None:
            if self._life.is_dead or self._life.is_over:
                return
            if self._life.is_stopped:
                self._life.miss(ring)
            else:
                context.run(callback)

        return self._clock.call_later_ms(delay_ms, ring)


def follow_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Make each new task of `loop` known to the life that starts it."""

    def make_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        context = options.get("context")
        owner = _CURRENT.get() if context is None else context.get(_CURRENT)
        if owner is not None:
            owner.adopt(task)
        return task

    loop.set_task_factory(make_task)  # type: ignore[arg-type]  # typeshed wants Future or Task by version
