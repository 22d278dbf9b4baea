"""Which completed steps are undone, and in which order. Pure."""

from engine.progress import Progress
from engine.schedule import Frontier
from engine.states import CompensationStatus, StepStatus
from engine.types.execution import StepState


def awaits_compensation(state: StepState) -> bool:
    """Whether a step's effect has happened, can be undone, and is not settled yet.

    A step may have failed after its effect, when what its tool returned cannot be stored.
    """
    return (
        state.status in (StepStatus.COMPLETED, StepStatus.FAILED)
        and state.compensation is not None
        and state.compensation_status is None
    )


def compensated(progress: Progress) -> tuple[str, ...]:
    """Return the ids of steps whose effects were undone, in plan order."""
    return _with_status(progress, CompensationStatus.COMPENSATED)


def uncompensated(progress: Progress) -> tuple[str, ...]:
    """Return the ids of steps whose effects remain although undoing was tried, or may remain.

    An effect in doubt counts as one that has happened, until its tool or a person says otherwise.
    """
    return tuple(
        state.id
        for state in progress.states
        if state.compensation_status is CompensationStatus.FAILED
        or state.status is StepStatus.IN_DOUBT
    )


class SagaOrder:
    """Waves of steps to undo: a step only after every step that depends on it."""

    def __init__(self, progress: Progress) -> None:
        """Start from what is durable; steps that are settled are passed over."""
        self._progress = progress
        self._frontier = Frontier(progress.dependants, progress.dependencies)

    def wave(self) -> list[int]:
        """Return the steps to undo now, later ones of the plan first; empty at the end."""
        found = self._frontier.ready()
        while found:
            index = found.pop()
            if not awaits_compensation(self._progress.states[index]):
                found += self._frontier.complete(index)
        return self._frontier.ready()[::-1]

    def settle(self, index: int) -> None:
        """Note that a step of the wave is undone, or has been given up."""
        self._frontier.complete(index)


def _with_status(progress: Progress, status: CompensationStatus) -> tuple[str, ...]:
    return tuple(state.id for state in progress.states if state.compensation_status is status)
