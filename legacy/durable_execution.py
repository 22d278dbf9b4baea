"""The segment executor: runs a plan in segments of seven seconds with checkpoints between them.

Frozen. Its bugs are what its consumers run today; each is kept and marked with its number. See
`README.md` in this folder and the manifest `frozen.sha256`.
"""

from collections.abc import Mapping
from typing import Any

from legacy.abort import AbortController, AbortSignal
from legacy.checkpoint import RESUME_DELAY_MS, CheckpointManager, ExecutionCheckpoint
from legacy.execution_state import (
    LEGAL_TRANSITIONS,
    ExecutionState,
    StepState,
    create_initial_state,
    planned_state,
)
from legacy.failures import (
    CheckpointMissingError,
    DeadlockError,
    MalformedPlanError,
    MemoryFailure,
    SchemaViolation,
    SegmentError,
    StateTransitionError,
)
from legacy.idempotency import IdempotencyService
from legacy.parameters import resolve_step_parameters
from legacy.ports import (
    ClaimService,
    ExecutionEnvironment,
    ParameterError,
    ToolExecutionResult,
    ToolExecutor,
    TraceCallback,
    TraceEntry,
)
from legacy.realtime import RealtimeService
from legacy.segment import (
    CHECKPOINT_THRESHOLD_MS,
    DurableExecutionResult,
    Segment,
    find_ready_steps,
)
from legacy.step_execution import STEP_ABORT_MS

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


async def execute_segment(
    plan: Mapping[str, Any],
    tools: ToolExecutor,
    *,
    execution_id: str,
    environment: ExecutionEnvironment,
    initial_state: ExecutionState | None = None,
    start_step_index: int | None = None,
    segment_number: int | None = None,
    idempotency: ClaimService | None = None,
    trace: TraceCallback | None = None,
    trace_id: str | None = None,
) -> DurableExecutionResult:
    """Run one segment of an execution.

    Args:
        plan: the plan as it was made; it is used as it is, without the defaults of its schema.
        tools: carries out the calls.
        execution_id: names the execution; must be a UUID.
        environment: store, clock, realtime service, model, validator and tool definitions.
        initial_state: the state to go on from; else the persisted one, else a new one.
        start_step_index: position in the plan before which nothing runs (default 0).
        segment_number: the ordinal of this segment (default 1).
        idempotency: claims steps before they run; none by default (Quirk 58).
        trace: is called with an entry for each finished call.
        trace_id: is handed on in the schedule and in the event.

    Raises:
        StateTransitionError: the execution cannot go to EXECUTING (Quirk 1).
        SchemaViolation: a new state was needed and the plan or the id is invalid.
        MemoryFailure: the store failed where no handler stands.
    """
    segment = Segment(
        plan,
        tools,
        execution_id=execution_id,
        environment=environment,
        start_step_index=start_step_index or 0,
        segment_number=segment_number or 1,
        idempotency=idempotency,
        trace=trace,
        trace_id=trace_id,
    )
    state = await segment.begin(initial_state)
    return await segment.run(state)


async def resume_from_checkpoint(
    execution_id: str,
    tools: ToolExecutor,
    *,
    environment: ExecutionEnvironment,
    idempotency: ClaimService | None = None,
    trace: TraceCallback | None = None,
    trace_id: str | None = None,
) -> DurableExecutionResult:
    """Run the next segment of an execution that left a checkpoint.

    Quirk 1: the state in a checkpoint is EXECUTING, from which EXECUTING cannot be entered, so
    this always throws unless somebody has edited the checkpoint. Quirk 17: after a crash there
    is no checkpoint at all. Quirk 13: the plan is the first one the execution was given.

    Raises:
        CheckpointMissingError: there is no record, no checkpoint in it, or it cannot be read.
        StateTransitionError: as above; further errors as for `execute_segment`.
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
