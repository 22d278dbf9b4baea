"""The errors of the deprecated front: each is the frozen executor's and the engine's at once.

So that whoever catches one by either name catches what the other executor raises, too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from typing_extensions import deprecated

from engine import segment_api
from engine.errors import EngineError
from legacy import durable_execution as frozen

# Type checkers read literals only, so that each mark spells it out.
ADVICE: Final = "replaced by the unified engine: use `engine`"


# What is caught is never called, so that these warn where they are imported, not where they are made.
@deprecated("replaced by the unified engine: use `engine`", category=None)
class SegmentError(frozen.SegmentError, EngineError):
    """Base of what either executor throws itself."""


@deprecated("replaced by the unified engine: use `engine`", category=None)
class MemoryFailure(SegmentError, frozen.MemoryFailure, segment_api.MemoryFailure):  # noqa: N818 - the executor's name
    """The store failed."""


@deprecated("replaced by the unified engine: use `engine`", category=None)
class SchemaViolation(SegmentError, frozen.SchemaViolation, segment_api.SchemaViolation):  # noqa: N818 - the same
    """A plan, intent or state does not have the shape that the schema asks for."""


@deprecated("replaced by the unified engine: use `engine`", category=None)
class StateTransitionError(
    SegmentError, frozen.StateTransitionError, segment_api.StateTransitionError
):
    """The execution cannot go to EXECUTING."""


@deprecated("replaced by the unified engine: use `engine`", category=None)
class CheckpointMissingError(
    SegmentError, frozen.CheckpointMissingError, segment_api.CheckpointMissingError
):
    """There is nothing to resume."""


@deprecated("replaced by the unified engine: use `engine`", category=None)
class DeadlockError(SegmentError, frozen.DeadlockError, segment_api.DeadlockError):
    """Pending steps remain and none of them is ready."""


@deprecated("replaced by the unified engine: use `engine`", category=None)
class MalformedPlanError(SegmentError, frozen.MalformedPlanError, segment_api.MalformedPlanError):
    """A field that the plan leaves out was read."""


FAILURES: Final[tuple[type[SegmentError], ...]] = (
    MemoryFailure,
    MalformedPlanError,
    SchemaViolation,
    StateTransitionError,
    CheckpointMissingError,
    DeadlockError,
    SegmentError,
)


@contextmanager
def told_by_the_front() -> Iterator[None]:
    """Raise what the body raises as the front's class; see `of_the_front`."""
    try:
        yield
    except Exception as error:
        converted = of_the_front(error)
        if converted is error:
            raise
        raise converted from error


def of_the_front(error: Exception) -> Exception:
    """Return `error` as the front's class; itself, if neither executor threw it.

    An engine error without a legacy counterpart (a lease held, say) is a `SegmentError` of the
    front and keeps its own code in `code`.
    """
    if isinstance(error, SegmentError):
        return error
    for kind in FAILURES:
        names: tuple[Any, ...] = (getattr(frozen, kind.__name__), _engine_class(kind.__name__))
        if isinstance(error, names):
            return _converted(error, kind)
    return error


def _engine_class(name: str) -> Any:
    return getattr(segment_api, name)


def _converted(error: Exception, kind: type[SegmentError]) -> Exception:
    """Return an instance of `kind` that says what `error` says; no constructor is run."""
    converted = kind.__new__(kind)
    converted.__dict__.update(vars(error))
    converted.args = error.args
    converted.__dict__.setdefault("message", str(error))
    for name in ("code", "retriable", "advice", "name"):
        if hasattr(error, name):
            converted.__dict__[name] = getattr(error, name)
    return converted
