"""Give an execution back to the legacy segment executor: the way out of a cutover."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from engine import codec, limits
from engine.adoption import CUTOVER, look
from engine.adoption_scripts import HAND_BACK
from engine.decision import needs_confirmation
from engine.errors import ExecutionNotFoundError, HandBackRefusedError, LeaseHeldError
from engine.events import Event, EventName
from engine.identity import IdSource, SystemIdSource
from engine.legacy_records import (
    ITEM_TTL_S,
    TTL_S,
    envelope_of,
    keys_of,
    resumable_task,
    scheduled_item,
)
from engine.plan import Plan
from engine.progress import Progress
from engine.segment_api.records import ExecutionState, state_of
from engine.states import ExecutionStatus, StepStatus
from engine.types import execution as engine_records

if TYPE_CHECKING:
    from engine.redis_store import RedisStore

MAX_LEGACY_STEPS: Final = 100
RESUMABLE: Final = "PLANNED"
"""The status from which the legacy executor resumes; never the one that it writes itself."""
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_SETTLED: Final = frozenset({StepStatus.PENDING, StepStatus.COMPLETED})


@dataclass(frozen=True, slots=True)
class HandBack:
    """What came of `hand_back`.

    Attributes:
        is_new: False: it had been handed back before.
        due_at_ms: when the legacy schedule has it (epoch milliseconds); None if not `is_new`.
    """

    execution_id: str
    is_new: bool
    due_at_ms: int | None = None


async def hand_back(
    execution_id: str,
    *,
    store: "RedisStore | None" = None,
    redis: Any = None,
    retention_s: int = limits.RETENTION_S,
    ids: IdSource | None = None,
) -> HandBack:
    """Write what the legacy executor resumes from, and let go of the execution.

    From then on this engine answers `HANDED_BACK` for it, until it is adopted again. What legacy
    has no place for (how often to retry, how to undo) is kept here and not heeded there.

    Args:
        execution_id: which one.
        store: the engine's store, on the server that has the legacy records.
        redis: a client instead of a store.
        retention_s: how long the engine keeps its own record.
        ids: ids of operations; by default the system's.

    Raises:
        engine.errors.ExecutionNotFoundError: there is no such execution.
        engine.errors.LeaseHeldError: a process works on it.
        engine.errors.HandBackRefusedError: legacy could not go on from where it stands.
        engine.errors.StoreUnavailableError: the store failed; call again.
    """
    source = ids or SystemIdSource()
    if store is None:
        from engine.redis_store import RedisStore  # noqa: PLC0415 - the client is slow to import

        if redis is None:
            raise ValueError("hand_back needs a store or a redis client")
        store = RedisStore(redis, ids=source)
    operation = source.new_id()
    for _ in range(limits.CLAIM_LOOKS):
        seen = await look(store, execution_id)
        if not seen.head:
            raise ExecutionNotFoundError(f"no execution {execution_id}")
        if seen.head.get("schema") == codec.HANDED_BACK:
            return HandBack(execution_id, is_new=False)
        state = codec.decode_state(
            execution_id, seen.head, codec.decode_plan(execution_id, seen.plan), seen.steps
        )
        refusal = next(_refusals(state), None)
        if refusal is not None and not _is_leased(seen.head, seen.now_ms):
            raise HandBackRefusedError(f"execution {execution_id}: {refusal}")
        due_ms = max([seen.now_ms, *_times(state)])
        reply = await store.run_script(
            execution_id,
            HAND_BACK,
            _arguments(operation, state, seen, due_ms, retention_s),
            kinds=[CUTOVER],
            foreign=keys_of(execution_id),
        )
        if reply[0] == "HELD":
            raise LeaseHeldError(
                f"execution {execution_id} is worked on by another process",
                retry_after_ms=int(reply[1]),
            )
        if reply[0] == "HANDED":
            return HandBack(execution_id, is_new=True, due_at_ms=due_ms)
    raise LeaseHeldError(f"execution {execution_id} is claimed by others", retry_after_ms=0)


def _is_leased(head: Any, now_ms: int) -> bool:
    """Whether somebody works on it, so that what it shows is about to change."""
    return bool(head.get("lease_owner")) and int(head.get("lease_until_ms") or 0) > now_ms


def _times(state: engine_records.ExecutionState) -> list[int]:
    times = [state.due_at_ms, *(step.retry_at_ms for step in state.steps)]
    return [at for at in times if at is not None]


def _refusals(state: engine_records.ExecutionState) -> Iterator[str]:
    """Yield why legacy could not go on. Pure."""
    if state.status is not ExecutionStatus.EXECUTING:
        yield f"it stands at {state.status}; only one that is EXECUTING can be handed back"
    for step in state.steps:
        if step.status not in _SETTLED:
            yield f"step {step.id} is {step.status}, which legacy would never take up again"
        elif step.rescue is not None:
            yield f"step {step.id} is being rescued by another call, which legacy cannot make"
    progress = Progress(state.plan, state.steps)
    for index, step in enumerate(state.steps):
        if step.status is StepStatus.PENDING and needs_confirmation(progress, index):
            yield f"step {step.id} needs a person's approval, which legacy does not ask for"
    yield from _shape_faults(state)
    starved = starved_steps(state.plan, {s.id for s in state.steps if s.status != "pending"})
    if starved:
        yield f"legacy would call it a deadlock: it never reaches step {starved[0]} of this plan"


def _shape_faults(state: engine_records.ExecutionState) -> Iterator[str]:
    """Yield where the plan breaks the legacy schema, which each of its writes is held to."""
    plan = state.plan
    named = {"the execution": state.execution_id, "the plan": plan.id}
    named |= {"the plan's intent": plan.intent_id or "none"}
    named |= {f"step {step.id}": step.id for step in plan.steps}
    for what, name in named.items():
        if not _UUID.fullmatch(name):
            yield f"the id of {what} is no UUID, as legacy demands"
    if len(plan.steps) > MAX_LEGACY_STEPS:
        yield f"the plan has {len(plan.steps)} steps; legacy allows {MAX_LEGACY_STEPS}"
    numbers = [step.step_number for step in plan.steps]
    if None in numbers:
        yield "its steps have no step_number, as legacy demands"


def starved_steps(plan: Plan, done: set[str]) -> list[str]:
    """Return the steps that legacy would never run, starting from the completed ones.

    Legacy runs what is ready as one batch, and from then on nothing in front of the highest
    position that the batch had.
    """
    left = {index: step for index, step in enumerate(plan.steps) if step.id not in done}
    settled, start = set(done), 0
    while left:
        batch = [
            index
            for index, step in left.items()
            if index >= start and settled.issuperset(step.dependencies)
        ]
        if not batch:
            break
        settled |= {left.pop(index).id for index in batch}
        start = 1 + max(start, *batch)
    return [step.id for step in left.values()]


def _arguments(
    operation: str,
    state: engine_records.ExecutionState,
    seen: Any,
    due_ms: int,
    retention_s: int,
) -> list[str]:
    handed = _legacy_form(state)
    segment_number = state.segment_number + 1
    task = resumable_task(handed, seen.records.task, segment_number, seen.now_ms)
    item = scheduled_item(handed, segment_number, state.trace_id, now_ms=seen.now_ms, due_ms=due_ms)
    event = Event(
        name=EventName.WORKFLOW_HANDED_BACK,
        execution_id=state.execution_id,
        at_ms=seen.now_ms,
        segment_number=state.segment_number,
        detail={"due_at_ms": due_ms},
        trace_id=state.trace_id,
    )
    documents = (task, envelope_of(handed, seen.now_ms), item)
    return [
        operation,
        codec.SCHEMA_VERSION,
        codec.HANDED_BACK,
        seen.head["fence"],
        seen.head["version"],
        *(json.dumps(document, separators=(",", ":")) for document in documents),
        str(TTL_S),
        str(ITEM_TTL_S),
        str(due_ms),
        str(retention_s),
        str(limits.ROUTE_TTL_S),
        codec.encode_event(event),
        str(segment_number),
    ]


def _legacy_form(state: engine_records.ExecutionState) -> ExecutionState:
    """Return the state as legacy resumes it: planned, completed steps with what they returned."""
    shown = state.model_copy(update={"error": None, "completed_at_ms": None})
    document = state_of(shown).document() | {"status": RESUMABLE}
    for step in document["step_states"]:
        if step["status"] == StepStatus.PENDING:
            for name in ("input", "started_at", "error"):
                step.pop(name, None)
    document["context"].pop("adopted_by", None)
    return ExecutionState.from_document(document)
