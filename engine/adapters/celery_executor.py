"""Executions driven by the workers of a Celery app (`pip install 'planproof[celery]'`).

One task is one slice and carries only the execution id, as JSON; nothing is kept as a result. Celery
may lose or repeat it, and holds what is due later in a worker's memory: so what is due late stays in
the store, where `celery beat` has it found.
"""

import asyncio
from collections.abc import Callable
from typing import Any

try:
    from celery import Celery
    from celery.signals import worker_shutting_down
except ImportError as error:
    raise ImportError(
        f"{error}; the Celery adapter is an extra: pip install 'planproof[celery]'"
    ) from None

from engine.clock import Clock, SystemClock
from engine.limits import EXECUTE_WAIT_MS, MAX_COUNTDOWN_MS, SWEEP_EVERY_MS
from engine.loop_thread import LoopThread
from engine.queued_executor import QueuedExecutor, WorkflowMachines
from engine.queued_slices import QueuedSlices
from engine.slice_runner import SliceRunner

SLICE_TASK = "planproof.slice"
SWEEP_TASK = "planproof.sweep"


class CeleryResumeQueue:
    """`engine.resume_queue.ResumeQueue` on a Celery app."""

    def __init__(
        self, app: Celery, *, clock: Clock | None = None, queue: str | None = None
    ) -> None:
        """Send messages to the workers of `app`.

        Args:
            app: the app; only its broker is needed.
            clock: the time; by default the system's.
            queue: the Celery queue; by default the one that the app routes the task to.
        """
        self._app = app
        self._clock = clock or SystemClock()
        self._route: dict[str, Any] = {"queue": queue} if queue else {}

    async def put(self, execution_id: str, due_at_ms: int) -> None:
        """Send a task, or leave one that is due late to the sweeper. See `ResumeQueue`."""
        delay_ms = max(0, due_at_ms - self._clock.now_ms())
        if delay_ms <= MAX_COUNTDOWN_MS:
            await asyncio.to_thread(self._send, execution_id, delay_ms / 1_000)

    def _send(self, execution_id: str, countdown_s: float) -> None:
        task = self._app.signature(SLICE_TASK, args=(execution_id,))
        task.apply_async(
            countdown=countdown_s or None, serializer="json", ignore_result=True, **self._route
        )


class CeleryExecutor(QueuedExecutor):
    """`engine.types.execution.WorkflowExecutor`, whose slices Celery's workers carry out."""

    def __init__(
        self,
        execution_id: str,
        machines: WorkflowMachines,
        app: Celery,
        *,
        clock: Clock | None = None,
        wait_ms: int = EXECUTE_WAIT_MS,
        queue: str | None = None,
    ) -> None:
        """Prepare to have `execution_id` carried out. See `QueuedExecutor`.

        Args:
            execution_id: names the execution for ever.
            machines: makes its machine, on the store that the workers use.
            app: the app that the workers serve.
            clock: the time; by default the system's.
            wait_ms: how long `execute` waits for the end.
            queue: the Celery queue; by default the one that the app routes the task to.
        """
        messages = CeleryResumeQueue(app, clock=clock, queue=queue)
        super().__init__(execution_id, machines, messages, clock=clock, wait_ms=wait_ms)


def register(
    app: Celery,
    open_runner: Callable[[], SliceRunner],
    *,
    sweep_every_ms: int = SWEEP_EVERY_MS,
    queue: str | None = None,
    clock: Clock | None = None,
    **options: Any,
) -> None:
    """Give `app` its two tasks, the slice and the sweeper, and beat the sweeper's schedule.

    Slices run on one event loop a process, whatever the pool (prefork, solo or threads; not gevent
    and eventlet). A worker that shuts down asks the slices of its own process to yield; those of
    prefork children end by their budget, so give them one.

    Args:
        app: the app, before or after it is configured.
        open_runner: opens store and tools of one process, on its loop, when they are first needed.
        sweep_every_ms: how often beat has what is overdue in the store sent again.
        queue: the Celery queue; by default the one that the app routes the tasks to.
        clock: the time; by default the system's.
        **options: keyword arguments of `engine.queued_slices.QueuedSlices`.
    """
    thread, opened = LoopThread(), dict[int, QueuedSlices]()
    messages = CeleryResumeQueue(app, clock=clock, queue=queue)

    def slices() -> QueuedSlices:
        loop = id(asyncio.get_running_loop())
        if loop not in opened:
            opened.clear()  # what a parent process had opened is the parent's
            opened[loop] = QueuedSlices(open_runner(), messages, clock=clock, **options)
        return opened[loop]

    def carry_on(execution_id: str) -> None:
        thread.run(lambda: slices().handle(execution_id))

    def sweep() -> None:
        thread.run(lambda: slices().sweep())

    def leave(**_: object) -> None:
        if opened:
            thread.run(lambda: slices().runner.yield_all("the worker stops"))

    for name, task in ((SLICE_TASK, carry_on), (SWEEP_TASK, sweep)):
        app.task(name=name, ignore_result=True, shared=False)(task)
    every_s = sweep_every_ms / 1_000
    route = {"queue": queue} if queue else {}
    app.add_periodic_task(
        every_s, app.signature(SWEEP_TASK), name=SWEEP_TASK, expires=every_s, **route
    )
    worker_shutting_down.connect(leave, weak=False)
