"""One slice of one execution: what any worker does with an id, whoever handed it the id.

A slice goes until the execution yields or ends. Whatever comes of it is a `Slice`; nothing that is
wrong with one execution is raised, so that it cannot keep a worker from the others.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from engine.clock import Clock, SystemClock
from engine.errors import (
    CompensationBegunError,
    EngineError,
    ExecutionNotFoundError,
    LeaseHeldError,
    LeaseLostError,
    StoreUnavailableError,
)
from engine.events import Event, EventName, Listener, tell
from engine.limits import MAX_REFUSED_BACKOFF_MS, REFUSALS_KNOWN, REFUSED_BACKOFF_MS
from engine.store import Store
from engine.types.execution import ExecutionResult, WorkflowExecutor

_LOG = logging.getLogger("planproof.engine")
MachineFactory: TypeAlias = Callable[[str], WorkflowExecutor]
"""Makes the machine of an execution id: `partial(WorkflowMachine, tools=tools, store=store)`."""


class SliceEnd(StrEnum):
    """How a slice ended.

    `ended`: the execution has. `yielded`: it is due again. `waiting`: a person must decide.
    `held`: another process works on it. `lost`: another process took it over. `gone`: there is
    none. `refused`: it cannot be resumed, and is postponed. `store_away`: nothing can be written.
    """

    ENDED = "ended"
    YIELDED = "yielded"
    WAITING = "waiting"
    HELD = "held"
    LOST = "lost"
    GONE = "gone"
    REFUSED = "refused"
    STORE_AWAY = "store_away"


@dataclass(frozen=True, slots=True)
class Slice:
    """What came of one slice.

    Attributes:
        due_at_ms: of one that yielded: when the next slice is due (epoch milliseconds).
        delay_ms: of a refused one: how long it is postponed.
    """

    execution_id: str
    end: SliceEnd
    due_at_ms: int | None = None
    error: Exception | None = None
    delay_ms: int | None = None


class SliceRunner:
    """Drives executions of one store, a slice at a time; any number of them at once."""

    def __init__(
        self,
        store: Store,
        machines: MachineFactory,
        *,
        clock: Clock | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        """Run what `machines` makes.

        Args:
            store: the store of those machines.
            machines: called with the execution id once a slice; what it raises is a refusal.
            clock: the time; by default the system's.
            listeners: called with `RESUME_REFUSED`, of which the store has no record; what they
                raise is logged. Everything else is told to the listeners of the machines.
        """
        self.store = store
        self._machines = machines
        self._clock = clock or SystemClock()
        self._listeners = listeners
        self._due = store.due_queue()
        self._running: dict[int, tuple[str, WorkflowExecutor]] = {}
        self._refusals: OrderedDict[str, int] = OrderedDict()
        self._slices = 0

    @property
    def running(self) -> int:
        """How many slices are under way."""
        return len(self._running)

    async def run(self, execution_id: str) -> Slice:
        """Drive one slice. Raises nothing but what ends the whole process."""
        self._slices += 1
        number = self._slices
        try:
            machine = self._machines(execution_id)
            self._running[number] = execution_id, machine
            done = _slice_of(await machine.execute())
        except LeaseHeldError as error:
            return Slice(execution_id, SliceEnd.HELD, error=error)
        except (LeaseLostError, CompensationBegunError) as error:
            return Slice(execution_id, SliceEnd.LOST, error=error)
        except Exception as error:  # noqa: BLE001 - told to the listeners; see the module
            return await self._refuse(execution_id, error)
        finally:
            self._running.pop(number, None)
        self._refusals.pop(execution_id, None)
        return done

    async def yield_all(self, reason: str, execution_id: str | None = None) -> None:
        """Ask the segments under way, or those of one execution, to end before their next batch."""
        for running_id, machine in list(self._running.values()):
            if execution_id in (None, running_id):
                await machine.yield_execution(reason)

    async def _refuse(self, execution_id: str, error: Exception) -> Slice:
        """Postpone an execution that cannot be resumed, longer each time, and say so.

        A store that can postpone it is not away: then its error is about this execution.
        """
        attempts = self._refusals.get(execution_id, 0)
        delay_ms = min(REFUSED_BACKOFF_MS * 2 ** min(attempts, 30), MAX_REFUSED_BACKOFF_MS)
        try:
            remains = await self._due.postpone(execution_id, delay_ms)
        except StoreUnavailableError as away:
            return Slice(execution_id, SliceEnd.STORE_AWAY, error=away)
        except EngineError as unreadable:
            _LOG.warning("%a cannot be postponed: %s", execution_id, unreadable)
            remains = True
        if isinstance(error, ExecutionNotFoundError) and not remains:
            return Slice(execution_id, SliceEnd.GONE, error=error)
        self._refusals[execution_id] = attempts + 1
        self._refusals.move_to_end(execution_id)
        while len(self._refusals) > REFUSALS_KNOWN:
            self._refusals.popitem(last=False)
        self._tell(execution_id, error, delay_ms)
        return Slice(execution_id, SliceEnd.REFUSED, error=error, delay_ms=delay_ms)

    def _tell(self, execution_id: str, error: Exception, delay_ms: int) -> None:
        code = error.code if isinstance(error, EngineError) else type(error).__name__
        _LOG.warning(
            "execution %a cannot be resumed, and is due again in %d ms: %s: %s",
            *(execution_id, delay_ms, code, error),
        )
        event = Event(
            name=EventName.RESUME_REFUSED,
            execution_id=execution_id,
            at_ms=self._clock.now_ms(),
            segment_number=0,
            detail={"code": code, "error": str(error), "delay_ms": delay_ms},
        )
        tell(self._listeners, event)


def _slice_of(result: ExecutionResult) -> Slice:
    if not result.is_partial:
        return Slice(result.execution_id, SliceEnd.ENDED)
    end = SliceEnd.WAITING if result.waiting_for else SliceEnd.YIELDED
    return Slice(result.execution_id, end, due_at_ms=result.due_at_ms)
