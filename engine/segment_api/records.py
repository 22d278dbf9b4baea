"""The state of an execution in the field names that callers of segments read.

The engine's own record is `engine.ExecutionState`; these are made from it (`state_of`) and read
back by `engine.segment_api.adoption`, when a caller hands one in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from engine import states
from engine.json_form import durable_form
from engine.plan import Plan, parse_plan
from engine.segment_api.failures import SchemaViolation
from engine.types import execution as engine_records

LEGAL_TRANSITIONS: Final[Mapping[str, tuple[str, ...]]] = {
    str(status): tuple(
        str(target) for target in states.ExecutionStatus if target in states.TRANSITIONS[status]
    )
    for status in states.ExecutionStatus
}
"""The engine's table as text; a status without a successor is terminal."""

COMPENSATION_PREFIX: Final = "compensation:"
CARRIED: Final = "segment_api"
"""The key of an execution's intent under which what the engine has no field for is kept."""

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_NO_TOKENS: Final[Mapping[str, int]] = {
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "total_tokens": 0,
}


def iso_time(epoch_ms: int) -> str:
    """Return the ISO 8601 form, in UTC and to the millisecond."""
    moment = datetime.fromtimestamp(epoch_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}Z"


def epoch_ms(text: str, path: str) -> int:
    """Return the epoch milliseconds of an ISO 8601 time.

    Raises:
        SchemaViolation: it is none; names `path`.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise SchemaViolation(path, "Invalid datetime", "invalid_string") from None
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class StepState:
    """What is known of one step. Absent fields have no key in the stored form."""

    step_id: str
    status: str = "pending"
    attempts: int = 0
    input: dict[str, Any] | None = None
    has_output: bool = False
    output: Any = None
    error: dict[str, Any] | None = None
    started_at: str | None = None
    completed_at: str | None = None
    latency_ms: int | None = None

    def document(self) -> dict[str, Any]:
        """Return the stored form."""
        document: dict[str, Any] = {"step_id": self.step_id, "status": self.status}
        for name in ("input", "output", "error", "started_at", "completed_at"):
            value = getattr(self, name)
            if value is not None or (name == "output" and self.has_output):
                document[name] = value
        document["attempts"] = self.attempts
        if self.latency_ms is not None:
            document["latency_ms"] = self.latency_ms
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "StepState":
        """Read the stored form."""
        known = {name: document[name] for name in cls.__slots__ if name in document}
        return cls(**{**known, "has_output": "output" in document})


@dataclass(frozen=True, slots=True)
class ExecutionState:
    """The whole state of one execution, as a call returns it."""

    execution_id: str
    status: str
    created_at: str
    updated_at: str
    intent: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None
    step_states: tuple[StepState, ...] = ()
    current_step_index: int = 0
    context: Mapping[str, Any] = field(default_factory=dict)
    completed_at: str | None = None
    error: dict[str, Any] | None = None
    token_usage: Mapping[str, int] = field(default_factory=lambda: dict(_NO_TOKENS))
    latency_ms: int = 0

    def count(self, status: str) -> int:
        """Return how many step states have `status`."""
        return sum(step.status == status for step in self.step_states)

    def step(self, step_id: str) -> StepState | None:
        """Return the state of a step, or None."""
        return next((step for step in self.step_states if step.step_id == step_id), None)

    def with_steps(self, changes: Mapping[str, StepState]) -> "ExecutionState":
        """Return a copy in which the steps of these ids are replaced."""
        return replace(
            self,
            step_states=tuple(changes.get(step.step_id, step) for step in self.step_states),
        )

    def document(self) -> dict[str, Any]:
        """Return the stored form."""
        document: dict[str, Any] = {"execution_id": self.execution_id, "status": self.status}
        for name in ("intent", "plan"):
            if getattr(self, name) is not None:
                document[name] = getattr(self, name)
        document["step_states"] = [step.document() for step in self.step_states]
        document["current_step_index"] = self.current_step_index
        document["context"] = dict(self.context)
        document["created_at"] = self.created_at
        document["updated_at"] = self.updated_at
        for name in ("completed_at", "error"):
            if getattr(self, name) is not None:
                document[name] = getattr(self, name)
        document["token_usage"] = dict(self.token_usage)
        document["latency_ms"] = self.latency_ms
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ExecutionState":
        """Read the stored form."""
        known = {name: document[name] for name in cls.__slots__ if name in document}
        steps = tuple(StepState.from_document(step) for step in document.get("step_states", ()))
        return cls(**{**known, "step_states": steps})


def create_initial_state(execution_id: str, now_ms: int) -> ExecutionState:
    """Return a state in RECEIVED, without intent or plan.

    Raises:
        SchemaViolation: `execution_id` is not a UUID.
    """
    if not _UUID.fullmatch(str(execution_id)):
        raise SchemaViolation("execution_id", "Invalid uuid", "invalid_string")
    now = iso_time(now_ms)
    return ExecutionState(
        execution_id=execution_id, status="RECEIVED", created_at=now, updated_at=now
    )


def planned_state(
    execution_id: str, plan: Any, now_ms: int, intent: Any | None = None
) -> ExecutionState:
    """Return a new state in PLANNED that holds the parsed copy of `plan`.

    The intent is kept as it is; the engine reads nothing of it but its `type`.

    Raises:
        SchemaViolation: the id or the plan does not have its shape, or the intent is no object.
    """
    if intent is not None and not isinstance(intent, Mapping):
        raise SchemaViolation("intent", "expected object")
    return replace(
        create_initial_state(execution_id, now_ms),
        status="PLANNED",
        plan=plan_document(parse_plan(plan)),
        intent=None if intent is None else dict(intent),
    )


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return the JSON form of a plan: its defaults are filled in, absent fields have no key."""
    return plan.model_dump(mode="json", exclude_none=True)


