"""The interface every execution strategy implements, and the records it exchanges."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from engine.json_form import StorableText
from engine.plan import Compensation, Plan
from engine.states import CompensationStatus, ExecutionStatus, StepStatus


class ExecutionRecord(BaseModel):
    """Base of what a caller may see: frozen, `snake_case`, a stable JSON form."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class ErrorInfo(ExecutionRecord):
    """Why a step or an execution failed: a stable code and a message."""

    code: str
    message: StorableText


class RescueCall(ExecutionRecord):
    """The call that a failed step is being rescued by: durable before it is made.

    Attributes:
        tool_name: what is called; with `parameters` it may differ from the step's own call.
        alternative: ordinal of the call among the step's; part of its idempotency key. The
            step's own call is 0, and a call that says the same as the one before shares its key.
        recovered: the error recovery has suggested a call; it is asked once.
        uses: how often each failover rule, by its position, has been applied to the step.
    """

    tool_name: str
    parameters: dict[str, Any]
    alternative: int = 0
    recovered: bool = False
    uses: dict[int, int] = {}


class StepState(ExecutionRecord):
    """What is durable of one step. Times are epoch milliseconds, durations milliseconds.

    Attributes:
        attempts: calls of the step's tool so far; calls of the recovery hook are not counted.
        output: what the tool returned; meaningful only with `has_output`.
        input: the parameters as they were sent, references resolved: every further attempt
            sends the same ones.
        retry_at_ms: not to be called again before this.
        confirmed: a person has approved it.
        rescue: the step's own call has failed for good, and this one is made in its place.
    """

    id: str
    status: StepStatus = StepStatus.PENDING
    attempts: int = 0
    has_output: bool = False
    output: Any = None
    error: ErrorInfo | None = None
    input: dict[str, Any] | None = None
    started_at_ms: int | None = None
    completed_at_ms: int | None = None
    latency_ms: int | None = None
    retry_at_ms: int | None = None
    confirmed: bool = False
    rescue: RescueCall | None = None
    compensation: Compensation | None = None
    compensation_status: CompensationStatus | None = None
    compensation_error: str | None = None


class PendingConfirmation(ExecutionRecord):
    """What an execution waits for a person to decide, and the token that decides it."""

    step_id: str
    token: str
    reason: Literal["requires_confirmation", "in_doubt"] = "requires_confirmation"


class YieldReason(StrEnum):
    """Why a segment ended before the execution did."""

    BUDGET = "budget"
    REQUESTED = "requested"
    TIMER = "timer"
    CONFIRMATION = "confirmation"
    SINGLE_STEP = "single_step"


class ExecutionState(ExecutionRecord):
    """Everything durable of one execution, in the order of the plan's steps.

    Attributes:
        trace_id: the caller's own, handed on as it is.
        traceparent: the W3C trace context that its first observed segment made.
    """

    execution_id: str
    status: ExecutionStatus
    plan: Plan
    steps: tuple[StepState, ...]
    segment_number: int
    created_at_ms: int
    updated_at_ms: int
    completed_at_ms: int | None = None
    due_at_ms: int | None = None
    error: ErrorInfo | None = None
    waiting_for: PendingConfirmation | None = None
    intent: Mapping[str, Any] | None = None
    saga_started_at_ms: int | None = None
    trace_id: str | None = None
    traceparent: str | None = None


class ExecutionResult(ExecutionRecord):
    """What one call of `execute` or `resume` achieved.

    Attributes:
        success: the execution has ended and every step completed.
        is_partial: it has not ended; a resume continues it, or a confirmation is awaited.
        segment_number: the segment that ended, from 1.
        due_at_ms: when a resume is due, in epoch milliseconds.
        compensated_steps: steps whose effects were undone.
        uncompensated_steps: steps whose effects remain, or may remain, although they should not.
        steps: every step's state, in the plan's order, outputs included.
    """

    execution_id: str
    status: ExecutionStatus
    success: bool
    is_partial: bool
    completed_steps: int
    failed_steps: int
    total_steps: int
    segment_number: int
    execution_time_ms: int
    error: ErrorInfo | None = None
    yield_reason: YieldReason | None = None
    due_at_ms: int | None = None
    waiting_for: PendingConfirmation | None = None
    compensated_steps: tuple[str, ...] = ()
    uncompensated_steps: tuple[str, ...] = ()
    steps: tuple[StepState, ...] = ()


class SingleStepResult(ExecutionRecord):
    """What `execute_single_step` achieved: the step's state and whether more is to do."""

    execution_id: str
    status: ExecutionStatus
    step: StepState | None
    has_more: bool
    error: ErrorInfo | None = None


@runtime_checkable
class WorkflowExecutor(Protocol):
    """One execution of one plan, whatever strategy carries it out."""

    def set_plan(self, plan: Plan | Mapping[str, Any]) -> None:
        """Give the plan to be executed.

        Raises:
            engine.errors.InvalidPlanError: the plan breaks its schema or is no DAG.
        """

    async def execute(self) -> ExecutionResult:
        """Carry the plan out until it ends or yields; continue it if it was begun before."""

    async def execute_single_step(self, step_index: int | None = None) -> SingleStepResult:
        """Carry out one ready step: the one at `step_index` of the plan, else the first."""

    async def get_state(self) -> ExecutionState:
        """Return what is durable."""

    async def yield_execution(self, reason: str) -> None:
        """Ask the running segment to end before its next batch."""
