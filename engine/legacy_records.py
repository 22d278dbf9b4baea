"""What the legacy segment executor keeps in Redis, read and written without importing it. Pure.

Its records are JSON: a task record, an execution state in an envelope, a scheduled item. A crash
leaves what was saved last, so that the records of one execution may tell different stories; which
of them is believed is said here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from engine.errors import AdoptionRefusedError, CheckpointCorruptError, EngineError
from engine.plan import Plan
from engine.segment_api.records import ExecutionState, epoch_ms, iso_time
from engine.states import ExecutionStatus, StepStatus

TTL_S: Final = 86_400
ITEM_TTL_S: Final = 3_600
QUEUE_KEY: Final = "shared:shared:task_queue"
SCHEDULE_KEY: Final = "shared:shared:task_queue:scheduled"
NAMESPACE: Final = "intentionengine"
ADOPTED_REASON: Final = "ADOPTED_BY_UNIFIED_ENGINE"
HANDED_BACK_REASON: Final = "HANDED_BACK_BY_UNIFIED_ENGINE"
UNFENCED: Final = "cancelled"
"""The task status from which the legacy executor makes no move."""

# Where legacy goes on from, or may be made to; the last is how a failed run is left.
_OPEN: Final = frozenset({"PLANNED", "STARTED", "EXECUTING", "AWAITING_CONFIRMATION", "REFLECTING"})
_ENDED: Final = frozenset({"COMPLETED", "FAILED", "REJECTED", "TIMEOUT", "CANCELLED"})
_STEPS: Final = frozenset({"pending", "in_progress", "completed", "failed"})


def keys_of(execution_id: str) -> tuple[str, str, str, str, str]:
    """Return the keys of task record, state, scheduled item, schedule and queue."""
    return (
        f"shared:shared:task_state:{execution_id}",
        f"ie:{NAMESPACE}:execution_state:{execution_id}",
        f"{QUEUE_KEY}:{execution_id}",
        SCHEDULE_KEY,
        QUEUE_KEY,
    )


@dataclass(frozen=True, slots=True)
class LegacyRecords:
    """The records of one execution.

    Attributes:
        task: the task record; None where there is none.
        envelope: what the execution state is wrapped in; None where there is none.
        state: the newest known state: the saved one, else the checkpoint's.
        item: the scheduled item.
        scheduled_ms: when the schedule has the next segment, in epoch milliseconds.
    """

    execution_id: str
    task: Mapping[str, Any] | None = None
    envelope: Mapping[str, Any] | None = None
    state: ExecutionState | None = None
    item: Mapping[str, Any] = field(default_factory=dict)
    scheduled_ms: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the legacy executor knows nothing of the execution."""
        return self.task is None and self.state is None

    @property
    def has_ended(self) -> bool:
        """Whether the run has come to an end that legacy itself would not leave."""
        return self.state is not None and self.state.status in _ENDED

    @property
    def is_marked(self) -> bool:
        """Whether these records say that the unified engine has taken the execution over."""
        transitions = [] if self.task is None else self.task.get("transitions", [])
        marked = self.state is not None and "adopted_by" in self.state.context
        return marked or any(one.get("reason") == ADOPTED_REASON for one in transitions[-1:])

    @property
    def yielded_ms(self) -> int | None:
        """When the last checkpoint was written, if nothing was saved after it."""
        at = None if self.task is None else self.task["context"].get("last_checkpoint_at")
        if at is None:
            return None
        at_ms = epoch_ms(at, "context.last_checkpoint_at")
        return None if at_ms < self._saved_ms else at_ms

    @property
    def written_ms(self) -> int:
        """When the executor wrote last, in epoch milliseconds."""
        task_ms = 0 if self.task is None else epoch_ms(self.task["updated_at"], "updated_at")
        return max(task_ms, self._saved_ms)

    @property
    def _saved_ms(self) -> int:
        return 0 if self.state is None else epoch_ms(self.state.updated_at, "updated_at")

    @property
    def segments_begun(self) -> int:
        """How many segments have begun, the one that died included."""
        if self.task is None:
            return 1
        following = self.task["context"].get("segment_number")
        if following is None:
            return int(self.task["segment_number"])
        return int(following) - (self.yielded_ms is not None)

    @property
    def created_ms(self) -> int:
        """When the execution was created, in epoch milliseconds."""
        if self.state is not None:
            return epoch_ms(self.state.created_at, "created_at")
        return 0 if self.task is None else epoch_ms(self.task["created_at"], "created_at")


