"""The names under which callers of segments catch, and raise, what goes wrong.

Where a name is the engine's own class under another name, catching either catches both.
"""

from engine.errors import (
    EngineError,
    ExecutionNotFoundError,
    InvalidPlanError,
    InvalidTransitionError,
    StoreUnavailableError,
)

SegmentError = EngineError
MemoryFailure = StoreUnavailableError
SchemaViolation = InvalidPlanError
StateTransitionError = InvalidTransitionError
CheckpointMissingError = ExecutionNotFoundError


class DeadlockError(EngineError):
    """Pending steps remain and none is ready.

    The engine refuses a plan that could come to this, so it never raises this one.
    """

    code = "DEADLOCK"
    advice = "fix the dependencies of the plan"


class MalformedPlanError(InvalidPlanError):
    """A field is missing without which the plan cannot be read."""

    def __init__(self, message: str = "", *details: object) -> None:
        """Say which field, in one line."""
        EngineError.__init__(self, message, *details)
        self.path, self.complaint, self.kind = "plan", message, "missing"
