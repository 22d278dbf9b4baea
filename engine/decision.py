"""What a segment does next: a pure function of where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from engine.progress import Progress
from engine.states import StepStatus
from engine.types.execution import YieldReason

Cause: TypeAlias = Literal["failed", "cancelled", "timeout"]
_IN_PROGRESS = StepStatus.IN_PROGRESS


@dataclass(frozen=True, slots=True)
class RunBatch:
    """Run these steps at once."""

    indexes: Sequence[int]


@dataclass(frozen=True, slots=True)
class Complete:
    """Every step has completed."""


@dataclass(frozen=True, slots=True)
class RollBack:
    """Undo what has been done."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class Yield:
    """End the segment; the execution is due again after `delay_ms`, or at `due_at_ms`."""

    reason: YieldReason
    due_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AwaitPerson:
    """Nothing can go on before a person decides about this step."""

    index: int
    reason: Literal["requires_confirmation", "in_doubt"]


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait for a retry that is due within this segment."""

    until_ms: int


Action: TypeAlias = RunBatch | Complete | RollBack | Yield | AwaitPerson | Sleep


@dataclass(slots=True)
class Moment:
    """What the decision depends on besides the steps.

    Attributes:
        now_ms: epoch milliseconds.
        budget_left_ms: of this segment; None: no limit.
        timed_out: the plan's own time limit has passed.
        by_layers: a batch ends before the next begins; else each step begins as soon as it can.
    """

    now_ms: int
    budget_left_ms: float | None
    cancel_requested: bool
    yield_requested: bool
    timed_out: bool
    by_layers: bool = True


def decide(progress: Progress, moment: Moment) -> Action:
    """Return the next action. Finished work is completed before any budget is looked at."""
    if progress.finished:
        return Complete()
    cause = _rollback_cause(progress, moment)
    if cause is not None:
        # What a dead process had begun may have happened; only its result tells how to undo it.
        begun = [at for at in progress.ready() if progress.states[at].status is _IN_PROGRESS]
        return RunBatch(begun) if begun else RollBack(cause)
    if moment.yield_requested:
        return Yield(YieldReason.REQUESTED)
    if moment.budget_left_ms is not None and moment.budget_left_ms <= 0:
        return Yield(YieldReason.BUDGET)
    ready = progress.ready()
    runnable = [index for index in ready if _is_runnable(progress, index, moment.now_ms)]
    if runnable:
        # A batch that a dead process left is ended first: what follows begins, or does not, as if
        # nobody had died, and nothing new begins beside a step that is about to fail.
        begun = [at for at in runnable if progress.states[at].status is _IN_PROGRESS]
        return RunBatch(begun if begun and moment.by_layers else runnable)
    return _wait(progress, ready, moment)


def _rollback_cause(progress: Progress, moment: Moment) -> Cause | None:
    if moment.cancel_requested:
        return "cancelled"
    if progress.failed:
        return "failed"
    return "timeout" if moment.timed_out else None


def needs_confirmation(progress: Progress, index: int) -> bool:
    """Whether a person must approve the step first: the step or the plan says so."""
    asked = index in progress.asking
    return asked and not progress.states[index].confirmed


def _is_runnable(progress: Progress, index: int, now_ms: int) -> bool:
    state = progress.states[index]
    return (
        state.status is not StepStatus.IN_DOUBT
        and (state.retry_at_ms is None or state.retry_at_ms <= now_ms)
        and not needs_confirmation(progress, index)
    )


def _wait(progress: Progress, ready: Sequence[int], moment: Moment) -> Action:
    retries = [at for index in ready if (at := progress.states[index].retry_at_ms) is not None]
    if retries:
        until_ms = min(retries)
        left_ms = moment.budget_left_ms
        if left_ms is not None and until_ms - moment.now_ms > left_ms:
            return Yield(YieldReason.TIMER, due_at_ms=until_ms)
        return Sleep(until_ms)
    for index in ready:
        if progress.states[index].status is StepStatus.IN_DOUBT:
            return AwaitPerson(index, "in_doubt")
    return AwaitPerson(ready[0], "requires_confirmation")
