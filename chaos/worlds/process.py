"""The process world: lives are real processes on a real server, and end by SIGKILL.

It follows the rules of the simulated world (`chaos.worlds.sim`), so that a fault id means the same in
both. The harness keeps agenda, ledger, history and time, and each process asks it before and after
everything that it does outside. Time is virtual, unless a case is run on real time: then
processes live on the machine's clock and leases on the server's, and kills from outside come whenever
they come.
"""

import asyncio
import contextlib
from dataclasses import dataclass, replace

from typing_extensions import override

from chaos.case import Case
from chaos.faults.agenda import Agenda
from chaos.faults.ledger import Ledger
from chaos.history import History
from chaos.plans import ChaosPlan
from chaos.port import DurableView, PortFactory
from chaos.worlds.faulted_world import FaultedWorld
from chaos.worlds.held import Held
from chaos.worlds.premises import Premises
from chaos.worlds.proxy import Link
from chaos.worlds.real_store import RealStore
from chaos.worlds.recorder import Recorder
from chaos.worlds.rules import (
    ASK_AGAIN_MS,
    BOUND_MS,
    LIVES_MAX,
    PAUSE_MS,
    ImpossibleCaseError,
    answer_of,
    check_case,
    next_due_ms,
)
from chaos.worlds.service import Service
from chaos.worlds.shared_clock import RealClock, SharedClock, WorldClock
from chaos.worlds.turns import Turns
from chaos.worlds.worker import Assignment, main
from chaos.worlds.worker_handle import WorkerHandle


@dataclass(frozen=True, slots=True)
class RealTime:
    """How a case is run on real time.

    Attributes:
        lease_ms: of the executor's lease, which the server's clock decides about.
        kills_ms: a life's process is killed from outside so long after its begin; one for each life
            from the first on.
    """

    lease_ms: int = 300
    kills_ms: tuple[float, ...] = ()


