"""Writes a history as it happens."""

from collections.abc import Iterable
from typing import Any, Protocol

from chaos.case import FaultPoint
from chaos.faults.connection import Passage
from chaos.faults.ledger import arguments_hash
from chaos.history import (
    Attempt,
    Checkpoint,
    Effect,
    EventWritten,
    FaultFired,
    History,
    LifeBegan,
    LifeEnded,
    Record,
    Settled,
    StoreCut,
    StoreOperation,
)
from chaos.port import CallRequest, DurableView
from chaos.virtual_time import EPOCH_MS


class Timeline(Protocol):
    """A clock that records are dated by."""

    @property
    def elapsed_ms(self) -> int:
        """Return the milliseconds since the epoch of histories."""


class Recorder:
    """One history, on the time of one clock."""

    def __init__(self, clock: Timeline, records: Iterable[Record] = ()) -> None:
        """Go on after `records`."""
        self.history = History(list(records))
        self._clock = clock
        self._events_seen = sum(isinstance(one, EventWritten) for one in self.history.records)

    def life_began(self, life: int, *, resumed: bool) -> None:
        """A worker starts or resumes the execution."""
        self._add(LifeBegan, life, worker=f"worker-{life}", resumed=resumed)

    def life_ended(
        self, life: int, how: str, status: str | None = None, error_code: str | None = None
    ) -> None:
        """It is over."""
        self._add(LifeEnded, life, how=how, status=status, error_code=error_code)

    def operation(
        self,
        passage: Passage,
        *,
        applied: bool,
        seen: bool,
        changed: bool = False,
        refused: str | None = None,
    ) -> None:
        """An operation of the store."""
        self._add(
            StoreOperation,
            passage.life,
            site=passage.site,
            nth=passage.nth,
            applied=applied,
            reply_seen=seen,
            changed=changed,
            epoch=passage.epoch,
            refused=refused,
            slots=passage.slots,
        )

    def checkpoint(self, life: int, view: DurableView, *, cut: bool = False) -> None:
        """What is durable from now on, and the events that came with it."""
        self._add(
            Checkpoint,
            life,
            status=view.status,
            version=view.version,
            epoch=view.epoch,
            leased=view.leased,
            due_at_ms=None if view.due_at_ms is None else view.due_at_ms - EPOCH_MS,
            waiting_for=view.waiting_for,
            steps=dict(view.steps),
            remaining=view.remaining,
        )
        if not cut:
            for event in view.events[self._events_seen :]:
                self._add(EventWritten, life, seq=event.seq, name=event.name, step=event.step)
        self._events_seen = len(view.events)

    def attempt(self, life: int, request: CallRequest) -> None:
        """A tool is called."""
        self._add(
            Attempt,
            life,
            step=request.step,
            tool=request.tool,
            key=request.key,
            attempt=request.attempt,
            arguments_hash=arguments_hash(request.arguments),
            compensation=request.compensation,
        )

    def effect(self, life: int, request: CallRequest, outcome: str, *, late: bool) -> None:
        """What a call did outside."""
        self._add(
            Effect,
            life,
            step=request.step,
            tool=request.tool,
            key=request.key,
            outcome=outcome,
            compensation=request.compensation,
            late=late,
        )

    def fired(self, point: FaultPoint) -> int:
        """A planned fault happens; return when."""
        self._add(FaultFired, point.life, kind=point.kind, site=point.site, nth=point.nth)
        return self.history.records[-1].at_ms

    def cut(self, point: FaultPoint, operations: int) -> None:
        """The store has lost its last operations."""
        self._add(StoreCut, 0, operations=operations, kind=point.kind)

    def settled(self, **facts: Any) -> None:
        """The case is over."""
        self._add(Settled, 0, **facts)

    def _add(self, record: type[Record], life: int, /, **fields: Any) -> None:
        history = self.history
        history.records.append(
            record(number=history.next_number(), at_ms=self._clock.elapsed_ms, life=life, **fields)
        )
