"""Looks at a state: which steps can run, and what their parameters refer to."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.plan import Step
from engine.segment_api.failures import MalformedPlanError
from engine.segment_api.records import ExecutionState
from engine.states import StepStatus
from engine.types import execution as engine_records
from engine.utils import execution_utils


def find_ready_steps(
    state: ExecutionState, steps: Sequence[Mapping[str, Any]], start_index: int
) -> list[Mapping[str, Any]]:
    """Return the steps of the plan that can run now, in the plan's order.

    A step that `state` does not know is not ready, nor is one in front of `start_index`. The
    engine itself has no such index: it reaches every step whose dependencies have completed.
    """
    known = {step.step_id: step for step in state.step_states}
    states = [
        engine_records.StepState(
            id=step["id"],
            status=StepStatus(known[step["id"]].status)
            if step["id"] in known
            else StepStatus.IN_PROGRESS,
        )
        for step in steps
    ]
    plan_steps = [
        Step.model_construct(
            id=step["id"],
            tool_name=step["tool_name"],
            dependencies=tuple(step.get("dependencies") or ()),
        )
        for step in steps
    ]
    ready = execution_utils.find_ready_steps(plan_steps, states)
    return [steps[index] for index in ready if index >= start_index]


def resolve_step_parameters(parameters: Any, state: ExecutionState) -> dict[str, Any]:
    """Return `parameters` with references replaced by outputs of other steps.

    See `engine.utils.execution_utils.resolve_step_parameters`.

    Raises:
        MalformedPlanError: the step has no parameters.
    """
    if parameters is None:
        raise MalformedPlanError("the step has no parameters")
    outputs = {step.step_id: step.output for step in state.step_states if step.has_output}
    return execution_utils.resolve_step_parameters(parameters, outputs)
