"""Executions driven by the workers of a Docket (`pip install 'planproof[pydocket]'`).

Docket runs tasks from Redis streams. One task is one slice, under a key of the execution and its due
time, so that one slice is asked for once; a slice that is due later is scheduled for then.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

try:
    from docket import Docket, Perpetual, Worker
except ImportError as error:
    raise ImportError(
        f"{error}; the Docket adapter is an extra: pip install 'planproof[pydocket]'"
    ) from None

from engine.clock import Clock, SystemClock
from engine.limits import EXECUTE_WAIT_MS, REDELIVERY_MS, STOP_POLL_MS, SWEEP_EVERY_MS
from engine.queued_executor import QueuedExecutor, WorkflowMachines
from engine.queued_slices import QueuedSlices
from engine.resume_worker import stopped_by_signals
from engine.slice_runner import SliceRunner

SLICE_TASK = "planproof_slice"
SWEEP_TASK = "planproof_sweep"


class DocketResumeQueue:
    """`engine.resume_queue.ResumeQueue` on a Docket that has been entered."""

    def __init__(self, docket: Docket) -> None:
        """Send messages to the workers of `docket`."""
        self._docket = docket
        docket.tasks.setdefault(SLICE_TASK, _not_registered)

    async def put(self, execution_id: str, due_at_ms: int) -> None:
        """Add a task; none, if there is one for this due time. See `ResumeQueue`."""
        when = datetime.fromtimestamp(due_at_ms / 1_000, UTC)
        add = self._docket.add(SLICE_TASK, when=when, key=f"{execution_id}@{due_at_ms}")
        await add(execution_id)


class DocketExecutor(QueuedExecutor):
    """`engine.types.execution.WorkflowExecutor`, whose slices Docket's workers carry out."""

    def __init__(
        self,
        execution_id: str,
        machines: WorkflowMachines,
        docket: Docket,
        *,
        clock: Clock | None = None,
        wait_ms: int = EXECUTE_WAIT_MS,
    ) -> None:
        """Prepare to have `execution_id` carried out. See `QueuedExecutor`.

        Args:
            execution_id: names the execution for ever.
            machines: makes its machine, on the store that the workers use.
            docket: the Docket that the workers serve; it has been entered.
            clock: the time; by default the system's. Docket's own is the system's in any case.
            wait_ms: how long `execute` waits for the end.
        """
        super().__init__(
            execution_id, machines, DocketResumeQueue(docket), clock=clock, wait_ms=wait_ms
        )


def register(
    docket: Docket, runner: SliceRunner, *, sweep_every_ms: int = SWEEP_EVERY_MS, **options: Any
) -> QueuedSlices:
    """Give the workers of `docket` in this process their two tasks: the slice and the sweeper.

    Args:
        docket: has been entered.
        runner: drives the slices.
        sweep_every_ms: how often one of all workers sends again what is overdue in the store.
        **options: keyword arguments of `engine.queued_slices.QueuedSlices`.
    """
    slices = QueuedSlices(runner, DocketResumeQueue(docket), **options)
    every = Perpetual(every=timedelta(milliseconds=sweep_every_ms), automatic=True)

    async def carry_on(execution_id: str) -> None:
        await slices.handle(execution_id)

    async def sweep(_perpetual: Perpetual = every) -> None:
        await slices.sweep()

    for name, task in ((SLICE_TASK, carry_on), (SWEEP_TASK, sweep)):
        task.__name__ = name
        docket.register(task, names=[name])
    return slices


async def serve(
    docket: Docket, slices: QueuedSlices, *, clock: Clock | None = None, **options: Any
) -> None:
    """Work for `docket` until SIGTERM or SIGINT, then leave when the segments have yielded.

    Args:
        docket: has been entered.
        slices: what `register` returned.
        clock: the time; by default the system's.
        **options: keyword arguments of `docket.Worker`. What a dead worker had, its sweep among it,
            waits for `redelivery_timeout`: here 30 s by default.
    """
    options.setdefault("redelivery_timeout", timedelta(milliseconds=REDELIVERY_MS))
    time, stopped = clock or SystemClock(), asyncio.Event()
    async with Worker(docket, **options) as worker, stopped_by_signals(stopped.set):
        work = asyncio.ensure_future(worker.run_forever())
        stop = asyncio.ensure_future(stopped.wait())
        try:
            await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            work.cancel()
        while not work.done():
            await slices.runner.yield_all("the worker stops")
            await time.sleep_ms(STOP_POLL_MS)
        if not work.cancelled():
            work.result()


async def _not_registered(execution_id: str) -> None:
    """Stand for the slice in a process that only sends.

    Raises:
        RuntimeError: a worker runs it all the same; its message is lost, which the sweeper mends.
    """
    raise RuntimeError(f"{execution_id}: this worker has not called docket_executor.register")
