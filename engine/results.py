"""What callers get: results as records, made from what is durable."""

from engine.progress import Progress
from engine.saga import compensated, uncompensated
from engine.states import ExecutionStatus
from engine.types.execution import ExecutionResult, ExecutionState, SingleStepResult


def recorded_result(state: ExecutionState) -> ExecutionResult:
    """Return the result of an execution that has ended, as it is recorded."""
    progress = Progress(state.plan, state.steps)
    return ExecutionResult(
        execution_id=state.execution_id,
        status=state.status,
        success=state.status is ExecutionStatus.COMPLETED,
        is_partial=False,
        completed_steps=progress.completed,
        failed_steps=progress.failed,
        total_steps=progress.total,
        segment_number=state.segment_number,
        execution_time_ms=0,
        error=state.error,
        compensated_steps=compensated(progress),
        uncompensated_steps=uncompensated(progress),
        steps=state.steps,
    )


def single_result(
    result: ExecutionResult, progress: Progress, index: int | None
) -> SingleStepResult:
    """Return what one step achieved; `index` is its position, None if none was run."""
    return SingleStepResult(
        execution_id=result.execution_id,
        status=result.status,
        step=None if index is None else progress.states[index],
        has_more=result.is_partial,
        error=result.error,
    )