class ProcessWorld(FaultedWorld[Link, WorkerHandle]):
    """One run of one case. Needs a running loop."""

    def __init__(
        self,
        case: Case,
        plan: ChaosPlan,
        port_factory: PortFactory,
        premises: Premises,
        *,
        real_time: RealTime | None = None,
    ) -> None:
        """Prepare `case`.

        Raises:
            chaos.worlds.rules.ImpossibleCaseError: the case asks for what its surroundings exclude.
            chaos.worlds.server.ServerError: no server can be used for it.
        """
        check_case(case)
        if plan.waits_for_replicas:
            raise ImpossibleCaseError(
                f"plan {plan.name} waits for replicas, and the process world has none that follow all "
                "the time: simulate it"
            )
        if real_time is not None:
            settings = plan.settings.model_copy(update={"lease_ms": real_time.lease_ms})
            plan = replace(plan, settings=settings)
        self.case, self.plan, self.port = case, plan, port_factory(plan)
        self.clock: WorldClock = SharedClock() if real_time is None else RealClock()
        self.recorder = Recorder(self.clock)
        self.agenda = Agenda(case.faults)
        self.store = RealStore(premises, case, self.port, self.recorder)
        self.turns = Turns(case.schedule)
        self.ledger = Ledger()
        self.sites: list[tuple[int, str, int, str]] = []
        self.sigkills = 0
        """Processes that have ended by SIGKILL, by their exit status."""
        self.workers_s = 0.0
        """CPU time that they took, in seconds."""
        self._port_factory = port_factory
        self.keeping = premises.keeping
        self._real_time = real_time
        self._ask_again_ms = ASK_AGAIN_MS if real_time is None else real_time.lease_ms
        self.held = []
        self.duplicates = 0
        self._lives = 0
        self._last_fault_ms = self.clock.elapsed_ms
        self.failed_last = False
        self._cancelled = plan.cancel_after_ms is None
        self._running: list[WorkerHandle] = []
        self._zombies = []
        self._others: list[WorkerHandle] = []
        self._broken: Exception | None = None

    async def run(self) -> History:
        """Run to the end; return the whole history."""
        self.clock.begin_work()
        person = asyncio.ensure_future(self._cancel())
        try:
            await self.store.open()
            in_time = await self._drive()
            if self._broken is not None:
                raise self._broken
            self._settle(in_time=in_time)
        finally:
            person.cancel()
            for worker in [*self._running, *self._zombies, *self._others]:
                worker.kill()
            await asyncio.gather(person, *(one.task for one in self._others if one.task))
            for worker in [*self._running, *self._zombies]:
                await self._bury(worker)
            await self.store.close()
        return self.recorder.history

    # What the simulated world does between lives, in the same order.

    async def _drive(self) -> bool:
        while self._lives < LIVES_MAX and self._broken is None:
            view = self.store.view()
            if not view.ended and self.clock.elapsed_ms - self._last_fault_ms > BOUND_MS:
                return False
            due_at_ms = self._due(view)
            if due_at_ms is None:
                if await self._flush(self._lives + 1) or self._zombies:
                    await self._wake_zombies()
                    continue
                if await self._strike_between():
                    continue
                return view.ended or view.waiting_for is not None
            wait_ms = max(0, due_at_ms - self.clock.now_ms())
            await self.clock.sleep_until(self.clock.elapsed_ms + wait_ms)
            if not await self._strike_between():
                await self._live()
        return False

    def _due(self, view: DurableView) -> int | None:
        now_ms = self.clock.now_ms()
        if self.duplicates:
            return now_ms
        return next_due_ms(
            view,
            self.plan,
            now_ms,
            is_first=self._lives == 0,
            failed_last=self.failed_last,
            ask_again_ms=self._ask_again_ms,
        )

    async def _live(self) -> None:
        self.duplicates = max(0, self.duplicates - 1)
        await self.start()
        while self._running:
            worker = self._running[0]
            with self.clock.waiting():
                await worker.changed.wait()
            self._running.remove(worker)
            if worker.is_stopped:
                self._zombies.append(worker)
            else:
                await self._bury(worker)
                await self._flush(worker.number)
        await self._wake_zombies(before=self._lives)

    async def _strike_between(self) -> bool:
        points = self.agenda.between(self._lives)
        for point in points:
            self._note(point)
            await self.store.strike(point)
        return bool(points)

    async def start(self) -> WorkerHandle:
        """Let a process begin or resume the execution, beside those that run."""
        self._lives += 1
        view = self.store.view()
        self.recorder.life_began(self._lives, resumed=view.status is not None)
        worker = await self._fork(self._lives, view)
        self._running.append(worker)
        kills = self._real_time.kills_ms if self._real_time else ()
        if self._lives <= len(kills):
            worker.kill_later(kills[self._lives - 1] / 1_000)
        return worker

    async def _fork(self, number: int, view: DurableView) -> WorkerHandle:
        plan, server = self.plan, self.store.server
        assignment = Assignment(
            life=number,
            plan=plan,
            port_factory=self._port_factory,
            address=self.store.address,
            database=server.database,
            key_prefix=server.key_prefix,
            username=server.username,
            password=server.password,
            retries=self.case.retries,
            view=view,
            answer=answer_of(view, self.plan),
            elapsed_ms=self.clock.elapsed_ms,
            real_time=self._real_time is not None,
        )
        worker = WorkerHandle(number, self.keeping.fork(main, assignment))
        await worker.connect()
        self.clock.begin_work()
        worker.task = asyncio.ensure_future(Service(self, worker).serve())
        return worker

    async def _bury(self, worker: WorkerHandle) -> None:
        if worker.task is not None:
            await asyncio.gather(worker.task, return_exceptions=True)

    @override
    async def _send_late(self, held: Held[Link]) -> None:
        if held.passage is not None and held.command is not None:
            await self.store.deliver(held.passage, held.command)

    @override
    async def _wake(self, zombie: WorkerHandle) -> None:
        self._zombies.remove(zombie)
        self.clock.begin_work()
        zombie.thaw()
        with self.clock.waiting():
            await zombie.changed.wait()
        if zombie.is_stopped:
            self._zombies.append(zombie)
        else:
            await self._bury(zombie)

    async def _cancel(self) -> None:
        """Be the person who cancels, and asks again until somebody has heard."""
        after_ms = self.plan.cancel_after_ms
        if self._cancelled or after_ms is None:
            return
        self.clock.begin_work()
        with contextlib.suppress(asyncio.CancelledError):
            await self.clock.sleep_until(after_ms)
            while not self._cancelled:
                worker = await self._fork(0, self.store.view())
                self._others.append(worker)
                with self.clock.waiting():
                    await worker.changed.wait()
                self._cancelled = worker.ended_how == "heard"
                if not self._cancelled:
                    await self.clock.sleep_until(self.clock.elapsed_ms + PAUSE_MS)
        self.clock.end_work()

    def fails(self, error: Exception) -> None:
        """Remember an error of the harness itself; the first one ends the case."""
        self._broken = self._broken or error

    def _settle(self, *, in_time: bool) -> None:
        view, image = self.store.view(), self.store.image
        self.recorder.settled(
            status=view.status,
            state_hash=self.port.final_hash(image),
            left_behind=self.port.left_behind(image) if view.ended else (),
            virtual_ms=self.clock.elapsed_ms - self._last_fault_ms,
            in_time=in_time,
        )