def state_of(state: engine_records.ExecutionState) -> ExecutionState:
    """Return what is durable of an execution in this form."""
    intent = dict(state.intent or {})
    carried = intent.pop(CARRIED, {})
    context = dict(carried.get("context", {}))
    for step in state.steps:
        if step.compensation is not None:
            context[COMPENSATION_PREFIX + step.id] = {
                "toolName": step.compensation.tool_name,
                "parameters": dict(step.compensation.parameters),
            }
    return ExecutionState(
        execution_id=state.execution_id,
        status=str(state.status),
        created_at=iso_time(state.created_at_ms),
        updated_at=iso_time(state.updated_at_ms),
        intent=intent or None,
        plan=plan_document(state.plan),
        step_states=tuple(_step_of(step) for step in state.steps),
        context=context,
        completed_at=_iso(state.completed_at_ms),
        error=None if state.error is None else state.error.model_dump(),
        token_usage=carried.get("token_usage", dict(_NO_TOKENS)),
        latency_ms=carried.get("latency_ms", 0),
    )


def carried_intent(state: ExecutionState) -> dict[str, Any] | None:
    """Return the intent to begin an execution with, so that nothing of `state` is lost.

    Raises:
        SchemaViolation: the intent or the context has no JSON form.
    """
    context = {
        name: value
        for name, value in state.context.items()
        if not name.startswith(COMPENSATION_PREFIX)
    }
    carried: dict[str, Any] = {"context": context} if context else {}
    if state.token_usage != _NO_TOKENS:
        carried["token_usage"] = dict(state.token_usage)
    if state.latency_ms:
        carried["latency_ms"] = state.latency_ms
    intent = dict(state.intent or {})
    if carried:
        intent[CARRIED] = carried
    try:
        return durable_form(intent) or None
    except ValueError as error:
        raise SchemaViolation("intent", str(error).splitlines()[0]) from None


def _step_of(step: engine_records.StepState) -> StepState:
    return StepState(
        step_id=step.id,
        status=str(step.status),
        attempts=step.attempts,
        input=step.input,
        has_output=step.has_output,
        output=step.output,
        error=None if step.error is None else step.error.model_dump(),
        started_at=_iso(step.started_at_ms),
        completed_at=_iso(step.completed_at_ms),
        latency_ms=step.latency_ms,
    )


def _iso(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso_time(at_ms)
