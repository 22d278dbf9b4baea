"""Records <-> text, with the schema version checked. Pure."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from engine.errors import (
    CheckpointCorruptError,
    HandedBackError,
    InvalidPlanError,
    UnknownVersionError,
)
from engine.events import Event
from engine.identity import FencingToken
from engine.limits import KNOWN_EXECUTIONS
from engine.plan import Plan, plan_text
from engine.remembered import remembered
from engine.states import ExecutionStatus
from engine.store import Beginning, Claimed, Lease
from engine.trusted import construct
from engine.types.execution import ErrorInfo, ExecutionState, PendingConfirmation, StepState

SCHEMA_VERSION = "1"
HANDED_BACK = "1/handed-back"
"""What stands for the version of an execution that this engine must not touch any more."""

# What `model_dump_json` calls, without what it does before: that costs as much as the text.
_step_json = StepState.__pydantic_serializer__.to_json


def encode_step(state: StepState) -> str:
    """Return the stored form of a step: what differs from a pending one."""
    return _step_json(state, exclude_defaults=True).decode()


def encode_event(event: Event) -> str:
    """Return the stored form of an event."""
    if event.detail or event.trace_id or event.step_id is None or event.step_index is None:
        return event.model_dump_json(exclude_defaults=True)
    return (
        f'{{"name":"{event.name}","execution_id":{_quoted(event.execution_id)},'
        f'"at_ms":{event.at_ms},"segment_number":{event.segment_number},'
        f'"step_id":{_quoted(event.step_id)},"step_index":{event.step_index}}}'
    )


@lru_cache(maxsize=KNOWN_EXECUTIONS)
def _quoted(text: str) -> str:
    return to_json(text).decode()


def encode_plan(plan: Plan) -> str:
    """Return the stored form of a plan."""
    return plan_text(plan)


def encode_error(error: ErrorInfo | None) -> str | None:
    """Return the stored form of an error."""
    return None if error is None else error.model_dump_json()


def encode_waiting(waiting: PendingConfirmation | None) -> str | None:
    """Return the stored form of an awaited confirmation."""
    return None if waiting is None else waiting.model_dump_json()


def encode_intent(intent: Mapping[str, object] | None) -> str | None:
    """Return the stored form of an intent."""
    return None if intent is None else json.dumps(intent, separators=(",", ":"))


def check_version(execution_id: str, found: str | None) -> None:
    """Refuse a record of another schema version.

    Raises:
        UnknownVersionError: it is not the one this engine writes.
        HandedBackError: it is the legacy executor's again.
    """
    if found == HANDED_BACK:
        raise HandedBackError(f"execution {execution_id} was handed back to the legacy executor")
    if found != SCHEMA_VERSION:
        raise UnknownVersionError(
            f"execution {execution_id} has schema version {found!r}; this engine knows "
            f"{SCHEMA_VERSION!r}"
        )


def first_claim(execution_id: str, owner: str, beginning: Beginning) -> Claimed:
    """Return what whoever creates an execution has: its first lease, and the state to be read back."""
    state = first_state(execution_id, beginning)
    return Claimed(first_lease(execution_id, owner), state, created=True)


def first_state(execution_id: str, beginning: Beginning) -> ExecutionState:
    """Return the execution that a beginning creates, as it would be read back."""
    intent = encode_intent(beginning.intent)
    return construct(
        ExecutionState,
        {
            "execution_id": execution_id,
            "status": ExecutionStatus.EXECUTING,
            "plan": beginning.plan,
            "steps": _pending(beginning.plan),
            "segment_number": 0,
            "created_at_ms": beginning.created_at_ms,
            "updated_at_ms": beginning.created_at_ms,
            "intent": None if intent is None else json.loads(intent),
            "trace_id": beginning.trace_id,
        },
    )


def first_lease(execution_id: str, owner: str) -> Lease:
    """Return the lease that a creation gives: always the same token, since there was none before."""
    return Lease(execution_id, owner, FencingToken(1), 1)


@remembered
def _pending(plan: Plan) -> tuple[StepState, ...]:
    return tuple(construct(StepState, {"id": step.id}) for step in plan.steps)


def decode_plan(execution_id: str, text: str) -> Plan:
    """Return the stored plan.

    Raises:
        CheckpointCorruptError: it cannot be read.
    """
    try:
        return Plan.model_validate_json(text)
    except (ValidationError, ValueError, InvalidPlanError) as error:
        raise _corrupt(execution_id, "plan", error) from None


def decode_state(
    execution_id: str, head: Mapping[str, str], plan: Plan, steps: Mapping[str, str]
) -> ExecutionState:
    """Return the execution that the stored fields tell of; steps without a field are pending.

    Raises:
        CheckpointCorruptError: a field cannot be read; the message names it.
        UnknownVersionError: another schema version.
    """
    check_version(execution_id, head.get("schema"))
    try:
        return ExecutionState(
            execution_id=execution_id,
            status=ExecutionStatus(head["status"]),
            plan=plan,
            steps=tuple(_decode_steps(plan, steps)),
            segment_number=int(head["segment_number"]),
            created_at_ms=int(head["created_at_ms"]),
            updated_at_ms=int(head["updated_at_ms"]),
            completed_at_ms=_integer(head.get("completed_at_ms")),
            due_at_ms=_integer(head.get("due_at_ms")),
            error=_model(ErrorInfo, head.get("error")),
            waiting_for=_model(PendingConfirmation, head.get("waiting_for")),
            intent=json.loads(head["intent"]) if "intent" in head else None,
            saga_started_at_ms=_integer(head.get("saga_started_at_ms")),
            trace_id=head.get("trace_id"),
            traceparent=head.get("traceparent"),
        )
    except (KeyError, ValueError) as error:
        raise _corrupt(execution_id, "head or steps", error) from None


def _decode_steps(plan: Plan, steps: Mapping[str, str]) -> Sequence[StepState]:
    return [
        StepState.model_validate_json(steps[str(index)])
        if str(index) in steps
        else StepState(id=step.id)
        for index, step in enumerate(plan.steps)
    ]


def _integer(text: str | None) -> int | None:
    return int(text) if text else None


def _model(kind: type[Any], text: str | None) -> Any:
    return kind.model_validate_json(text) if text else None


def _corrupt(execution_id: str, what: str, error: Exception) -> CheckpointCorruptError:
    reason = str(error).splitlines()[0]
    return CheckpointCorruptError(f"execution {execution_id}: {what} cannot be read: {reason}")
