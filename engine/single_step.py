"""One step of a plan, and nothing more: how `WorkflowExecutor.execute_single_step` ends a segment."""

from engine.decision import AwaitPerson, Complete, RollBack, RunBatch
from engine.errors import StepNotReadyError
from engine.results import single_result
from engine.segment import Segment
from engine.types.execution import SingleStepResult, YieldReason


async def run_single_step(segment: Segment, step_index: int | None) -> SingleStepResult:
    """Carry out one ready step of a segment and end it; see `WorkflowExecutor`.

    Raises:
        engine.errors.StepNotReadyError: that step cannot run now; the lease was given back.
    """
    action = segment.next_action()
    if not isinstance(action, RunBatch):
        if isinstance(action, Complete | RollBack | AwaitPerson):
            result = await segment.end(action)
        else:
            result = await segment.yield_now(YieldReason.SINGLE_STEP)
        return single_result(result, segment.progress, None)
    index = action.indexes[0] if step_index is None else step_index
    if index not in action.indexes:
        await segment.yield_now(YieldReason.SINGLE_STEP)
        raise StepNotReadyError(f"step {index} is not ready; ready are {list(action.indexes)}")
    await segment.run_step(index)
    after = segment.next_action()
    if isinstance(after, Complete | RollBack):
        result = await segment.end(after)
    else:
        result = await segment.yield_now(YieldReason.SINGLE_STEP)
    return single_result(result, segment.progress, index)
