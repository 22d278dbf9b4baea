"""A person's decision about a step: whether an execution waits for it, and what it changes."""

from typing import Any

from engine.checkpointer import Checkpointer
from engine.clock import Clock
from engine.events import EventName
from engine.states import ExecutionStatus, StepStatus
from engine.store import DueAt
from engine.types.execution import ErrorInfo, ExecutionState

CONFIRMATION_REJECTED = ErrorInfo(
    code="CONFIRMATION_REJECTED", message="A person has rejected the step"
)


def waits_for(state: ExecutionState, step_id: str, token: str) -> bool:
    """Whether an execution waits for a decision about this step, under this token."""
    waiting = state.waiting_for
    return waiting is not None and (waiting.step_id, waiting.token) == (step_id, token)


async def decide_confirmation(
    state: ExecutionState,
    checkpointer: Checkpointer,
    clock: Clock,
    step_id: str,
    *,
    approved: bool,
) -> None:
    """Write a decision about the step that `state` waits for, make it due, and give the lease back.

    Raises:
        engine.errors.EngineError: what `engine.checkpointer.Checkpointer.commit` raises.
    """
    index = [step.id for step in state.plan.steps].index(step_id)
    before = state.steps[index]
    decided: dict[str, Any] = {"confirmed": True, "status": StepStatus.PENDING}
    if not approved:
        decided = {"status": StepStatus.FAILED, "error": CONFIRMATION_REJECTED}
    now_ms = clock.now_ms()
    await checkpointer.commit(
        steps={index: before.model_copy(update=decided)},
        head={"status": str(ExecutionStatus.EXECUTING), "waiting_for": None},
        events=[
            checkpointer.event(
                EventName.CONFIRMATION_DECIDED,
                step_id=step_id,
                step_index=index,
                detail={"approved": approved},
            )
        ],
        due=DueAt(now_ms),
        release=True,
    )
