"""The process under test: everything it runs, and its sudden death.

A scenario may kill the process. From that instant nothing of it may act: its tasks are cancelled,
and whatever their clean-up code still tries (a store command, a tool call, an update) is refused
without a trace. Tasks know the process they belong to by a context variable, so the executor under
test needs no hook for it.
"""

import asyncio
import contextvars
import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

from conformance.errors import HarnessError

REAP_ROUNDS = 1_000  # turns of the loop; an orderly task ends within two or three

_Result = TypeVar("_Result")
_CURRENT: contextvars.ContextVar["Process | None"] = contextvars.ContextVar(
    "process_under_test", default=None
)


class Process:
    """One life of the process under test. The driver itself belongs to none."""

    def __init__(self, *, freezable: bool = False) -> None:
        """Begin a life. Needs a running loop; only a `freezable` one can be frozen."""
        self.death: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_freezable = freezable
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_dead(self) -> bool:
        """Whether the process was killed."""
        return self.death.done()

    def spawn(self, main: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        """Run `main`, and every task that it starts, as part of this process."""
        context = contextvars.copy_context()
        context.run(_CURRENT.set, self)
        return asyncio.get_running_loop().create_task(main, context=context)

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Run `function` as part of this process."""
        context = contextvars.copy_context()
        return context.run(lambda: (_CURRENT.set(self), function())[1])

    def kill(self) -> None:
        """Let the process die now; a second death is no event."""
        if not self.is_dead:
            self.death.set_result(None)
        for task in self._tasks:
            task.cancel()

    def freeze(self) -> None:
        """Stop every task of the process where it waits now, whatever it waits for."""
        self._thawed.clear()

    def thaw(self) -> None:
        """Let the tasks go on; what they waited for may long have come."""
        self._thawed.set()

    async def gated(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run `coroutine`, but hold it at its waits while the process is frozen."""
        return await self._gate(coroutine)

    @types.coroutine
    def _gate(self, coroutine: Coroutine[Any, Any, _Result]) -> Generator[Any, Any, _Result]:
        resume: Callable[[], Any] = partial(coroutine.send, None)
        while True:
            while not self._thawed.is_set():
                try:
                    yield from self._thawed.wait().__await__()
                except asyncio.CancelledError as error:
                    resume = partial(coroutine.throw, error)
                    if self.is_dead:
                        break
            try:
                waits_for = resume()
            except StopIteration as done:
                result: _Result = done.value
                return result
            try:
                resume = partial(coroutine.send, (yield waits_for))
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:  # noqa: BLE001 - it is the coroutine's to handle
                resume = partial(coroutine.throw, error)

    async def reap(self) -> None:
        """Wait until no task of the process is left.

        Raises:
            HarnessError: a task does not give in to its cancellation.
        """
        for _ in range(REAP_ROUNDS):
            left = [task for task in self._tasks if not task.done()]
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        raise HarnessError("a task of the executor under test outlives its process")

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Count `task` among the tasks of this process."""
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if self.is_dead and not task.cancelled():
            task.exception()  # what a dead task ends with concerns nobody


def current_process() -> Process | None:
    """Return the process that the running code belongs to; None for the driver."""
    return _CURRENT.get()


def refuse_the_dead() -> None:
    """Stop the caller if the process that it belongs to is dead.

    Raises:
        asyncio.CancelledError: it is; no handler of ordinary errors sees this.
    """
    process = _CURRENT.get()
    if process is not None and process.is_dead:
        raise asyncio.CancelledError


def follow_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Make each new task of `loop` known to the process that starts it."""

    def make_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        context = options.get("context")
        owner = _CURRENT.get() if context is None else context.get(_CURRENT)
        if owner is not None and owner.is_freezable:
            coroutine = owner.gated(coroutine)
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        if owner is not None:
            owner.adopt(task)
        return task

    loop.set_task_factory(make_task)  # type: ignore[arg-type]  # typeshed wants Future or Task by version
