"""The safety policy: what no plan may do, checked before anything runs. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from engine.errors import SafetyViolationError
from engine.plan import Plan, Step
from engine.remembered import remembered

ANY_TOOL = "*"


@dataclass(frozen=True, slots=True)
class ForbiddenSequence:
    """`then` must not depend on `first`, directly or through other steps."""

    first: str
    then: str
    reason: str


@dataclass(frozen=True, slots=True)
class ParameterLimit:
    """A numeric parameter of a tool must not be above `maximum`."""

    tool_name: str
    parameter: str
    maximum: float


CustomRule: TypeAlias = Callable[[Plan], str | None]
"""Returns why the plan is forbidden, or None."""

NO_EXPORT_OF_RESULTS = ForbiddenSequence(
    first=ANY_TOOL, then="export_data", reason="results of a plan must not leave through an export"
)


@dataclass(frozen=True, slots=True)
class SafetyPolicy:
    """Rules that a plan is checked against, its own `allowed_tools` included.

    Attributes:
        sequences: forbidden orders of tools along dependencies.
        limits: bounds on numeric parameters; references are checked when they are resolved.
        rules: anything else, in code.
    """

    sequences: Sequence[ForbiddenSequence] = (NO_EXPORT_OF_RESULTS,)
    limits: Sequence[ParameterLimit] = ()
    rules: Sequence[CustomRule] = field(default=())

    def check_plan(self, plan: Plan) -> None:
        """Refuse a forbidden plan.

        Raises:
            SafetyViolationError: names the step and the rule.
        """
        allowed = plan.constraints.allowed_tools
        # Without a bound there is nothing to find in them, unless a subclass looks for more.
        if self.limits or allowed is not None or type(self) is not SafetyPolicy:
            self._check_steps(plan.steps, allowed)
        for sequence in self.sequences:
            if sequence.then in _tools_of(plan):
                _check_sequence(plan.steps, sequence)
        for rule in self.rules:
            reason = rule(plan)
            if reason is not None:
                raise SafetyViolationError(f"plan: {reason}")

    def _check_steps(self, steps: Sequence[Step], allowed: Sequence[str] | None) -> None:
        for index, step in enumerate(steps):
            if allowed is not None and step.tool_name not in allowed:
                raise SafetyViolationError(
                    f"plan.steps[{index}].tool_name: {step.tool_name!r} is not among the plan's "
                    "allowed_tools"
                )
            fault = self.parameter_fault(step.tool_name, step.parameters)
            if fault is not None:
                raise SafetyViolationError(f"plan.steps[{index}].parameters: {fault}")
            self._check_compensation(step, allowed, f"plan.steps[{index}].compensation")

    def _check_compensation(self, step: Step, allowed: Sequence[str] | None, place: str) -> None:
        """Hold the undoing call of a plan to the same rules: it is a call like any other."""
        undo = step.compensation
        if undo is None:
            return
        if allowed is not None and undo.tool_name not in allowed:
            raise SafetyViolationError(
                f"{place}: {undo.tool_name!r} is not among the plan's allowed_tools"
            )
        fault = self.parameter_fault(undo.tool_name, undo.parameters)
        if fault is not None:
            raise SafetyViolationError(f"{place}: {fault}")

    def parameter_fault(self, tool_name: str, parameters: Mapping[str, Any]) -> str | None:
        """Return which limit the parameters of a call break, or None."""
        for limit in self.limits:
            value = parameters.get(limit.parameter)
            if (
                limit.tool_name in (tool_name, ANY_TOOL)
                and isinstance(value, int | float)
                and value > limit.maximum
            ):
                return f"{limit.parameter} is {value}, above the limit of {limit.maximum}"
        return None


def _check_sequence(steps: Sequence[Step], sequence: ForbiddenSequence) -> None:
    """Walk the DAG once, carrying along whether a step has `first` among its ancestors."""
    position = {step.id: index for index, step in enumerate(steps)}
    tainted: dict[int, bool] = {}
    for start in range(len(steps)):
        stack = [start]
        while stack:
            index = stack[-1]
            before = [position[name] for name in steps[index].dependencies]
            unknown = [at for at in before if at not in tainted]
            if unknown:
                stack += unknown
                continue
            stack.pop()
            tainted[index] = any(
                tainted[at] or sequence.first in (ANY_TOOL, steps[at].tool_name) for at in before
            )
    for index, step in enumerate(steps):
        own, undo = _tool_names(step)
        if own == sequence.then and tainted[index]:
            place = f"plan.steps[{index}]"
        elif undo == sequence.then and (tainted[index] or sequence.first in (ANY_TOOL, own)):
            place = f"plan.steps[{index}].compensation"
        else:
            continue
        raise SafetyViolationError(
            f"{place}: {sequence.first!r} before {sequence.then!r} is forbidden: {sequence.reason}"
        )


@remembered
def _tools_of(plan: Plan) -> frozenset[str | None]:
    """Return every tool that a plan names, whatever for."""
    return frozenset(name for step in plan.steps for name in _tool_names(step))


def _tool_names(step: Step) -> tuple[str, str | None]:
    """Return the step's tool, and the one that undoes it, which runs after it."""
    return step.tool_name, None if step.compensation is None else step.compensation.tool_name
