"""What faults do in every world: they are noted when they strike, and what they delay arrives in time."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from chaos.case import FaultPoint
from chaos.faults.agenda import Agenda
from chaos.faults.ledger import Ledger
from chaos.plans import ChaosPlan
from chaos.worlds.held import Command, Held
from chaos.worlds.recorder import Recorder


class Stopped(Protocol):
    """A process that may be stopped.

    Attributes:
        thaws_in: operations of the next life before a stopped one goes on; None: when that is over.
    """

    thaws_in: int | None

    @property
    def number(self) -> int:
        """Return the number of its life."""


Process = TypeVar("Process", bound=Stopped)


class FaultedWorld(ABC, Generic[Command, Process]):
    """The part of a world that is the same wherever its lives are.

    Attributes:
        held: what is under way and arrives late.
    """

    plan: ChaosPlan
    agenda: Agenda
    recorder: Recorder
    ledger: Ledger
    held: list[Held[Command]]
    _zombies: list[Process]
    _last_fault_ms: int

    @abstractmethod
    async def _wake(self, zombie: Process) -> None:
        """Let a stopped process go on to its end."""

    @abstractmethod
    async def _send_late(self, held: Held[Command]) -> None:
        """Let a held command reach the store."""

    def strike(self, life: int, site: str, nth: int) -> Sequence[FaultPoint]:
        """Return the faults of this point, noted as fired."""
        points = self.agenda.strike(life, site, nth)
        for point in points:
            self._note(point)
        return points

    def _note(self, point: FaultPoint) -> None:
        self._last_fault_ms = self.recorder.fired(point)

    async def deliver_due(self, life: int) -> None:
        """Let arrive, before the next operation of `life`, what has waited long enough."""
        for held in [one for one in self.held if one.counts(life)]:
            if held.left == 0:
                await self._deliver(held)
            else:
                held.left -= 1
        for zombie in list(self._zombies):
            if zombie.thaws_in is None or zombie.number >= life:
                continue
            if zombie.thaws_in == 0:
                await self._wake(zombie)
            else:
                zombie.thaws_in -= 1

    async def _wake_zombies(self, before: int | None = None) -> None:
        for zombie in list(self._zombies):
            if before is None or zombie.number < before:
                await self._wake(zombie)

    async def _flush(self, ended: int) -> bool:
        """Deliver what waits for a life that is over; return whether there was anything."""
        late = [one for one in self.held if one.after_life < ended]
        for held in late:
            await self._deliver(held)
        return bool(late)

    async def _deliver(self, held: Held[Command]) -> None:
        self.held.remove(held)
        if held.passage is not None:
            await self._send_late(held)
        if held.request is None:
            return
        script = self.plan.tools[held.request.tool]
        if self.ledger.reach(held.request, script) == "ok":
            outcome = self.ledger.apply(held.request, script)
            if outcome is not None:
                self.recorder.effect(held.after_life, held.request, outcome, late=True)
