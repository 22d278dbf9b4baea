"""An observer that keeps nothing: that it is there changes when an execution's first write is made."""

from engine.events import Event
from engine.observer import Observation
from engine.tools import ToolCall
from engine.types.execution import ExecutionState


class _Unseen:
    traceparent: str | None = None

    def end(self, outcome: str, *, success: bool) -> None:
        """Keep nothing."""


class Watcher:
    """`engine.observer.Observer`, and a listener."""

    def __call__(self, event: Event) -> None:
        """Keep nothing."""

    def segment(self, state: ExecutionState, *, resumed: bool) -> Observation:  # noqa: ARG002 - of the interface
        """Watch a segment."""
        return _Unseen()

    def call(self, call: ToolCall) -> Observation:  # noqa: ARG002 - of the interface
        """Watch a call."""
        return _Unseen()

    def checkpoint_written(self, duration_ms: float) -> None:
        """Keep nothing."""
