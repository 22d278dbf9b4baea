"""What tells workers that an execution is to be resumed, and what of that is durable.

A `ResumeQueue` is any messenger: it may lose, repeat, reorder and delay. A `DueQueue` is the store's
own list of what is due; it is written with the state and loses nothing. So a message is a hint, and
the list is the truth: what no message reached is found there.
"""

import logging
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

_LOG = logging.getLogger("planproof.engine")


@runtime_checkable
class ResumeQueue(Protocol):
    """Carries ids of executions to workers. One message is one slice: until it yields or ends."""

    async def put(self, execution_id: str, due_at_ms: int) -> None:
        """Ask for a resume at `due_at_ms` (epoch milliseconds), or soon where that has passed.

        A queue that cannot keep a message until then drops it: the store has the time, too.
        """


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is due at a moment: how many executions, and for how long the first of them (ms)."""

    due: int
    lag_ms: int


class DueQueue(Protocol):
    """The executions of a store that need a process, by the time at which they do.

    Every method raises `engine.errors.StoreUnavailableError` if the store cannot be reached.
    """

    async def take(self, limit: int, hide_ms: int, *, overdue_ms: int = 0) -> list[str]:
        """Return executions that are due, and show them to nobody else for `hide_ms`.

        Nothing is claimed by it: whoever took one and dies delays it by `hide_ms`, that is all.

        Args:
            limit: how many at most.
            hide_ms: how long the others do not see them.
            overdue_ms: only those that have been due for so long.
        """

    async def postpone(self, execution_id: str, delay_ms: int) -> bool:
        """Let an execution that cannot be resumed be due after `delay_ms`; forget one that is gone.

        One that is claimed meanwhile, or due later anyway, is left alone. Returns whether it still
        is to be resumed some time.
        """

    async def backlog(self) -> Backlog:
        """Return how much is due. What a worker has taken is not, for as long as it is hidden."""

    async def restore(self, interval_ms: int) -> int | None:
        """Make everything due that has not ended, waits for nobody and is due at no time.

        No crash leaves such an execution; a store that lost a write, or a hand that deleted a key,
        may. Reads the head of every execution, so it happens once in `interval_ms`, however many
        processes ask. Returns how many were found; None: it is not time yet.
        """


async def ask(queue: ResumeQueue, execution_id: str, due_at_ms: int) -> bool:
    """Ask for a resume; whether the queue took the message.

    What a queue raises is logged: a message that could not be sent is one that was lost.
    """
    try:
        await queue.put(execution_id, due_at_ms)
    except Exception as error:  # noqa: BLE001 - queues are foreign; see above
        _LOG.warning("no message for %s: %r", execution_id, error)
        return False
    return True
