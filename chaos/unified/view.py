"""What a server's content tells of an execution of the unified engine. Pure."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from chaos.history import StepView
from chaos.port import EXECUTION, DurableView, Image, WrittenEvent
from engine.states import ExecutionStatus, StepStatus, is_terminal

_PENDING = StepView(str(StepStatus.PENDING))
_NOT_UNDONE = "failed"
_TIMES = frozenset({"started_at_ms", "completed_at_ms", "latency_ms"})
_OWN_WAY = _TIMES | {"attempts", "retry_at_ms", "input", "id"}
"""Fields of a step that depend on when and how often it was tried."""

DROPPED_HEAD = frozenset(
    {
        b"version",
        b"operation",
        b"begun_by",
        b"claimed_by",
        b"fence",
        b"events",
        b"segment_number",
        b"updated_at_ms",
        b"created_at_ms",
        b"completed_at_ms",
        b"saga_started_at_ms",
        b"lease_owner",
        b"lease_until_ms",
    }
)
"""Fields of the head that are compared for equality, counted up, or only reported by the engine."""


def stored(image: Image, kind: str, execution_id: str = EXECUTION) -> Any:
    """Return the value of an execution's key: run, plan, steps or outbox; None: there is none."""
    ending = f":{kind}:{execution_id}".encode()
    return next((found.value for key, found in image.items() if key.endswith(ending)), None)


def queued_at_ms(image: Image, execution_id: str = EXECUTION) -> int | None:
    """Return when the resume queue shows the execution; None: it does not."""
    for key, found in image.items():
        if key.endswith(b":due") and execution_id.encode() in found.value:
            return int(found.value[execution_id.encode()])
    return None


def read_view(image: Image, step_ids: Sequence[str]) -> DurableView:
    """Return what an image tells of the execution."""
    head: Mapping[bytes, bytes] | None = stored(image, "run")
    if not head or b"status" not in head:
        return DurableView()
    steps = stored(image, "steps") or {}
    status = head[b"status"].decode()
    waiting = json.loads(head[b"waiting_for"]) if head.get(b"waiting_for") else {}
    views = {
        name: _step_view(steps[str(at).encode()]) if str(at).encode() in steps else _PENDING
        for at, name in enumerate(step_ids)
    }
    return DurableView(
        status=status,
        ended=is_terminal(ExecutionStatus(status)),
        version=int(head[b"version"]),
        epoch=int(head[b"fence"]),
        leased=bool(head.get(b"lease_owner")),
        due_at_ms=queued_at_ms(image),
        waiting_for=waiting.get("step_id"),
        waiting_reason=waiting.get("reason", "requires_confirmation") if waiting else None,
        token=waiting.get("token"),
        steps=views,
        remaining=tuple(name for name in step_ids if _remains(views[name], status)),
        events=tuple(_events(stored(image, "outbox") or ())),
    )


def final_hash(image: Image, step_ids: Sequence[str]) -> str:
    """Return a hash of status, error, and of each step what does not depend on how it came about."""
    head = stored(image, "run") or {}
    steps = stored(image, "steps") or {}
    whole: list[Any] = [head.get(b"status", b"").decode(), head.get(b"error", b"").decode()]
    for at, name in enumerate(step_ids):
        state = json.loads(steps.get(str(at).encode(), b"{}"))
        whole.append((name, {key: state[key] for key in sorted(state) if key not in _OWN_WAY}))
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]


def left_behind(image: Image) -> tuple[str, ...]:
    """Return what an execution that has ended should not have left."""
    found = []
    head = stored(image, "run") or {}
    if head.get(b"lease_owner"):
        found.append("a lease")
    if queued_at_ms(image) is not None:
        found.append("a queue entry")
    found += [
        f"{key.decode(errors='replace')} for ever"
        for key, value in image.items()
        if key.endswith(EXECUTION.encode()) and value.expires_ms is None
    ]
    return tuple(sorted(found))


@lru_cache(maxsize=4096)
def _step_view(text: bytes) -> StepView:
    state = json.loads(text)
    result = None
    if state.get("has_output"):
        output = json.dumps(state.get("output"), sort_keys=True)
        result = hashlib.blake2b(output.encode(), digest_size=8).hexdigest()
    return StepView(
        state.get("status", str(StepStatus.PENDING)), result, state.get("compensation_status")
    )


def _remains(view: StepView, status: str) -> bool:
    """Whether an execution that has failed to undo everything lists the step as not undone."""
    return status == ExecutionStatus.COMPENSATION_FAILED and (
        view.compensation_status == _NOT_UNDONE or view.status == StepStatus.IN_DOUBT
    )


def _events(entries: Sequence[tuple[bytes, tuple[bytes, ...]]]) -> Iterator[WrittenEvent]:
    for _, fields in entries:
        for number, text in zip(fields[::2], fields[1::2], strict=True):
            yield _event(number, text)


@lru_cache(maxsize=8192)
def _event(number: bytes, text: bytes) -> WrittenEvent:
    event = json.loads(text)
    return WrittenEvent(int(number), event["name"], event.get("step_id"))
