"""The wire form of the scripts' arguments and replies. Pure."""

from collections.abc import Mapping
from typing import Any

from engine import codec
from engine.limits import MAX_OUTBOX_EVENTS
from engine.states import ExecutionStatus
from engine.store import Beginning, DueAt, Lease, Transition


def head_of(beginning: Beginning) -> list[str]:
    """Return the first fields of an execution, name after value."""
    created_at_ms = str(beginning.created_at_ms)
    head = {
        "status": str(ExecutionStatus.EXECUTING),
        "segment_number": "0",
        "created_at_ms": created_at_ms,
        "updated_at_ms": created_at_ms,
    }
    intent = codec.encode_intent(beginning.intent)
    if intent is not None:
        head["intent"] = intent
    if beginning.trace_id is not None:
        head["trace_id"] = beginning.trace_id
    return [part for pair in head.items() for part in pair]


def apply_arguments(lease: Lease, transition: Transition, now: str) -> list[str]:
    """Return the arguments of the script `apply`; they are described there."""
    changed = {name: text for name, text in transition.head.items() if text is not None}
    changed |= {"version": str(lease.version + 1), "operation": transition.operation_id}
    removed = [name for name, text in transition.head.items() if text is None]
    due = transition.due
    return [
        lease.execution_id,
        transition.operation_id,
        str(lease.token),
        str(lease.version),
        str(due.at_ms) if isinstance(due, DueAt) else due,
        "1" if transition.release else "0",
        "" if transition.expire_s is None else str(transition.expire_s),
        str(transition.lease_ms),
        now,
        str(len(changed)),
        *(part for pair in changed.items() for part in pair),
        str(len(removed)),
        *removed,
        str(len(transition.steps)),
        *(
            part
            for index, state in transition.steps.items()
            for part in (str(index), codec.encode_step(state))
        ),
        str(len(transition.undone)),
        *(
            part
            for index, state in transition.undone.items()
            for part in (str(index), codec.encode_step(state))
        ),
        str(len(transition.undoing)),
        *(str(index) for index in transition.undoing),
        str(MAX_OUTBOX_EVENTS),
        str(len(transition.events)),
        *(event.model_dump_json(exclude_defaults=True) for event in transition.events),
    ]


def as_text(value: Any) -> Any:
    """Return a reply with its bytes as text, whatever it is nested in.

    Raises:
        UnicodeDecodeError: some of them are no text; nothing of ours was ever that.
    """
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def as_mapping(value: Any) -> dict[str, str]:
    """Return a hash reply, be it a mapping (RESP3, `hgetall`) or a flat list (scripts)."""
    if isinstance(value, Mapping):
        return {str(as_text(key)): str(as_text(item)) for key, item in value.items()}
    flat = [str(as_text(item)) for item in value]
    return dict(zip(flat[::2], flat[1::2], strict=True))
