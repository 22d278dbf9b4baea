"""A first segment whose intents are written in the moment in which its execution is created."""

from typing import NamedTuple

from engine.batch import Intents
from engine.checkpointer import Checkpointer
from engine.segment import Segment
from engine.store import Claimed
from engine.types.execution import ExecutionResult


class Opening(NamedTuple):
    """What is ready before anything is written: a chain of n steps costs n + 1 writes with it."""

    checkpointer: Checkpointer
    segment: Segment
    intents: Intents

    async def drive(self, claimed: Claimed, resume_delay_ms: int) -> ExecutionResult:
        """Go on under the lease of the execution that was created; see `Segment.drive`."""
        self.checkpointer.opened(claimed, self.intents.write)
        async with self.checkpointer.released_on_error(resume_delay_ms):
            return await self.segment.drive(self.intents)


def opening(checkpointer: Checkpointer, segment: Segment) -> Opening | None:
    """Return the opening of a segment, or None if it would not begin with a step.

    Nor if anything raises: that is to happen under a lease, by which the execution is due again.
    """
    try:
        intents = segment.intend()
    except Exception:  # noqa: BLE001 - it is met again, and told, where it can be recovered from
        return None
    return None if intents is None else Opening(checkpointer, segment, intents)
