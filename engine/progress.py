"""What this process knows of a running execution. Kept up to date in time linear in the plan."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from engine.plan import Plan, Step
from engine.remembered import remembered
from engine.schedule import Frontier, dependency_positions, reversed_edges
from engine.states import StepStatus
from engine.types.execution import StepState


class _Layout(NamedTuple):
    """The plan's DAG by positions, and the steps that a person must approve first."""

    position: dict[str, int]
    dependencies: list[list[int]]
    dependants: list[list[int]]
    asking: frozenset[int]


@remembered
def _layout(plan: Plan) -> _Layout:
    position = {step.id: index for index, step in enumerate(plan.steps)}
    dependencies = dependency_positions(position, (step.dependencies for step in plan.steps))
    asked_for = plan.constraints.require_confirmation_for
    asking = frozenset(
        index
        for index, step in enumerate(plan.steps)
        if step.requires_confirmation or step.tool_name in asked_for
    )
    return _Layout(position, dependencies, reversed_edges(dependencies), asking)


class Progress:
    """Step states by position, which of them are ready, and what they returned. No I/O."""

    def __init__(self, plan: Plan, states: Iterable[StepState]) -> None:
        """Take up where `states` stand; steps in progress are ready again."""
        self.plan = plan
        self.states = list(states)
        self.position, self.dependencies, self.dependants, self.asking = _layout(plan)
        self.outputs: dict[str, Any] = {}
        self.completed = 0
        self.failed = 0
        self._frontier = Frontier(self.dependencies, self.dependants)
        self._settle()

    def step(self, index: int) -> Step:
        """Return the step at a position."""
        return self.plan.steps[index]

    @property
    def total(self) -> int:
        """How many steps the plan has."""
        return len(self.plan.steps)

    @property
    def finished(self) -> bool:
        """Whether every step completed."""
        return self.completed == self.total

    def ready(self) -> list[int]:
        """Return the positions that are ready now, in plan order. They stay ready."""
        return self._frontier.ready()

    def start(self, index: int) -> None:
        """Note that a ready step is being carried out: it is not ready until it is applied."""
        self._frontier.take(index)

    def apply(self, index: int, state: StepState) -> None:
        """Replace the state of a ready step; one that completes makes its dependants ready."""
        self.states[index] = state
        self._count(index, state)

    def _settle(self) -> None:
        """Walk from the roots over everything that has ended."""
        found = self._frontier.ready()
        while found:
            index = found.pop()
            found += self._count(index, self.states[index])

    def _count(self, index: int, state: StepState) -> list[int]:
        """Count a step that has ended; return those that became ready by it."""
        if state.status is StepStatus.COMPLETED:
            self.completed += 1
            if state.has_output:
                self.outputs[self.plan.steps[index].id] = state.output
            return self._frontier.complete(index)
        if state.status is StepStatus.FAILED:
            self.failed += 1
            self._frontier.take(index)
        else:
            self._frontier.put_back(index)
        return []
