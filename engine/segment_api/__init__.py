"""The segment executor's names and calls, carried out by the unified engine.

For code that was written against the segment executor and cannot call the engine directly: code
that hands these names on, subclasses them, wraps them or patches them. New code uses `engine`.

The names have the shapes that such code expects. What differs is what happens: an execution is
durable at every step, can always be resumed, and a failed one is undone. See "Segments" in
`engine/README.md`.
"""

from collections.abc import Mapping
from typing import Any

from engine.abort import AbortController, AbortSignal
from engine.limits import CHECKPOINT_THRESHOLD_MS, RESUME_DELAY_MS, STEP_ABORT_MS
from engine.segment_api.checkpoint import CheckpointManager, ExecutionCheckpoint
from engine.segment_api.claims import ClaimService, IdempotencyService
from engine.segment_api.failures import (
    CheckpointMissingError,
    DeadlockError,
    MalformedPlanError,
    MemoryFailure,
    SchemaViolation,
    SegmentError,
    StateTransitionError,
)
from engine.segment_api.readiness import find_ready_steps, resolve_step_parameters
from engine.segment_api.realtime import RealtimeService
from engine.segment_api.records import (
    LEGAL_TRANSITIONS,
    ExecutionState,
    StepState,
    create_initial_state,
    planned_state,
)
from engine.segment_api.result import DurableExecutionResult
from engine.segment_api.segment_run import SegmentRun
from engine.segment_api.trace import TraceCallback, TraceEntry
from engine.tool_adapters import PositionalTools as ToolExecutor
from engine.tool_adapters import RunEnvironment as ExecutionEnvironment
from engine.tool_adapters import ToolAnswer as ToolExecutionResult
from engine.tools import ParameterFault as ParameterError

__all__ = [
    "CHECKPOINT_THRESHOLD_MS",
    "LEGAL_TRANSITIONS",
    "RESUME_DELAY_MS",
    "STEP_ABORT_MS",
    "AbortController",
    "AbortSignal",
    "CheckpointManager",
    "CheckpointMissingError",
    "DeadlockError",
    "DurableExecutionResult",
    "ExecutionCheckpoint",
    "ExecutionEnvironment",
    "ExecutionState",
    "IdempotencyService",
    "MalformedPlanError",
    "MemoryFailure",
    "ParameterError",
    "RealtimeService",
    "SchemaViolation",
    "SegmentError",
    "StateTransitionError",
    "StepState",
    "ToolExecutionResult",
    "ToolExecutor",
    "TraceEntry",
    "create_initial_state",
    "execute_segment",
    "find_ready_steps",
    "planned_state",
    "resolve_step_parameters",
    "resume_from_checkpoint",
]


# The two functions stand in this module, and look `CheckpointManager` and each other up in it, so
# that whoever replaces one of these names here (a test that patches it) replaces what is called.
async def execute_segment(
    plan: Mapping[str, Any],
    tools: ToolExecutor,
    *,
    execution_id: str,
    environment: ExecutionEnvironment | None = None,
    initial_state: ExecutionState | None = None,
    start_step_index: int | None = None,
    segment_number: int | None = None,
    idempotency: ClaimService | None = None,
    trace: TraceCallback | None = None,
    trace_id: str | None = None,
) -> DurableExecutionResult:
    """Run one segment of an execution; begin it if the store does not know it.

    What is durable decides where it goes on. What is handed in is compared with it.

    Args:
        plan: the plan; the same one for every segment.
        tools: carries out the calls.
        execution_id: names the execution.
        environment: store, clock, realtime service, model, validator and tool definitions; None:
            the default store, and none of the others.
        initial_state: where the store does not know the execution, it begins with the steps,
            intent, context and compensations of this state. Where it does, the state must not
            know more than the store; one that knows less is ignored.
        start_step_index: no step is left out: every step in front must have ended, else the call
            is refused.
        segment_number: counts the first segment of a state that is taken over; else the
            engine's own count holds.
        idempotency: asked before the first call of each step; a step that it refuses is skipped.
        trace: is called with an entry for each step that has ended, once that is durable.
        trace_id: is kept with a new execution, and handed on in its events.

    Raises:
        SchemaViolation: the plan or the state is invalid.
        MalformedPlanError: the plan has no list of steps.
        StateTransitionError: the state has ended, or was not planned yet.
        engine.errors.StateConflictError: the state or the index knows more than the store.
        engine.errors.PlanMismatchError: the execution, or the state, has another plan.
        engine.errors.SafetyViolationError: the safety policy forbids the plan.
        engine.errors.LeaseHeldError: another process works on the execution, or has died within
            the term of its lease; try again after `retry_after_ms`.
        MemoryFailure: the store failed; resume when it is back.
    """
    run = SegmentRun(
        execution_id=execution_id,
        tools=tools,
        environment=environment,
        initial_state=initial_state,
        start_step_index=start_step_index or 0,
        segment_number=segment_number or 1,
        idempotency=idempotency,
        trace=trace,
        trace_id=trace_id,
    )
    return await run.run(plan)


async def resume_from_checkpoint(
    execution_id: str,
    tools: ToolExecutor,
    *,
    environment: ExecutionEnvironment | None = None,
    idempotency: ClaimService | None = None,
    trace: TraceCallback | None = None,
    trace_id: str | None = None,
) -> DurableExecutionResult:
    """Run the next segment of an execution that the store knows.

    One that has ended answers with its recorded result, and nothing is called again.

    Raises:
        CheckpointMissingError: the store does not know it.
        SegmentError: as for `execute_segment`.
    """
    checkpoint = await CheckpointManager(environment).load(execution_id)
    if checkpoint is None or checkpoint.plan is None:
        raise CheckpointMissingError(f"No checkpoint found for execution {execution_id}")
    return await execute_segment(
        checkpoint.plan,
        tools,
        execution_id=execution_id,
        environment=environment,
        initial_state=checkpoint.state,
        start_step_index=checkpoint.start_step_index,
        segment_number=checkpoint.segment_number,
        idempotency=idempotency,
        trace=trace,
        trace_id=trace_id,
    )
