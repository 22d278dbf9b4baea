"""The trace callback: one entry for each step that has ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from engine.events import Event, EventName
from engine.segment_api.records import iso_time

RAISED: Final = "STEP_EXECUTION_FAILED"
"""The code of a step whose call raised or was aborted."""


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One entry for the trace callback. `timestamp` is ISO 8601, `latency_ms` milliseconds."""

    timestamp: str
    event: str
    step_id: str
    latency_ms: int
    error: str | None = None
    phase: str = "execution"


TraceCallback: TypeAlias = Callable[[TraceEntry], None]


@dataclass(frozen=True, slots=True)
class Tracer:
    """Turns the engine's events into trace entries. What the callback raises is logged."""

    callback: TraceCallback
    started_ms: dict[str, int] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Take note of a start; tell of an end, once it is durable."""
        if event.step_id is None:
            return
        if event.name is EventName.STEP_STARTED:
            self.started_ms[event.step_id] = event.at_ms
        elif event.name in {EventName.STEP_COMPLETED, EventName.STEP_FAILED}:
            latency_ms = event.at_ms - self.started_ms.pop(event.step_id, event.at_ms)
            self.callback(
                TraceEntry(
                    timestamp=iso_time(event.at_ms),
                    event=_entry_name(event),
                    step_id=event.step_id,
                    latency_ms=latency_ms,
                    error=event.detail.get("message"),
                )
            )


def _entry_name(event: Event) -> str:
    if event.name is EventName.STEP_COMPLETED:
        return "step_completed"
    return "step_error" if event.detail.get("code") == RAISED else "step_failed"
