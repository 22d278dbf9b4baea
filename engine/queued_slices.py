"""What a worker of a foreign queue does: a message is a slice, and what was lost is sent again.

The queue may lose, repeat, reorder and delay. The store's due queue is the truth: what is overdue
there has lost its message.
"""

import logging

from engine.clock import Clock, SystemClock
from engine.errors import EngineError
from engine.limits import OVERDUE_MS, RESTORE_INTERVAL_MS, SWEEP_BATCH, SWEEP_HIDE_MS
from engine.resume_queue import ResumeQueue, ask
from engine.slice_runner import Slice, SliceRunner

_LOG = logging.getLogger("planproof.engine")


class QueuedSlices:
    """Carries out the messages of one queue for the executions of one store."""

    def __init__(
        self,
        runner: SliceRunner,
        queue: ResumeQueue,
        *,
        clock: Clock | None = None,
        overdue_ms: int = OVERDUE_MS,
        hide_ms: int = SWEEP_HIDE_MS,
        restore_interval_ms: int = RESTORE_INTERVAL_MS,
        batch: int = SWEEP_BATCH,
    ) -> None:
        """Run slices with `runner` and ask for the next ones through `queue`.

        Args:
            runner: drives one slice.
            queue: whose messages these are.
            clock: the time; by default the system's.
            overdue_ms: due for so long, an execution's message counts as lost.
            hide_ms: how long an execution is left alone after its message was sent again.
            restore_interval_ms: how often every execution is looked at for those that are due at
                no time; see `engine.resume_queue.DueQueue.restore`.
            batch: how many executions are taken from the store at once.
        """
        self.runner = runner
        self._queue = queue
        self._clock = clock or SystemClock()
        self._due = runner.store.due_queue()
        self._overdue_ms = overdue_ms
        self._hide_ms = hide_ms
        self._restore_interval_ms = restore_interval_ms
        self._batch = batch

    async def handle(self, execution_id: str) -> Slice:
        """Drive the slice that a message asks for, and ask for the next one.

        Raises nothing that is the execution's or the store's: the message has been handled then,
        and the sweeper sends another one when the execution is due.
        """
        done = await self.runner.run(execution_id)
        if done.due_at_ms is not None:
            await ask(self._queue, execution_id, done.due_at_ms)
        return done

    async def sweep(self) -> int:
        """Send a message for every execution that is overdue in the store; return how many.

        Any number of processes may sweep at any time: what one sends again is hidden from the
        others. A store that is away, or a queue that refuses, is left to the next sweep.
        """
        sent = 0
        try:
            await self._due.restore(self._restore_interval_ms)
            while True:
                taken = await self._due.take(
                    self._batch, self._hide_ms, overdue_ms=self._overdue_ms
                )
                for execution_id in taken:
                    if not await ask(self._queue, execution_id, self._clock.now_ms()):
                        return sent
                    sent += 1
                if len(taken) < self._batch:
                    return sent
        except EngineError as error:
            _LOG.warning("the store cannot be swept: %s", error)
            return sent
