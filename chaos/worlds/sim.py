"""The simulated world: one case from its begin to rest, in virtual time, on an embedded server.

Lives follow each other: whoever asks for the execution begins it, a worker resumes it when the
queue shows it, a person answers what it waits for. That goes on until it has ended, nobody has
anything to do, or a bound is reached. The same case has the same history, bit for bit.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from typing_extensions import override

from chaos.case import Case, FaultPoint
from chaos.faults.agenda import Agenda
from chaos.faults.ledger import Ledger
from chaos.faults.tools import FaultyTools
from chaos.history import History
from chaos.plans import ChaosPlan
from chaos.port import DurableView, ExecutorPort, Surroundings
from chaos.virtual_time import VirtualClock
from chaos.worlds.fake_server import EmbeddedServer
from chaos.worlds.faulted_world import FaultedWorld
from chaos.worlds.held import Held
from chaos.worlds.life import Life, follow_tasks
from chaos.worlds.recorder import Recorder
from chaos.worlds.rules import BOUND_MS, LIVES_MAX, PAUSE_MS, answer_of, check_case, next_due_ms
from chaos.worlds.sim_store import SimStore
from chaos.worlds.snapshot import Site, Snapshot
from chaos.worlds.turns import Turns
from chaos.worlds.wire import Wire
from engine import SeededIdSource


@dataclass(slots=True)
class _Running:
    """A life under way; `thaws_in`: operations of the next life before a stopped one goes on."""

    life: Life
    task: asyncio.Task[Any]
    client: Redis
    thaws_in: int | None = None

    @property
    def number(self) -> int:
        """The number of the life."""
        return self.life.number


class SimWorld(FaultedWorld[bytes, _Running]):
    """One run of one case. Needs a loop of `chaos.virtual_time` on its clock."""

    def __init__(
        self,
        case: Case,
        plan: ChaosPlan,
        port: ExecutorPort,
        server: EmbeddedServer,
        clock: VirtualClock,
        *,
        start: Snapshot | None = None,
        at_rest: Callable[[Snapshot], None] | None = None,
        at_point: Callable[["SimWorld", Site], None] | None = None,
    ) -> None:
        """Prepare `case`, or its rest after `start`.

        `at_rest` is called between two lives, and `at_point` before each operation and call.

        Raises:
            ImpossibleCaseError: the case asks for what its surroundings exclude.
        """
        check_case(case)
        self.case, self.plan, self.port, self.clock = case, plan, port, clock
        self.recorder = Recorder(clock, start.records if start else ())
        self.agenda = Agenda(case.faults, start.fired if start else ())
        self.store = SimStore(server, port, self.recorder, case.retries)
        self.turns = Turns(case.schedule)
        self.ledger = Ledger()
        self.held = []
        self.duplicates = 0
        self.sites: list[Site] = []
        self.server_faults: dict[tuple[int, str, int], Sequence[FaultPoint]] = {}
        self._lives = 0
        self._last_fault_ms = 0
        self._failed_last = False
        self._cancelled = plan.cancel_after_ms is None
        self._at_rest = at_rest
        self._at_point = at_point
        self._running: list[_Running] = []
        self._zombies = []
        self._broken: Exception | None = None
        if start is not None:
            self._go_on_from(start)

    async def run(self) -> History:
        """Run to the end; return the whole history."""
        follow_tasks(asyncio.get_running_loop())
        person = asyncio.ensure_future(self._cancel())
        try:
            in_time = await self._drive()
            if self._broken is not None:
                raise self._broken
            self._settle(in_time=in_time)
        finally:
            person.cancel()
            await asyncio.gather(person, return_exceptions=True)
            for running in [*self._running, *self._zombies]:
                with contextlib.suppress(asyncio.CancelledError):
                    running.life.kill()
                await self._bury(running)
            await self.store.close()
        return self.recorder.history

    @contextlib.contextmanager
    def own_errors(self) -> Iterator[None]:
        """Remember an error of the world itself, which the executor would take for the store's."""
        try:
            yield
        except Exception as error:
            self._broken = self._broken or error
            raise

    async def _drive(self) -> bool:
        """Let life follow life; return whether the execution came to rest in time."""
        while self._lives < LIVES_MAX and self._broken is None:
            view = self.store.view()
            if not view.ended and self.clock.elapsed_ms - self._last_fault_ms > BOUND_MS:
                return False
            due_at_ms = self._due(view)
            if due_at_ms is None:
                if await self._flush(self._lives + 1) or self._zombies:
                    await self._wake_zombies()
                    continue
                self._show_rest(over=True)
                if self._strike_between():
                    continue
                return view.ended or view.waiting_for is not None
            await self.clock.sleep_ms(max(0, due_at_ms - self.clock.now_ms()))
            if not self._zombies:
                self._show_rest()
            if not self._strike_between():
                await self._live()
        return False

    def _due(self, view: DurableView) -> int | None:
        """Return when somebody acts next (epoch); None: nobody ever does."""
        now_ms = self.clock.now_ms()
        if self.duplicates:
            return now_ms
        return next_due_ms(
            view,
            self.plan,
            now_ms,
            is_first=self._lives == 0,
            failed_last=self._failed_last,
        )

    async def _live(self) -> None:
        """Run one life until it is over, dead or stopped, and all that it started beside it."""
        self.duplicates = max(0, self.duplicates - 1)
        self._start(self.store.view())
        while self._running:
            running = self._running[0]
            await running.life.changed.wait()
            self._running.remove(running)
            if running.life.is_stopped:
                self._zombies.append(running)
            else:
                await self._bury(running)
                await self._flush(running.life.number)
        await self._wake_zombies(before=self._lives)

    def _strike_between(self) -> bool:
        """Let happen to the store what is to happen before the next life."""
        points = self.agenda.between(self._lives)
        for point in points:
            self._note(point)
            self.store.strike(point)
        return bool(points)

    def start_beside(self) -> None:
        """Let another process resume the execution, beside those that run."""
        self.turns.join(self._start(self.store.view()))

    def _start(self, view: DurableView) -> Life:
        self._lives += 1
        life = Life(self._lives)
        surroundings = self._surroundings(Wire(self, life), self._lives)
        self.recorder.life_began(life.number, resumed=view.status is not None)
        task = life.spawn(self._main(life, surroundings, view))
        task.add_done_callback(lambda _: life.changed.set())
        self._running.append(_Running(life, task, surroundings.client))
        return life

    async def _main(self, life: Life, surroundings: Surroundings, view: DurableView) -> None:
        answer = answer_of(view, self.plan)
        try:
            if answer is None or view.ended:
                result = await self.port.run(surroundings, begin=view.status is None)
            else:
                result = await self.port.decide(surroundings, view, approved=answer)
        except Exception as error:  # noqa: BLE001 - what the caller of the executor would see
            self._ended(life, "raised", None, self.port.error_code(error))
        else:
            self._ended(life, "returned", result.status, result.error_code)

    def _ended(self, life: Life, how: str, status: str | None, error_code: str | None) -> None:
        if life.is_dead:
            return
        life.is_over = True
        self._failed_last = how == "raised"
        self.turns.leave(life)
        self.recorder.life_ended(life.number, how, status, error_code)

    def dies(self, life: Life) -> None:
        """Take note of a process that is killed now."""
        self._failed_last = False
        self.turns.leave(life)
        self.recorder.life_ended(life.number, "killed")

    def stopped(self, life: Life, after: int | None) -> None:
        """Stop a process until the next life has made `after` operations; None: until it is over."""
        next(one for one in self._running if one.life is life).thaws_in = after
        life.stop()

    async def _bury(self, running: _Running) -> None:
        if running.life.is_dead:
            await running.life.reap()
        await asyncio.gather(running.task, return_exceptions=True)
        await running.client.connection_pool.disconnect()

    @override
    async def _send_late(self, held: Held[bytes]) -> None:
        if held.passage is not None and held.command is not None:
            await self.store.send_late(held.passage, held.command)

    @override
    async def _wake(self, zombie: _Running) -> None:
        self._zombies.remove(zombie)
        zombie.life.changed.clear()
        zombie.life.thaw()
        await zombie.life.changed.wait()
        if zombie.life.is_stopped:
            self._zombies.append(zombie)
        else:
            await self._bury(zombie)

    def _surroundings(self, wire: Wire, seed: int) -> Surroundings:
        return Surroundings(
            plan=self.plan,
            client=self.store.client(wire),
            callee=FaultyTools(wire, self.plan, wire.clock),
            clock=wire.clock,
            ids=SeededIdSource(seed),
        )

    async def _cancel(self) -> None:
        """Be the person who cancels, and asks again until somebody has heard."""
        if self._cancelled or self.plan.cancel_after_ms is None:
            return
        await self.clock.sleep_ms(max(0, self.plan.cancel_after_ms - self.clock.elapsed_ms))
        surroundings = self._surroundings(Wire(self, Life(0)), 0)
        try:
            while not self._cancelled:
                self._cancelled = await self.port.cancel(surroundings)
                if not self._cancelled:
                    await self.clock.sleep_ms(PAUSE_MS)
        finally:
            await surroundings.client.connection_pool.disconnect()

    def passes(self, site: Site) -> None:
        """Take note of a point that a life comes to."""
        self.sites.append(site)
        if self._at_point is not None:
            self._at_point(self, site)

    def _show_rest(self, *, over: bool = False) -> None:
        if self._at_rest is None:
            return
        self._at_rest(
            Snapshot(
                image=self.store.image,
                images=list(self.store.images),
                scripts=self.store.scripts,
                generation=self.store.generation,
                ledger=self.ledger.copy(),
                elapsed_ms=self.clock.elapsed_ms,
                records=list(self.recorder.history.records),
                fired=tuple(self.agenda.fired),
                held=[one.copy() for one in self.held],
                sites=list(self.sites),
                lives=self._lives,
                last_fault_ms=self._last_fault_ms,
                failed_last=self._failed_last,
                duplicates=self.duplicates,
                cancelled=self._cancelled,
                over=over,
            )
        )

    def _go_on_from(self, start: Snapshot) -> None:
        self.store.restore(start.image, start.images, start.scripts)
        self.store.generation = start.generation
        self.ledger = start.ledger.copy()
        self.held = [one.copy() for one in start.held]
        self.sites = list(start.sites)
        self._lives = start.lives
        self._last_fault_ms = start.last_fault_ms
        self._failed_last = start.failed_last
        self.duplicates = start.duplicates
        self._cancelled = start.cancelled

    def _settle(self, *, in_time: bool) -> None:
        view, image = self.store.view(), self.store.image
        self.recorder.settled(
            status=view.status,
            state_hash=self.port.final_hash(image),
            left_behind=self.port.left_behind(image) if view.ended else (),
            virtual_ms=self.clock.elapsed_ms - self._last_fault_ms,
            in_time=in_time,
        )
