"""What a resume does about steps whose call was under way when the process died."""

from engine.progress import Progress
from engine.states import StepStatus
from engine.step_calls import StepCalls, next_call
from engine.toolbox import Toolbox
from engine.tools import EffectSemantics
from engine.types.execution import StepState


async def reconcile(progress: Progress, toolbox: Toolbox, calls: StepCalls) -> dict[int, StepState]:
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
        step = progress.step(index)
        call = next_call(step, state)
        definition = toolbox.definition(call.tool_name)
        if definition is None:
            continue
        if definition.effects is EffectSemantics.AT_MOST_ONCE:
            settled[index] = state.model_copy(update={"status": StepStatus.IN_DOUBT})
        elif definition.lookup is not None:
            found = await definition.lookup(calls.key(step.id, call))
            if found is not None and found.success:
                settled[index] = calls.found(step, state, found)
    return settled
