"""The wire form of the scripts' arguments and replies. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine import codec
from engine.limits import MAX_OUTBOX_EVENTS
from engine.states import ExecutionStatus
from engine.store import Beginning, DueAt, Lease, Transition

GUARDS = ("fence", "version", "lease_owner")
"""Fields of the head that tell whether a lease's last write is there; see `is_kept`."""


def is_kept(lease: Lease, guards: Sequence[str | None]) -> bool:
    """Whether what was written under `lease` is there: nobody else writes higher versions under it."""
    fence, version, owner = guards
    if (fence, owner) != (str(lease.token), lease.owner) or version is None:
        return False
    return version.isdigit() and int(version) >= lease.version


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
    """Return the arguments of the script `apply`; they are described there.

    What is short and of a known form shares one argument: each one costs the client and the server
    as much as ten times its bytes.
    """
    steps, undone, undoing = transition.steps, transition.undone, transition.undoing
    events, due, expire_s = transition.events, transition.due, transition.expire_s
    execution_id, owner, token, version = lease
    fields: list[str] = []
    removed: list[str] = []
    for name, text in transition.head.items():
        if text is None:
            removed.append(name)
        else:
            fields += (name, text)
    facts = (
        f"{token} {version} {due.at_ms if isinstance(due, DueAt) else due} "
        f"{1 if transition.release else 0} "
        f"{'' if expire_s is None else expire_s} {transition.lease_ms} {now} "
        f"{len(fields) // 2} {len(removed)} {len(steps)} {len(undone)} "
        f"{len(undoing)} {MAX_OUTBOX_EVENTS} {len(events)}"
    )
    arguments = [execution_id, f"{transition.operation_id} {owner}", facts, *fields, *removed]
    for states in (steps, undone) if undone else (steps,):
        for index, state in states.items():
            arguments += (str(index), codec.encode_step(state))
    if undoing:
        arguments += map(str, undoing)
    arguments += map(codec.encode_event, events)
    return arguments


def as_text(value: Any) -> Any:
    """Return a reply with its bytes as text, whatever it is nested in.

    Raises:
        UnicodeDecodeError: some of them are no text; nothing of ours was ever that.
    """
    if isinstance(value, bytes):
        return value.decode()
    return [as_text(item) for item in value] if isinstance(value, list) else value


def as_mapping(value: Any) -> dict[str, str]:
    """Return a hash reply, be it a mapping (RESP3, `hgetall`) or a flat list (scripts)."""
    if isinstance(value, Mapping):
        return {str(as_text(key)): str(as_text(item)) for key, item in value.items()}
    flat = [str(as_text(item)) for item in value]
    return dict(zip(flat[::2], flat[1::2], strict=True))
