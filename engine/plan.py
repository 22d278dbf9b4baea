"""The plan: what a caller hands over, validated once, with the path of the first fault."""

import graphlib
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.errors import InvalidPlanError
from engine.json_form import JsonObject
from engine.limits import DEFAULT_TIMEOUT_MS, MAX_PLAN_BYTES
from engine.remembered import remembered


class PlanRecord(BaseModel):
    """Base of the plan's records: frozen; unknown keys are kept out, as the old schema did."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", protected_namespaces=(), ser_json_inf_nan="constants"
    )


class RetryPolicy(PlanRecord):
    """How often a step's call may be made, and how long to wait before the next.

    Attributes:
        max_attempts: calls in all, the first included.
        backoff_ms: pause before the second call.
        multiplier: factor on each further pause.
        jitter: share of the pause, 0 to 1, that is drawn at random and taken off.
    """

    max_attempts: int = Field(default=1, ge=1)
    backoff_ms: int = Field(default=0, ge=0)
    multiplier: float = Field(default=2.0, ge=1.0)
    jitter: float = Field(default=0.0, ge=0.0, le=1.0)


class Compensation(PlanRecord):
    """The call that undoes a completed step."""

    tool_name: str = Field(min_length=1)
    parameters: JsonObject = Field(default_factory=dict)


class Step(PlanRecord):
    """One tool call of a plan. `dependencies` are step ids; durations are milliseconds."""

    id: str = Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")
    step_number: int | None = Field(default=None, ge=0)
    tool_name: str = Field(min_length=1)
    tool_version: str | None = None
    parameters: JsonObject = Field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    description: str = ""
    requires_confirmation: bool = False
    timeout_ms: int = Field(default=DEFAULT_TIMEOUT_MS, gt=0)
    estimated_tokens: int | None = None
    retry_policy: RetryPolicy | None = None
    compensation: Compensation | None = None

    @property
    def label(self) -> str:
        """What people call the step: its description, else its tool."""
        return self.description or self.tool_name


class Constraints(PlanRecord):
    """What the planner promised to keep to."""

    max_steps: int | None = Field(default=None, ge=1)
    max_total_tokens: int | None = None
    max_execution_time_ms: int | None = Field(default=None, gt=0)
    allowed_tools: tuple[str, ...] | None = None
    require_confirmation_for: tuple[str, ...] = ()


class Plan(PlanRecord):
    """A DAG of tool calls. The order of `steps` decides ties, never reachability.

    What follows from a plan is worked out once: a plan that was used is not changed any more.
    """

    id: str = Field(min_length=1)
    intent_id: str | None = None
    steps: tuple[Step, ...] = ()
    constraints: Constraints = Constraints()
    metadata: JsonObject = Field(default_factory=dict)
    summary: str = ""

    @model_validator(mode="after")
    def _graph(self) -> Self:
        _check_graph(self.steps)
        return self

    def digest(self) -> str:
        """Return a hash of what the plan does: its steps' ids, tools, parameters, dependencies.

        Two plans of one execution with equal digests are the same plan, however they are described.
        """
        return _digest(self)


@remembered
def _digest(plan: Plan) -> str:
    essence = [(step.id, step.tool_name, step.parameters, step.dependencies) for step in plan.steps]
    return hashlib.sha256(json.dumps(essence, sort_keys=True).encode()).hexdigest()


@remembered
def plan_text(plan: Plan) -> str:
    """Return the stored form of a plan.

    Raises:
        ValueError: a text in it has no UTF-8 form, or a value no JSON form.
    """
    return plan.model_dump_json(exclude_defaults=True)


def parse_plan(document: "Plan | Mapping[str, Any]") -> Plan:
    """Return the validated plan.

    Raises:
        InvalidPlanError: with the path of the first fault; nothing else was done.
    """
    if isinstance(document, Plan):
        return _sized(document)
    if not isinstance(document, Mapping):
        raise InvalidPlanError("plan", "a plan is a mapping")
    try:
        return _sized(Plan.model_validate(document))
    except InvalidPlanError:
        raise
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise InvalidPlanError(_path(fault["loc"]), fault["msg"], fault["type"]) from None


def _sized(plan: Plan) -> Plan:
    """Return `plan` if it can be stored: text throughout, and not too large."""
    try:
        size = len(plan_text(plan))
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise InvalidPlanError("plan", f"it has no JSON form: {reason}") from None
    if size > MAX_PLAN_BYTES:
        complaint = f"{size} characters of JSON, allowed are {MAX_PLAN_BYTES}"
        raise InvalidPlanError("plan", complaint)
    return plan


def _path(location: tuple[int | str, ...]) -> str:
    path = "plan"
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def _check_graph(steps: tuple[Step, ...]) -> None:
    """Demand unique ids, known dependencies, no cycle, and step numbers that agree with it."""
    position: dict[str, int] = {}
    for index, step in enumerate(steps):
        if position.setdefault(step.id, index) != index:
            raise InvalidPlanError(f"plan.steps[{index}].id", f"duplicate step id {step.id!r}")
    for index, step in enumerate(steps):
        for at, dependency in enumerate(step.dependencies):
            if dependency not in position:
                raise InvalidPlanError(
                    f"plan.steps[{index}].dependencies[{at}]",
                    f"no step has the id {dependency!r}",
                )
    _check_acyclic(steps, position)
    _check_numbers(steps, position)


def _check_acyclic(steps: tuple[Step, ...], position: Mapping[str, int]) -> None:
    if all(position[name] < at for at, step in enumerate(steps) for name in step.dependencies):
        return  # as nearly all plans are written: each step after those that it depends on
    sorter = graphlib.TopologicalSorter({step.id: step.dependencies for step in steps})
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        cycle: list[str] = list(reversed(error.args[1]))
        raise InvalidPlanError(
            f"plan.steps[{position[cycle[0]]}].dependencies",
            f"dependencies form a cycle: {' -> '.join(cycle)}",
        ) from None


def _check_numbers(steps: tuple[Step, ...], position: Mapping[str, int]) -> None:
    """Where step numbers are given they are 0..n-1, each once, lower before higher."""
    seen: set[int] = set()
    for index, step in enumerate(steps):
        number = step.step_number
        if number is None:
            continue
        if number >= len(steps) or number in seen:
            raise InvalidPlanError(
                f"plan.steps[{index}].step_number",
                f"step numbers must be exactly 0 to {len(steps) - 1}, each once; found {number}",
            )
        seen.add(number)
        for at, dependency in enumerate(step.dependencies):
            earlier = steps[position[dependency]].step_number
            if earlier is not None and earlier >= number:
                raise InvalidPlanError(
                    f"plan.steps[{index}].dependencies[{at}]",
                    "a dependency must have a lower step_number",
                )
