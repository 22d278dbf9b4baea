"""The task record of an execution, the queue it stands in, and the schedule of its segments."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from redis.asyncio import Redis

from legacy.execution_state import iso_time
from legacy.failures import MemoryFailure, text_of
from legacy.json_values import parse_stored
from legacy.memory import store_text
from legacy.ports import Clock

TASK_TTL_S: Final = 86_400
SCHEDULED_ITEM_TTL_S: Final = 3_600
QUEUE_KEY: Final = "shared:shared:task_queue"  # the doubled prefix is real
SCHEDULE_KEY: Final = "shared:shared:task_queue:scheduled"

LEGAL_MOVES: Final[Mapping[str, tuple[str, ...]]] = {
    "pending": ("in_progress", "cancelled"),
    "in_progress": (
        "completed",
        "failed",
        "awaiting_confirmation",
        "cancelled",
        "compensating",
    ),
    "awaiting_confirmation": ("in_progress", "cancelled", "failed"),
    "failed": ("compensating",),
    "compensating": ("compensated", "failed"),
}
SETTLED: Final = frozenset({"completed", "failed", "cancelled", "compensated"})

TaskRecord: TypeAlias = dict[str, Any]


def task_key(execution_id: str) -> str:
    """Return the key of an execution's task record."""
    return f"shared:shared:task_state:{execution_id}"


def item_key(execution_id: str) -> str:
    """Return the key of an execution's scheduled item."""
    return f"{QUEUE_KEY}:{execution_id}"


class TaskService:
    """Reads, creates and moves task records, and schedules segments.

    Quirk 55: nothing ever leaves the queue or the schedule.
    """

    def __init__(self, redis: Redis, clock: Clock) -> None:
        """Keep records in `redis`."""
        self._redis = redis
        self._clock = clock

    async def find(self, execution_id: str) -> TaskRecord | None:
        """Return the record, or None if there is none or it cannot be read."""
        try:
            return await self._read(execution_id)
        except Exception:  # noqa: BLE001 - Quirk 49: a read error counts as "no record"
            return None

    async def create(
        self,
        execution_id: str,
        *,
        intent_id: str | None,
        start_step_index: int,
        segment_number: int,
        total_steps: int,
    ) -> None:
        """Write a pending record and put it in the queue.

        Raises:
            MemoryFailure: the store failed.
        """
        now = iso_time(self._clock.now_ms())
        record: TaskRecord = {"task_id": execution_id}
        if intent_id is not None:
            record["intent_id"] = intent_id
        record |= {
            "status": "pending",
            "current_step_index": start_step_index,
            "total_steps": total_steps,
            "segment_number": segment_number,
            "created_at": now,
            "updated_at": now,
            "transitions": [_transition("pending", "pending", now, "EXECUTION_STARTED")],
            "context": {"priority": segment_number},
        }
        try:
            await self._write(execution_id, record)
            await self._redis.zadd(QUEUE_KEY, {execution_id: segment_number})
        except Exception as error:
            raise MemoryFailure(f"Failed to create task state: {text_of(error)}") from error

    async def move(self, execution_id: str, status: str, reason: str) -> None:
        """Move the record to `status` if that is legal.

        Quirk 50: an illegal move, a missing record and a store error are ignored alike.
        """
        try:
            record = await self._read(execution_id)
            if record is None or status not in LEGAL_MOVES.get(record["status"], ()):
                return
            now = iso_time(self._clock.now_ms())
            record["transitions"].append(_transition(record["status"], status, now, reason))
            record |= {"status": status, "updated_at": now}
            if status in SETTLED:
                record["completed_at"] = now
            await self._write(execution_id, record)
        except Exception:  # noqa: BLE001 - Quirk 50
            return

    async def add_context(self, execution_id: str, context: Mapping[str, Any]) -> None:
        """Merge `context` into the record's context.

        Quirk 47: a missing record and a store error are ignored, so a checkpoint may be announced
        that was never stored.
        Quirk 6: the record's own index and segment number stay what they were.
        """
        try:
            record = await self._read(execution_id)
            if record is None:
                return
            record["context"] = {**record["context"], **context}
            record["updated_at"] = iso_time(self._clock.now_ms())
            await self._write(execution_id, record)
        except Exception:  # noqa: BLE001 - Quirk 47
            return

    async def schedule(self, execution_id: str, item: Mapping[str, Any], *, delay_ms: int) -> None:
        """Store the item of a segment and note when it is due.

        Quirk 7: nobody uses the index and the segment number that the item carries.

        Raises:
            MemoryFailure: the store failed.
        """
        now_ms = self._clock.now_ms()
        document = {
            "task_id": execution_id,
            **item,
            "scheduled_at": iso_time(now_ms),
            "due_at": iso_time(now_ms + delay_ms),
            "max_attempts": 3,
        }
        try:
            await store_text(self._redis, item_key(execution_id), SCHEDULED_ITEM_TTL_S, document)
            await self._redis.zadd(SCHEDULE_KEY, {execution_id: now_ms + delay_ms})
        except Exception as error:
            raise MemoryFailure(f"Failed to schedule task: {text_of(error)}") from error

    async def _read(self, execution_id: str) -> TaskRecord | None:
        stored = await self._redis.get(task_key(execution_id))
        if stored is None:
            return None
        record: TaskRecord = parse_stored(stored)
        return record

    async def _write(self, execution_id: str, record: TaskRecord) -> None:
        await store_text(self._redis, task_key(execution_id), TASK_TTL_S, record)


def _transition(origin: str, status: str, timestamp: str, reason: str) -> dict[str, str]:
    return {"from": origin, "to": status, "timestamp": timestamp, "reason": reason}
