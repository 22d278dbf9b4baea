"""The execution state, its schema and the state machine of its status.

Only one transition is ever checked, the one to EXECUTING at the start of a segment. All other
statuses are written directly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from legacy import plan_schema
from legacy.failures import StateTransitionError

# Legal transitions; statuses without a successor are terminal.
LEGAL_TRANSITIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "RECEIVED": ("PARSING", "CANCELLED"),
    "PARSING": ("PARSED", "REJECTED", "TIMEOUT", "FAILED"),
    "PARSED": ("PLANNING", "CANCELLED"),
    "PLANNING": ("PLANNED", "REJECTED", "TIMEOUT", "FAILED"),
    "PLANNED": ("STARTED", "EXECUTING", "CANCELLED"),
    "STARTED": ("EXECUTING", "FAILED", "TIMEOUT", "CANCELLED"),
    "EXECUTING": (
        "COMPLETED",
        "FAILED",
        "TIMEOUT",
        "CANCELLED",
        "REFLECTING",
        "AWAITING_CONFIRMATION",
    ),
    "AWAITING_CONFIRMATION": ("EXECUTING", "CANCELLED", "FAILED"),
    "REFLECTING": ("EXECUTING", "FAILED", "CANCELLED"),
    "COMPLETED": (),
    "FAILED": (),
    "REJECTED": (),
    "TIMEOUT": (),
    "CANCELLED": (),
}

_NO_TOKENS: Final[Mapping[str, int]] = {
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "total_tokens": 0,
}


def iso_time(epoch_ms: int) -> str:
    """Return the ISO 8601 form, to the millisecond, that all records use."""
    moment = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}Z"


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
        return cls(
            step_id=document["step_id"],
            status=document["status"],
            attempts=document.get("attempts", 0),
            input=document.get("input"),
            has_output="output" in document,
            output=document.get("output"),
            error=document.get("error"),
            started_at=document.get("started_at"),
            completed_at=document.get("completed_at"),
            latency_ms=document.get("latency_ms"),
        )


@dataclass(frozen=True, slots=True)
class ExecutionState:
    """The whole state of one execution, as it is stored and as a call returns it."""

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
        if self.intent is not None:
            document["intent"] = self.intent
        if self.plan is not None:
            document["plan"] = self.plan
        document["step_states"] = [step.document() for step in self.step_states]
        document["current_step_index"] = self.current_step_index
        document["context"] = dict(self.context)
        document["created_at"] = self.created_at
        document["updated_at"] = self.updated_at
        if self.completed_at is not None:
            document["completed_at"] = self.completed_at
        if self.error is not None:
            document["error"] = self.error
        document["token_usage"] = dict(self.token_usage)
        document["latency_ms"] = self.latency_ms
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ExecutionState":
        """Read the stored form."""
        return cls(
            execution_id=document["execution_id"],
            status=document["status"],
            created_at=document["created_at"],
            updated_at=document["updated_at"],
            intent=document.get("intent"),
            plan=document.get("plan"),
            step_states=tuple(
                StepState.from_document(step) for step in document.get("step_states", ())
            ),
            current_step_index=document.get("current_step_index", 0),
            context=document.get("context", {}),
            completed_at=document.get("completed_at"),
            error=document.get("error"),
            token_usage=document.get("token_usage", _NO_TOKENS),
            latency_ms=document.get("latency_ms", 0),
        )


def create_initial_state(execution_id: str, now_ms: int) -> ExecutionState:
    """Return a state in RECEIVED, without intent or plan.

    Raises:
        SchemaViolation: `execution_id` is not a UUID.
    """
    now = iso_time(now_ms)
    return ExecutionState(
        execution_id=plan_schema.uuid(execution_id, "execution_id"),
        status="RECEIVED",
        created_at=now,
        updated_at=now,
    )


def planned_state(
    execution_id: str, plan: Any, now_ms: int, intent: Any | None = None
) -> ExecutionState:
    """Return a new state in PLANNED that holds the parsed copies of `plan` and `intent`.

    Raises:
        SchemaViolation: the id, the plan or the intent does not have its shape.
    """
    return replace(
        create_initial_state(execution_id, now_ms),
        status="PLANNED",
        plan=plan_schema.parse_plan(plan),
        intent=None if intent is None else plan_schema.parse_intent(intent),
    )


def start_execution(state: ExecutionState, now_ms: int) -> ExecutionState:
    """Return `state` in EXECUTING.

    Quirk 1: EXECUTING itself is not a legal origin, so no checkpoint can ever be resumed.

    Raises:
        StateTransitionError: the state machine refuses.
    """
    allowed = LEGAL_TRANSITIONS.get(state.status, ())
    if "EXECUTING" in allowed:
        return replace(state, status="EXECUTING", updated_at=iso_time(now_ms))
    if not allowed:
        reason = f"Cannot transition from terminal state '{state.status}'"
    else:
        reason = (
            f"Invalid transition from '{state.status}' to 'EXECUTING'. "
            f"Allowed transitions: {', '.join(allowed)}"
        )
    raise StateTransitionError(
        f"State transition failed: Invalid state transition: {reason}",
    )


def with_missing_steps(
    state: ExecutionState, plan_steps: Sequence[Mapping[str, Any]], now_ms: int
) -> ExecutionState:
    """Return a state that has a step state, pending if new, for each step of the plan, by id.

    Raises:
        SchemaViolation: a new step's id is not a UUID.
    """
    known = {step.step_id for step in state.step_states}
    added: list[StepState] = []
    for step in plan_steps:
        if step["id"] not in known:
            known.add(step["id"])  # Quirk 54: twins share one state
            added.append(StepState(step_id=plan_schema.uuid(step["id"], "step_states.step_id")))
    return replace(state, step_states=(*state.step_states, *added), updated_at=iso_time(now_ms))
