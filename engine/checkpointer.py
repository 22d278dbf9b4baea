"""The holder of a lease: every durable write of one running execution goes through it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from engine.clock import Clock
from engine.errors import EngineError, LeaseLostError, StoreUnavailableError
from engine.events import Event, EventName, Listener, tell
from engine.identity import IdSource
from engine.limits import LEASE_RENEWALS_PER_TERM
from engine.store import Claimed, Due, DueAt, Lease, Store, Transition
from engine.types.execution import StepState

_LOG = logging.getLogger("planproof.engine")


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
        self._held_until_ms = clock.monotonic_ms() + lease_ms
        self._replicas = replicas
        self._replication_timeout_ms = replication_timeout_ms
        self._listeners = listeners
        self._written = written
        self._turn = asyncio.Lock()
        self._operations = 0
        self._released = False
        self._trace_id = claimed.state.trace_id
        self.cancel_reason = claimed.cancel_reason
        self.yield_requested = False
        self.segment_number = claimed.state.segment_number + 1

    async def commit(
        self,
        *,
        steps: Mapping[int, StepState] | None = None,
        undone: Mapping[int, StepState] | None = None,
        undoing: Sequence[int] = (),
        head: Mapping[str, str | None] | None = None,
        events: Sequence[Event] = (),
        due: Due = "keep",
        release: bool = False,
        expire_s: int | None = None,
    ) -> None:
        """Write one transition and tell the listeners what it says.

        Raises:
            engine.errors.StoreUnavailableError: whether it was applied is not known.
            engine.errors.LeaseLostError: another process took over; nothing was written.
            engine.errors.CompensationBegunError: a step is being undone; nothing was written.
        """
        async with self._turn:  # each write names the version that the one before it made
            await self._commit(
                Transition(
                    operation_id=self._next_operation(),
                    lease_ms=self._lease_ms,
                    head={"updated_at_ms": str(self._clock.now_ms()), **(head or {})},
                    steps=steps or {},
                    undone=undone or {},
                    undoing=undoing,
                    events=events,
                    due=due,
                    release=release,
                    expire_s=expire_s,
                )
            )

    def _next_operation(self) -> str:
        """Return an id that no other write under this lease's token has."""
        self._operations += 1
        return str(self._operations)

    async def _commit(self, transition: Transition) -> None:
        asked_ms = self._clock.monotonic_ms()
        try:
            applied = await self._store.apply(self._lease, transition)
        except StoreUnavailableError as error:
            self._tell_failed(error)
            raise
        except LeaseLostError:
            self._tell(self.event(EventName.LEASE_LOST))
            raise
        if self._written is not None:
            self._written(self._clock.monotonic_ms() - asked_ms)
        self._lease = applied.lease
        self._released = transition.release
        self._held_until_ms = max(self._held_until_ms, asked_ms + self._lease_ms / 2)
        self.cancel_reason = applied.cancel_reason or self.cancel_reason
        self.yield_requested |= applied.yield_requested
        for event in transition.events:
            self._tell(event)

    @contextlib.asynccontextmanager
    async def released_on_error(self, delay_ms: int) -> AsyncIterator[None]:
        """Give the lease back if the body fails; the execution is due again after `delay_ms`.

        Not if the lease is another's by now, and not if the store fails: it would fail again.
        Nor if the task is cancelled: nothing more is to be done then.
        """
        try:
            yield
        except Exception as error:
            if not (self._released or _lost(error)):
                _LOG.warning("the segment of %s failed: %r", self._lease.execution_id, error)
                with contextlib.suppress(EngineError):
                    await self.commit(due=DueAt(self._clock.now_ms() + delay_ms), release=True)
            raise

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
            engine.errors.StoreUnavailableError: the store failed.
        """
        if not self._replicas:
            return
        try:
            await self._store.replicate(
                self._lease.execution_id, self._replicas, self._replication_timeout_ms
            )
        except EngineError as error:
            self._tell_failed(error)
            raise

    @contextlib.contextmanager
    def lease_kept(self, group: asyncio.TaskGroup) -> Iterator[None]:
        """Renew the lease while the body runs tools; a lease that is lost ends `group`.

        Every write prolongs a lease of which less than half is left, so that only calls of more
        than a third of its term cost a renewal; before that there is a timer and no task.
        """
        keepers: list[asyncio.Task[None]] = []
        timer = self._clock.call_later_ms(
            self._lease_ms / LEASE_RENEWALS_PER_TERM,
            lambda: keepers.append(group.create_task(self._keep_lease())),
        )
        try:
            yield
        finally:
            timer.cancel()
            for keeper in keepers:
                keeper.cancel()

    async def _keep_lease(self) -> None:
        """Renew the lease until cancelled. A renewal that fails is tried again while it lasts.

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
                self._held_until_ms = asked_ms + self._lease_ms
                pause_ms = term_ms
            await self._clock.sleep_ms(pause_ms)

    def event(
        self,
        name: EventName,
        *,
        step_id: str | None = None,
        step_index: int | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Event:
        """Return an event of this execution, now."""
        return Event.model_construct(  # every field is ours and of its type
            name=name,
            execution_id=self._lease.execution_id,
            at_ms=self._clock.now_ms(),
            segment_number=self.segment_number,
            step_id=step_id,
            step_index=step_index,
            detail=dict(detail or {}),
            trace_id=self._trace_id,
        )

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