def read_records(
    execution_id: str, task: str, state: str, item: str, scheduled: str
) -> LegacyRecords:
    """Return the records that these texts hold; '' stands for a key that is not there.

    Raises:
        CheckpointCorruptError: one of them is not what the legacy executor writes.
    """
    try:
        record = json.loads(task) if task else None
        envelope = json.loads(state) if state else None
        found = LegacyRecords(
            execution_id=execution_id,
            task=record,
            envelope=envelope,
            state=_newest(record, envelope),
            item=json.loads(item) if item else {},
            scheduled_ms=int(float(scheduled)) if scheduled else None,
        )
        _check(found)
    except (CheckpointCorruptError, AdoptionRefusedError):
        raise
    # Whatever foreign JSON can hold raises one of these where a field is read.
    except (
        EngineError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CheckpointCorruptError(
            f"execution {execution_id}: the legacy records cannot be read: {reason}"
        ) from None
    return found


def _newest(task: Mapping[str, Any] | None, envelope: Mapping[str, Any] | None) -> Any:
    """The state is saved with every step; a checkpoint outlives the end of its run."""
    if envelope is not None:
        return ExecutionState.from_document(envelope["data"])
    checkpoint = None if task is None else task["context"].get("execution_state")
    return None if checkpoint is None else ExecutionState.from_document(checkpoint)


def _check(found: LegacyRecords) -> None:
    """Read every field that the adoption will need, so that a fault shows before anything is done."""
    _ = found.written_ms, found.yielded_ms, found.segments_begun, found.created_ms, found.is_marked
    identities = {found.execution_id}
    if found.task is not None:
        identities.add(found.task["task_id"])
    if found.state is not None:
        identities.add(found.state.execution_id)
    if len(identities) > 1:
        raise CheckpointCorruptError(
            f"execution {found.execution_id}: the legacy records are another execution's"
        )
    version = 1 if found.envelope is None else found.envelope["version"]
    if version != 1:
        raise AdoptionRefusedError(
            f"execution {found.execution_id}: its legacy state has version {version!r}; known is 1"
        )


def check_open(state: ExecutionState, plan: Plan) -> None:
    """Refuse a state that nothing can be gone on from.

    Raises:
        AdoptionRefusedError: it was not planned yet, or its steps do not fit the plan or each other.
    """
    what = f"execution {state.execution_id}"
    if state.status not in _OPEN:
        raise AdoptionRefusedError(f"{what}: it stands at {state.status}, before it was planned")
    known = {step.step_id: step.status for step in state.step_states}
    if len(known) != len(state.step_states):
        raise AdoptionRefusedError(f"{what}: two of its steps have one id")
    foreign = sorted(known.keys() - {step.id for step in plan.steps})
    if foreign:
        raise AdoptionRefusedError(
            f"{what}: its state has steps of another plan: {', '.join(foreign)}"
        )
    for step in plan.steps:
        status = known.get(step.id, "pending")
        if status not in _STEPS:
            raise AdoptionRefusedError(f"{what}: step {step.id} is {status!r}, which is not known")
        missing = [name for name in step.dependencies if known.get(name) != "completed"]
        if status != "pending" and missing:
            raise AdoptionRefusedError(
                f"{what}: step {step.id} is {status}, but {missing[0]}, which it depends on, "
                "has not completed"
            )


def begun_steps(state: ExecutionState, plan: Plan) -> frozenset[str]:
    """Return the steps whose tools may have been called without a result being known.

    The steps of a legacy batch overwrite each other's mark, and results are saved only when the
    last one has ended: if one step shows as in progress, every pending step that was ready with it
    may have been called, and may have ended, too. If none does, none of the batch was called.
    """
    status = {step.step_id: step.status for step in state.step_states}
    marked = {name for name, one in status.items() if one == StepStatus.IN_PROGRESS}
    if not marked:
        return frozenset()
    ready = {
        step.id
        for step in plan.steps
        if status.get(step.id, "pending") == StepStatus.PENDING
        and all(status.get(name) == StepStatus.COMPLETED for name in step.dependencies)
    }
    return frozenset(marked | ready)


def fenced_task(found: LegacyRecords, now_ms: int) -> str:
    """Return the task record with the marker that no legacy call gets past; '' if there is none."""
    if found.task is None:
        return ""
    context = dict(found.task["context"])
    if "execution_state" in context:
        context["execution_state"] = {**context["execution_state"], "status": "CANCELLED"}
    return _dump(_moved(found.task, UNFENCED, ADOPTED_REASON, now_ms) | {"context": context})


def fenced_state(found: LegacyRecords, now_ms: int) -> str:
    """Return the state with the marker: from CANCELLED the legacy executor goes nowhere."""
    now = iso_time(now_ms)
    state = found.state or ExecutionState(
        execution_id=found.execution_id, status="PLANNED", created_at=now, updated_at=now
    )
    marked = replace(
        state,
        status=str(ExecutionStatus.CANCELLED),
        context={**state.context, "adopted_by": {"engine": "unified", "at": now}},
        updated_at=now,
        completed_at=now,
    )
    return _dump(envelope_of(marked, now_ms))


def envelope_of(state: ExecutionState, now_ms: int) -> dict[str, Any]:
    """Return a state as the legacy executor stores it."""
    return {
        "type": "execution_state",
        "namespace": NAMESPACE,
        "data": state.document(),
        "version": 1,
        "metadata": {"status": state.status, "step_count": len(state.step_states)},
        "key": keys_of(state.execution_id)[1],
        "created_at": iso_time(now_ms),
        "expires_at": iso_time(now_ms + TTL_S * 1000),
        "ttl_seconds": TTL_S,
    }


def resumable_task(
    state: ExecutionState, before: Mapping[str, Any] | None, segment_number: int, now_ms: int
) -> dict[str, Any]:
    """Return a task record whose checkpoint the legacy executor can resume.

    Its own checkpoints say EXECUTING, which it refuses; this one says PLANNED. Its start index is
    0, since legacy never reaches a step in front of the index.
    """
    now = iso_time(now_ms)
    record: dict[str, Any] = {"task_id": state.execution_id}
    if state.intent is not None and "id" in state.intent:
        record["intent_id"] = state.intent["id"]
    record |= {
        "status": "pending",
        "current_step_index": 0,
        "total_steps": len(state.step_states),
        "segment_number": segment_number,
        "created_at": state.created_at,
        "updated_at": now,
        "transitions": [],
        "context": {
            "priority": segment_number,
            "execution_state": state.document(),
            "last_checkpoint_at": now,
            "segment_number": segment_number,
            "next_step_index": 0,
        },
    }
    earlier: Sequence[Any] = () if before is None else before.get("transitions", ())
    record["transitions"] = list(earlier)
    return _moved(record, "pending", HANDED_BACK_REASON, now_ms)


def scheduled_item(
    state: ExecutionState, segment_number: int, trace_id: str | None, *, now_ms: int, due_ms: int
) -> dict[str, Any]:
    """Return the item that the legacy schedule holds for the next segment."""
    return {
        "task_id": state.execution_id,
        "start_step_index": 0,
        "segment_number": segment_number,
        "priority": segment_number,
        "intent_id": None if state.intent is None else state.intent.get("id"),
        "plan_id": None if state.plan is None else state.plan["id"],
        "trace_id": trace_id,
        "scheduled_at": iso_time(now_ms),
        "due_at": iso_time(due_ms),
        "max_attempts": 3,
    }


def _moved(task: Mapping[str, Any], status: str, reason: str, now_ms: int) -> dict[str, Any]:
    now = iso_time(now_ms)
    origin = task["transitions"][-1]["to"] if task["transitions"] else status
    step = {"from": origin, "to": status, "timestamp": now, "reason": reason}
    return {
        **task,
        "status": status,
        "updated_at": now,
        "transitions": [*task["transitions"], step],
    }


def _dump(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))
