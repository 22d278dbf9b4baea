"""A first segment whose intents are written in the moment in which its execution is created."""

from dataclasses import dataclass

from engine.checkpointer import Checkpointer
from engine.segment import Segment
from engine.store import Claimed, Transition
from engine.types.execution import ExecutionResult


@dataclass(slots=True)
class Opening:
    """What is ready before anything is written: a chain of n steps costs n + 1 writes with it.

    Attributes:
        first: what is to be written; None once that is done.
    """

    checkpointer: Checkpointer
    segment: Segment
    first: Transition | None

    async def drive(self, claimed: Claimed, resume_delay_ms: int) -> ExecutionResult:
        """Go on under the lease of the execution that was created; see `Segment.drive`."""
        self.checkpointer.opened(claimed, self.first.events if self.first else ())
        self.first = None
        try:
            return await self.segment.drive()
        except Exception as error:
            await self.checkpointer.give_back(error, resume_delay_ms)
            raise


def opening(checkpointer: Checkpointer, segment: Segment) -> Opening | None:
    """Return the opening of a segment, or None if it would not begin with a step.

    Nor if anything raises: that is to happen under a lease, by which the execution is due again.
    """
    try:
        first = segment.intend()
    except Exception:  # noqa: BLE001 - it is met again, and told, where it can be recovered from
        return None
    return None if first is None else Opening(checkpointer, segment, first)
