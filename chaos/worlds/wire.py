"""What the simulated world does about one life's operations and calls: `Interceptor`, `ToolWorld`."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from typing_extensions import override

from chaos.case import FaultPoint
from chaos.fault_kinds import FaultKind, Target
from chaos.faults.agenda import of_target
from chaos.faults.connection import Interceptor, Passage, let_others_run
from chaos.faults.ledger import Ledger
from chaos.faults.tools import ToolWorld
from chaos.port import CallRequest, Command, Operation
from chaos.worlds.held import held_call, held_command
from chaos.worlds.life import Life, LifeClock

if TYPE_CHECKING:
    from chaos.worlds.sim import SimWorld

JUMP_MS = 3_600_000
"""How far a worker's clock jumps: an hour, as with a wrong time zone."""


class Wire(Interceptor, ToolWorld):
    """All that one life sends passes here."""

    def __init__(self, world: "SimWorld", life: Life) -> None:
        """Serve `life`."""
        self._world = world
        self._seen: Counter[str] = Counter()
        self.life = life
        self.clock = LifeClock(world.clock, life)
        self.ledger: Ledger = world.ledger

    @property
    @override
    def generation(self) -> int:
        return self._world.store.generation

    @override
    async def arrive(self, commands: Sequence[Command]) -> Passage | None:
        operation = self._world.port.operation(commands)
        if operation is None:
            return None
        world, life = self._world, self.life
        await life.go_on()
        await let_others_run()
        with world.own_errors():
            return await self._pass(operation)

    async def _pass(self, operation: Operation) -> Passage:
        world, life = self._world, self.life
        await world.turns.take(life)
        await life.go_on()
        await world.deliver_due(life.number)
        nth = self._count(operation.site, Target.STORE)
        passage = Passage(life.number, operation.site, nth, operation.epoch)
        points = world.strike(life.number, operation.site, nth)
        for point in of_target(points, Target.WORKER):
            await self._disturb(point)
        for point in of_target(points, Target.STORE):
            passage.kind, passage.amount = point.kind, point.amount
        world.server_faults[passage.life, passage.site, nth] = of_target(points, Target.SERVER)
        return passage

    async def _disturb(self, point: FaultPoint) -> None:
        """Do to the process what the fault says, before the operation is sent."""
        world, life = self._world, self.life
        if point.kind is FaultKind.FROZEN:
            world.turns.leave(life)
            world.stopped(life, point.amount)
            await life.go_on()
        elif point.kind is FaultKind.CLOCK_FORWARD:
            self.clock.jumped_ms += JUMP_MS
        elif point.kind is FaultKind.CLOCK_BACK:
            self.clock.jumped_ms -= JUMP_MS
        elif point.kind is FaultKind.DUPLICATE_RESUME:
            world.duplicates += 1
        elif point.kind is FaultKind.SECOND_RESUMER:
            world.turns.join(life)
            for _ in range(point.amount or 1):
                world.start_beside()
            await world.turns.take(life)

    @override
    def kill(self, passage: Passage) -> NoReturn:
        self.die()

    @override
    def die(self) -> NoReturn:
        self._world.dies(self.life)
        self.life.kill()

    @override
    def hold(self, passage: Passage, packed: bytes) -> None:
        self._world.recorder.operation(passage, applied=False, seen=False)
        self._world.held.append(held_command(passage, packed))

    @override
    async def pause(self, duration_ms: int) -> None:
        await self.clock.sleep_ms(duration_ms)

    @override
    async def answered(self, passage: Passage, *, seen: bool) -> None:
        with self._world.own_errors():
            self._world.store.applied(passage, seen=seen)
            key = (passage.life, passage.site, passage.nth)
            for point in self._world.server_faults.pop(key, ()):
                self._world.store.strike(point)
        if not self.life.is_dead:
            await self.life.go_on()

    @override
    def unsent(self, passage: Passage) -> None:
        self._world.recorder.operation(passage, applied=False, seen=False)

    @override
    def call_arrives(self, site: str) -> FaultPoint | None:
        nth = self._count(site, Target.TOOL)
        points = self._world.strike(self.life.number, site, nth)
        return points[0] if points else None

    @override
    def attempted(self, request: CallRequest) -> None:
        with self._world.own_errors():
            self._world.recorder.attempt(self.life.number, request)

    @override
    def took_effect(self, request: CallRequest, outcome: str) -> None:
        with self._world.own_errors():
            self._world.recorder.effect(self.life.number, request, outcome, late=False)

    @override
    def hold_effect(self, request: CallRequest, point: FaultPoint) -> None:
        self._world.held.append(held_call(self.life.number, request, point))

    @override
    async def go_on(self) -> None:
        await self.life.go_on()

    def _count(self, site: str, target: Target) -> int:
        self._seen[site] += 1
        self._world.passes((self.life.number, site, self._seen[site], str(target)))
        return self._seen[site]
