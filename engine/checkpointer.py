"""The holder of a lease: every durable write of one running execution goes through it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from typing_extensions import Unpack

from engine.clock import Clock, TimerHandle
from engine.errors import EngineError, LeaseLostError, StoreUnavailableError
from engine.events import Event, EventName, Listener, tell
from engine.identity import IdSource
from engine.kept_lease import KeptLease
from engine.limits import LEASE_RENEWALS_PER_TERM
from engine.store import Applied, Claimed, Due, DueAt, Lease, Store, Transition
from engine.trusted import changed, construct
from engine.types.execution import StepState

_LOG = logging.getLogger("planproof.engine")


class Fields(TypedDict, total=False):
    """What a write may hold besides the head's fields; see `engine.store.Transition`."""

    steps: Mapping[int, StepState]
    undoing: Sequence[int]
    undone: Mapping[int, StepState]
    events: Sequence[Event]
    due: Due
    release: bool
    expire_s: int | None


class Checkpointer:
    """Applies transitions under one lease, one after the other, and tells listeners afterwards."""

    def __init__(
        self,
        store: Store,
        claimed: Claimed,
        *,
        clock: Clock,
        ids: IdSource,
        lease_ms: int,
        replicas: int = 0,
        replication_timeout_ms: int = 0,
        listeners: Sequence[Listener] = (),
        written: Callable[[float], object] | None = None,
    ) -> None:
        """Hold the lease that `claimed` brought; `replicas`: how many must have what is at stake.

        `written` is told how long each write took (milliseconds).
        """
        self._store = store
        self._lease: Lease = claimed.lease
        self._clock = clock
        self._ids = ids
        self._lease_ms = lease_ms
        self._signed_ms = clock.monotonic_ms()
        self._held_until_ms = self._signed_ms + lease_ms
        self.kept = False
        self._replicas = replicas
        self._replication_timeout_ms = replication_timeout_ms
        self._listeners = listeners
        self._written = written
        self._turn = asyncio.Lock()
        self._operations = 0
        self._released = False
        self.cancel_reason = claimed.cancel_reason
        self.yield_requested = False
        self.segment_number = claimed.state.segment_number + 1
        self._blank = construct(
            Event,
            {
                "execution_id": claimed.state.execution_id,
                "segment_number": self.segment_number,
                "trace_id": claimed.state.trace_id,
            },
        )

    async def commit(
        self, *, head: Mapping[str, str | None] | None = None, **fields: Unpack[Fields]
    ) -> None:
        """Write one transition and tell the listeners what it says.

        Raises:
            engine.errors.StoreUnavailableError: whether it was applied is not known.
            engine.errors.LeaseLostError: another process took over; nothing was written.
            engine.errors.CompensationBegunError: a step is being undone; nothing was written.
        """
        await self.write(self.transition(head=head, **fields))

    def transition(
        self, *, head: Mapping[str, str | None] | None = None, **fields: Unpack[Fields]
    ) -> Transition:
        """Return what `commit` would write now, under an id that no other write of the lease has."""
        self._operations += 1
        whole = {"updated_at_ms": str(self._clock.now_ms()), **(head or {})}
        return Transition(str(self._operations), self._lease_ms, whole, **fields)

    async def write(self, transition: Transition) -> None:
        """Write what `transition` has put together; raises what `commit` does."""
        await self._turn.acquire()  # each write names the version that the one before it made
        try:
            asked_ms = self._clock.monotonic_ms()
            applied = await self._store.apply(self._lease, transition)
        except StoreUnavailableError as error:
            self._tell_failed(error)
            raise
        except LeaseLostError:
            self._tell(self.event(EventName.LEASE_LOST))
            raise
        else:
            self._applied(transition, applied, asked_ms)
        finally:
            self._turn.release()

    def opened(self, claimed: Claimed, events: Sequence[Event]) -> None:
        """Note that the first write, with `events`, was part of the execution's creation."""
        self._lease = claimed.lease
        self.cancel_reason = claimed.cancel_reason
        self._tell_all(events)

    def _applied(self, transition: Transition, applied: Applied, asked_ms: float) -> None:
        if self._written is not None:
            self._written(self._clock.monotonic_ms() - asked_ms)
        self._lease = applied.lease
        self._released = transition.release
        self._signed_ms = asked_ms
        self._held_until_ms = max(self._held_until_ms, asked_ms + self._lease_ms / 2)
        self.cancel_reason = applied.cancel_reason or self.cancel_reason
        self.yield_requested |= applied.yield_requested
        self._tell_all(transition.events)

    async def give_back(self, error: Exception, delay_ms: int) -> None:
        """Give the lease back because of `error`; the execution is due again after `delay_ms`.

        Not if the lease is another's by now, and not if the store fails: it would fail again.
        """
        if self._released or _lost(error):
            return
        _LOG.warning("the segment of %s failed: %r", self._lease.execution_id, error)
        with contextlib.suppress(EngineError):
            await self.commit(due=DueAt(self._clock.now_ms() + delay_ms), release=True)

    async def commit_steps(self, states: Mapping[int, StepState], /) -> None:
        """Write step states; see `engine.utils.execution_utils.StepCheckpointer`."""
        await self.commit(steps=states)

    @property
    def waits_for_replicas(self) -> bool:
        """Whether `replicate` does anything."""
        return bool(self._replicas)

    async def replicate(self) -> None:
        """Wait until the replicas that the settings demand have all that was written.

        Raises:
            engine.errors.NotReplicatedError: they do not, in time.
            engine.errors.ReplicationUnsupportedError: the store cannot tell.
            engine.errors.LeaseLostError: another process took over, or the store lost what was written.
            engine.errors.StoreUnavailableError: the store failed.
        """
        if not self._replicas:
            return
        try:
            await self._store.replicate(self._lease, self._replicas, self._replication_timeout_ms)
        except EngineError as error:
            self._tell_failed(error)
            raise

    def lease_kept(self) -> KeptLease:
        """Return what renews the lease while its body works; a lease that is lost cancels the body.

        Every write prolongs a lease of which less than half is left, so that only calls of more
        than a third of its term cost a renewal.
        """
        return KeptLease(self)

    def arm(self, callback: Callable[[], object]) -> TimerHandle:
        """Call back when the lease has been without a sign of life for a third of its term."""
        return self._clock.call_later_ms(max(0.0, self._patience_ms()), callback)

    @property
    def is_quiet(self) -> bool:
        """Whether the lease has been without a sign of life for a third of its term."""
        return self._patience_ms() <= 0

    def _patience_ms(self) -> float:
        """Return what is left of a third of the term since the last sign of life."""
        quiet_ms = self._clock.monotonic_ms() - self._signed_ms
        return self._lease_ms / LEASE_RENEWALS_PER_TERM - quiet_ms

    async def renew(self) -> None:
        """Renew the lease. A renewal that fails is tried again while the lease lasts.

        Raises:
            engine.errors.LeaseLostError: another process took over.
            engine.errors.StoreUnavailableError: the store was away until the lease ran out.
        """
        term_ms = self._lease_ms / LEASE_RENEWALS_PER_TERM
        while True:
            asked_ms = self._clock.monotonic_ms()
            try:
                await self._store.renew(self._lease, self._lease_ms)
            except StoreUnavailableError as error:
                pause_ms = term_ms / LEASE_RENEWALS_PER_TERM
                if asked_ms + pause_ms >= self._held_until_ms:
                    self._tell_failed(error)
                    raise
            except LeaseLostError:
                self._tell(self.event(EventName.LEASE_LOST))
                raise
            else:
                self._signed_ms = asked_ms
                self._held_until_ms = asked_ms + self._lease_ms
                return
            await self._clock.sleep_ms(pause_ms)

    def event(
        self,
        name: EventName,
        *,
        step_id: str | None = None,
        step_index: int | None = None,
        detail: Mapping[str, Any] | None = None,
        at_ms: int | None = None,
    ) -> Event:
        """Return an event of this execution; `at_ms`: when it happened, if not now."""
        return changed(
            self._blank,
            {
                "name": name,
                "at_ms": self._clock.now_ms() if at_ms is None else at_ms,
                "step_id": step_id,
                "step_index": step_index,
                "detail": dict(detail) if detail else {},
            },
        )

    def _tell_all(self, events: Sequence[Event]) -> None:
        if self._listeners:
            for event in events:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        tell(self._listeners, event)

    def _tell_failed(self, error: EngineError) -> None:
        self._tell(self.event(EventName.CHECKPOINT_FAILED, detail=_failure(error)))


def claim_failed(execution_id: str, at_ms: int, error: EngineError, trace_id: str | None) -> Event:
    """Return the event of an execution that could not be begun or read; its segment is not known."""
    return Event(
        name=EventName.CHECKPOINT_FAILED,
        execution_id=execution_id,
        at_ms=at_ms,
        segment_number=0,
        detail=_failure(error),
        trace_id=trace_id,
    )


def _failure(error: EngineError) -> dict[str, str]:
    return {"code": error.code, "error": error.message}


def _lost(error: BaseException) -> bool:
    """Whether a segment ended because nothing can be written any more."""
    if isinstance(error, BaseExceptionGroup):
        return any(_lost(inner) for inner in error.exceptions)
    return isinstance(error, LeaseLostError | StoreUnavailableError)
