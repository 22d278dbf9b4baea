"""What a resume does about steps whose call was under way when the process died."""

from engine.identity import idempotency_key
from engine.progress import Progress
from engine.states import StepStatus
from engine.step_runner import StepRunner, Toolbox
from engine.tools import EffectSemantics
from engine.types.execution import StepState


async def reconcile(
    execution_id: str, progress: Progress, toolbox: Toolbox, runner: StepRunner
) -> dict[int, StepState]:
    """Return the steps in progress whose state is settled by what their tools declare.

    `queryable`: looked up, and completed if the effect happened. `at_most_once`: in doubt until a
    person decides, however often one has decided before. All others are left in progress and
    called again with the same key and input.
    """
    settled: dict[int, StepState] = {}
    for index in progress.ready():
        state = progress.states[index]
        if state.status is not StepStatus.IN_PROGRESS:
            continue
        definition = toolbox.definition(progress.step(index).tool_name)
        if definition is None:
            continue
        if definition.effects is EffectSemantics.AT_MOST_ONCE:
            settled[index] = state.model_copy(update={"status": StepStatus.IN_DOUBT})
        elif definition.lookup is not None:
            found = await definition.lookup(idempotency_key(execution_id, state.id))
            if found is not None and found.success:
                settled[index] = runner.found(progress.step(index), state, found)
    return settled
