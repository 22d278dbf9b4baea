"""Observers: listeners that also want to know what takes time, for spans and durations."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar, runtime_checkable

from engine.errors import EngineError
from engine.states import ExecutionStatus, is_terminal
from engine.store import Claimed
from engine.tools import ToolCall, ToolExecutor, ToolResult
from engine.types.execution import ExecutionState

_LOG = logging.getLogger("planproof.engine")
_Found = TypeVar("_Found")

COMPLETED = "completed"
"""Outcome of a call that succeeded."""
FAILED = "failed"
"""Outcome of a call that did not."""
YIELDED = "yielded"
"""Outcome of a segment that left the execution for later, or for a person."""
INTERRUPTED = "interrupted"
"""Outcome of a segment or a call that was cancelled."""
RAISED = "raised"
"""Outcome of a segment or a call that ended with an exception that is none of the engine's."""


class Observation(Protocol):
    """Something that has begun and is being watched."""

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context of it, to be kept with the execution; None: there is none."""

    def end(self, outcome: str, *, success: bool) -> None:
        """Note how it ended."""


@runtime_checkable
class Observer(Protocol):
    """What a listener has besides to be told of segments, calls and writes.

    Everything is called in the task that it is about, so that what is set for the current context
    holds inside. What an observer raises is logged, as with any listener.
    """

    def segment(self, state: ExecutionState, *, resumed: bool) -> Observation:
        """Begin to watch the segment that continues `state`."""

    def call(self, call: ToolCall) -> Observation:
        """Begin to watch one call of a tool, a compensation included."""

    def checkpoint_written(self, duration_ms: float) -> None:
        """Note how long a transition took to become durable."""


@dataclass(slots=True)
class Watched:
    """What is under way, as the engine sees it: it says how it ended."""

    traceparent: str | None = None
    outcome: str = ""
    success: bool = True

    def ended(self, status: ExecutionStatus) -> None:
        """Note how a segment ended: at the end of the execution, or before."""
        self.outcome = str(status) if is_terminal(status) else YIELDED


class Observers:
    """All observers among the listeners, as one. Falsy if there are none."""

    def __init__(self, listeners: Sequence[object]) -> None:
        """Find the observers among `listeners`."""
        self._observers = [each for each in listeners if isinstance(each, Observer)]

    def __bool__(self) -> bool:
        return bool(self._observers)

    def segment(self, claimed: Claimed) -> AbstractContextManager[Watched]:
        """Watch the body as a segment."""
        return self._watch(lambda each: each.segment(claimed.state, resumed=not claimed.created))

    def call(self, call: ToolCall) -> AbstractContextManager[Watched]:
        """Watch the body as a call."""
        return self._watch(lambda each: each.call(call))

    def checkpoint_written(self, duration_ms: float) -> None:
        """Tell of a write."""
        for each in self._observers:
            _safely(partial(each.checkpoint_written, duration_ms))

    def around(self, tools: ToolExecutor) -> ToolExecutor:
        """Return `tools`, each call of which is watched."""
        return _ObservedTools(tools, self) if self else tools

    @contextmanager
    def _watch(self, begin: Callable[[Observer], Observation]) -> Iterator[Watched]:
        tried = [_safely(partial(begin, each)) for each in self._observers]
        begun = [each for each in tried if each is not None]
        watched = Watched(next((each.traceparent for each in begun if each.traceparent), None))
        try:
            yield watched
        except BaseException as error:
            watched.outcome, watched.success = _outcome(error), False
            raise
        finally:
            for each in reversed(begun):
                _safely(partial(each.end, watched.outcome, success=watched.success))


@dataclass(frozen=True, slots=True)
class _ObservedTools:
    tools: ToolExecutor
    observers: Observers

    async def execute(self, call: ToolCall) -> ToolResult:
        with self.observers.call(call) as watched:
            result: object = await self.tools.execute(call)
            watched.success = isinstance(result, ToolResult) and result.success
            watched.outcome = COMPLETED if watched.success else FAILED
            return result  # type: ignore[return-value]  # the caller checks it


def _outcome(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _outcome((error.subgroup(EngineError) or error).exceptions[0])
    if isinstance(error, asyncio.CancelledError):
        return INTERRUPTED
    return error.code if isinstance(error, EngineError) else RAISED


def _safely(act: Callable[[], _Found]) -> _Found | None:
    """Call an observer; what it raises is its own affair and never fails a step."""
    try:
        return act()
    except Exception:  # noqa: BLE001 - logged; see above
        _LOG.exception("an observer failed")
        return None
