"""The resume worker: takes what is due in a store and drives it, a slice at a time.

Any number of workers, in any number of processes and on any number of machines, share one store.
They know nothing of each other: the store shows a due execution to one of them, its lease keeps the
others out, and what a dead one held is due again when its lease runs out.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence

from engine.clock import Clock, SystemClock
from engine.errors import EngineError, StoreUnavailableError
from engine.events import Listener
from engine.identity import IdSource, SystemIdSource
from engine.limits import (
    MAX_STORE_BACKOFF_MS,
    RESTORE_INTERVAL_MS,
    STOP_GRACE_MS,
    STOP_POLL_MS,
    STORE_BACKOFF_MS,
    TAKE_HIDE_MS,
    WORKER_CONCURRENCY,
    WORKER_PAUSE_MS,
)
from engine.slice_runner import MachineFactory, Slice, SliceRunner
from engine.store import Store

_LOG = logging.getLogger("planproof.engine")


class ResumeWorker:
    """Drives the due executions of one store until it is stopped."""

    def __init__(
        self,
        store: Store,
        machines: MachineFactory,
        *,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        concurrency: int = WORKER_CONCURRENCY,
        pause_ms: int = WORKER_PAUSE_MS,
        hide_ms: int = TAKE_HIDE_MS,
        restore_interval_ms: int = RESTORE_INTERVAL_MS,
        stop_grace_ms: int = STOP_GRACE_MS,
        listeners: Sequence[Listener] = (),
        reported: Callable[[Slice], object] | None = None,
    ) -> None:
        """Work on `store`.

        Args:
            store: whose due executions are driven.
            machines: makes the machine of an execution id, with the same store:
                `partial(WorkflowMachine, tools=tools, store=store)`.
            clock: the time; by default the system's.
            ids: jitter; by default the system's.
            concurrency: executions driven at once.
            pause_ms: how long to wait where nothing is due.
            hide_ms: how long other workers do not see what this one took but has not claimed.
            restore_interval_ms: how often one of all workers looks at every execution for those
                that are due at no time; see `engine.resume_queue.DueQueue.restore`.
            stop_grace_ms: how long a stop waits for calls under way before it leaves them.
            listeners: called with `RESUME_REFUSED`; see `engine.slice_runner.SliceRunner`.
            reported: called with what came of each slice; what it raises is logged.

        Raises:
            ValueError: `concurrency` is no positive number.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        self._clock = clock or SystemClock()
        self._ids = ids or SystemIdSource()
        self._runner = SliceRunner(store, machines, clock=self._clock, listeners=listeners)
        self._due = store.due_queue()
        self._concurrency = concurrency
        self._pause_ms = pause_ms
        self._hide_ms = hide_ms
        self._restore_interval_ms = restore_interval_ms
        self._stop_grace_ms = stop_grace_ms
        self._reported = reported
        self._slices: set[asyncio.Task[None]] = set()
        self._restoring: asyncio.Task[None] | None = None
        self._restore_at_ms = 0.0
        self._failures = 0
        self._stopping = False
        self._more_is_due = False
        self._woken = asyncio.Event()

    @property
    def running(self) -> int:
        """How many executions are being driven."""
        return len(self._slices)

    def stop(self) -> None:
        """Take nothing more, let segments yield after their batch, then leave `run`."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Work until stopped. A store that is away is waited for; nothing else ends it but a bug."""
        self._stopping = False
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._restore_in_turn(group)
                pause_ms = await self._take(group)
                await self._wait(pause_ms)
            if self._restoring is not None:
                self._restoring.cancel()
            await self._drain()

    async def _take(self, group: asyncio.TaskGroup) -> float:
        """Begin as many slices as there are free places; return how long to wait then."""
        free = self._concurrency - len(self._slices)
        self._more_is_due = free == 0
        if not free:
            return self._pause_ms
        try:
            taken = await self._due.take(free, self._hide_ms)
        except StoreUnavailableError as error:
            _LOG.warning("the store is away: %s", error)
            return self._backoff_ms()
        except EngineError as error:
            _LOG.warning("a queue cannot be read: %s", error)
            return self._backoff_ms()
        self._failures = 0
        for execution_id in taken:
            task = group.create_task(self._drive(execution_id))
            self._slices.add(task)
            task.add_done_callback(self._one_ended)
        self._more_is_due = len(taken) == free
        return self._pause_ms

    def _backoff_ms(self) -> float:
        """Return the next pause: doubled each time, and of a random part, so that workers part."""
        pause_ms: float = min(STORE_BACKOFF_MS * 2 ** min(self._failures, 30), MAX_STORE_BACKOFF_MS)
        self._failures += 1
        return pause_ms * (0.5 + self._ids.fraction() / 2)

    async def _drive(self, execution_id: str) -> None:
        done = await self._runner.run(execution_id)
        if self._reported is None:
            return
        try:
            self._reported(done)
        except Exception:  # noqa: BLE001 - a listener must not stop a worker
            _LOG.exception("a listener failed on the slice of %a", execution_id)

    def _one_ended(self, task: asyncio.Task[None]) -> None:
        self._slices.discard(task)
        if self._more_is_due or self._stopping:
            self._woken.set()

    async def _wait(self, pause_ms: float) -> None:
        """Wait for the pause to end, for a place where more is due, or for the stop."""
        timer = self._clock.call_later_ms(pause_ms, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            timer.cancel()
        self._woken.clear()

    def _restore_in_turn(self, group: asyncio.TaskGroup) -> None:
        """Let the store be swept beside the slices; it grants one turn an interval to all workers."""
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._restore_at_ms or not (self._restoring is None or self._restoring.done()):
            return
        self._restore_at_ms = now_ms + self._restore_interval_ms
        self._restoring = group.create_task(self._restore())

    async def _restore(self) -> None:
        try:
            restored = await self._due.restore(self._restore_interval_ms)
        except EngineError as error:
            _LOG.warning("the store cannot be swept: %s", error)
            return
        if restored:
            _LOG.warning("%d executions were due at no time, and are now", restored)

    async def _drain(self) -> None:
        """Let what is under way yield; leave to the next worker what does not in time."""
        end_ms = self._clock.monotonic_ms() + self._stop_grace_ms
        while self._slices and self._clock.monotonic_ms() < end_ms:
            await self._runner.yield_all("the worker stops")
            await self._wait(STOP_POLL_MS)
        for task in self._slices:
            task.cancel()


@contextlib.asynccontextmanager
async def stopped_by_signals(stop: Callable[[], object]) -> AsyncIterator[None]:
    """Call `stop` at SIGTERM or SIGINT while the body runs. POSIX; in the main thread."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def serve(worker: ResumeWorker) -> None:
    """Run `worker` as a service: until SIGTERM or SIGINT, then leave once its segments yielded."""
    async with stopped_by_signals(worker.stop):
        await worker.run()
