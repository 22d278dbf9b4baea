"""What the legacy executor's keys and records mean, in the words of trace/v1. Pure."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from chaos.virtual_time import EPOCH_MS
from conformance.observed_redis import StoreCommand
from conformance.trace import Observations, StateView

TASK_PREFIX = "shared:shared:task_state:"
QUEUE_KEY = "shared:shared:task_queue"
SCHEDULE_KEY = "shared:shared:task_queue:scheduled"
STATE_PREFIX = "ie:intentionengine:execution_state:"
CLAIM_PREFIX = "ie:idempotency:"


class LegacyLens:
    """What the fixed keys of the legacy executor and their values mean."""

    def __init__(self, seen: Observations, now_ms: Callable[[], int]) -> None:
        """Record schedule entries in `seen`."""
        self._seen = seen
        self._now_ms = now_ms
        self._items: dict[str, Mapping[str, Any]] = {}

    def key_kind(self, key: str) -> str:
        """Return the kind of key in the words of the trace."""
        fixed = {QUEUE_KEY: "task_queue", SCHEDULE_KEY: "task_queue_scheduled"}
        if key in fixed:
            return fixed[key]
        for prefix, kind in (
            (TASK_PREFIX, "task_state"),
            (STATE_PREFIX, "execution_state"),
            (CLAIM_PREFIX, "idempotency"),
            (QUEUE_KEY + ":", "task_queue_item"),
        ):
            if key.startswith(prefix):
                return kind
        return "other"

    def detail(self, command: StoreCommand) -> Mapping[str, Any] | None:
        """Tell status and steps of a state, status of a task, index of a claim, score of a zadd."""
        kind = self.key_kind(command.key)
        match command.op, kind:
            case "setex", "execution_state":
                data = json.loads(command.arguments[1])["data"]
                letters = "".join(step["status"][0] for step in data["step_states"])
                return {"status": data["status"], "steps": letters}
            case "setex", "task_state":
                record = json.loads(command.arguments[1])
                return {
                    "status": record["status"],
                    "transitions": len(record["transitions"]),
                    "has_checkpoint": "execution_state" in record["context"],
                }
            case "set", "idempotency":
                index = int(command.key.rpartition(":")[2])
                return {"index": index, "duplicate": bool(command.existed)}
            case "zadd", "task_queue_scheduled":
                return {"score": int(command.arguments[0]) - EPOCH_MS}
            case "zadd", _:
                return {"score": int(command.arguments[0])}
            case _:
                return None

    def applied(self, command: StoreCommand) -> None:
        """Remember scheduled items, and record each when it enters the schedule."""
        kind = self.key_kind(command.key)
        if command.op == "setex" and kind == "task_queue_item":
            execution_id = command.key.removeprefix(QUEUE_KEY + ":")
            self._items[execution_id] = json.loads(command.arguments[1])
        elif command.op == "zadd" and kind == "task_queue_scheduled":
            due_ms, execution_id = int(command.arguments[0]), command.arguments[1]
            item = self._items.get(execution_id, {})
            now_ms = self._now_ms()
            self._seen.scheduled.append(
                {
                    "start_step_index": item.get("start_step_index"),
                    "segment_number": item.get("segment_number"),
                    "delay_s": (due_ms - now_ms) // 1000,
                    "at_ms": now_ms - EPOCH_MS,
                    "priority": item.get("priority"),
                }
            )


def state_view(document: Mapping[str, Any]) -> StateView:
    """Return a stored execution state in the words of trace/v1."""
    error = document.get("error")
    return StateView(
        status=document["status"],
        steps=[_step_view(step) for step in document["step_states"]],
        context=document["context"],
        error=None if error is None else {"code": error["code"], "message": error["message"]},
    )


def _step_view(step: Mapping[str, Any]) -> dict[str, Any]:
    error = step.get("error") or {}
    return {
        "id": step["step_id"],
        "status": step["status"],
        "output": step.get("output"),
        "has_output": "output" in step,
        "error_code": error.get("code"),
        "error_message": error.get("message"),
        "attempts": step["attempts"],
        "latency_ms": step.get("latency_ms"),
        "has_input": "input" in step,
        "has_started_at": "started_at" in step,
        "completed_at_ms": at_ms(step.get("completed_at")),
    }


def task_view(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task record in the words of trace/v1."""
    context = record["context"]
    checkpoint = context.get("execution_state")
    return {
        "status": record["status"],
        "current_step_index": record["current_step_index"],
        "segment_number": record["segment_number"],
        "total_steps": record["total_steps"],
        "transitions": [
            [move["from"], move["to"], move["reason"]] for move in record["transitions"]
        ],
        "intent_id": record.get("intent_id"),
        "completed": "completed_at" in record,
        "context": {
            "priority": context.get("priority"),
            "segment_number": context.get("segment_number"),
            "next_step_index": context.get("next_step_index"),
            "checkpoint_status": None if checkpoint is None else checkpoint["status"],
            "last_checkpoint_at_ms": at_ms(context.get("last_checkpoint_at")),
        },
    }


def at_ms(timestamp: str | None) -> int | None:
    """Return virtual milliseconds since the start for an ISO 8601 time."""
    if timestamp is None:
        return None
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000) - EPOCH_MS
