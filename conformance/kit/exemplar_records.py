"""The records of the exemplar, the values in them, and the alarm of its calls."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from conformance.subject import SegmentResult
from conformance.trace import StateView
from conformance.world import World

Record: TypeAlias = dict[str, Any]


class Alarm:
    """An abort signal that goes off after so many milliseconds."""

    def __init__(self, world: World, timeout_ms: int) -> None:
        """Go off on the clock of `world`."""
        self.aborted = False
        self._listeners: list[Any] = []
        self._timer = world.clock.call_later_ms(timeout_ms, self._go_off)

    def add_listener(self, listener: Any) -> None:
        """Call `listener` when it goes off."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Any) -> None:
        """Forget `listener`."""
        self._listeners.remove(listener)

    def stop(self) -> None:
        """Never go off."""
        self._timer.cancel()

    def _go_off(self) -> None:
        self.aborted = True
        for listener in list(self._listeners):
            listener()


def planned(record: Record, step: Record) -> Mapping[str, Any]:
    """Return the step of the plan that a step's record belongs to."""
    found: Mapping[str, Any] = next(s for s in record["plan"]["steps"] if s["id"] == step["id"])
    return found


def view(record: Record) -> StateView:
    """Return a record in the words of trace/v1."""
    return StateView(
        status=record["status"],
        steps=[
            {
                "id": step["id"],
                "status": step["status"],
                "output": step["output"],
                "error_code": None if step["error"] is None else "STEP_FAILED",
                "error_message": step["error"],
                "attempts": step["attempts"],
                "latency_ms": None,
            }
            for step in record["steps"]
        ],
    )


def segment_result(record: Record) -> SegmentResult:
    """Return what a call answers about a run."""
    statuses = [step["status"] for step in record["steps"]]
    return SegmentResult(
        success=record["status"] == "COMPLETED",
        is_partial=record["status"] in {"PLANNED", "EXECUTING"},
        completed_steps=statuses.count("completed"),
        failed_steps=statuses.count("failed"),
        total_steps=len(statuses),
        state=view(record),
    )
