"""What the harness does about the requests of one worker process: the other end of its pipe.

The counterpart of `chaos.worlds.wire`, and in the same order, so that a fault id means the same.
"""

import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chaos.case import FaultPoint
from chaos.fault_kinds import FaultKind, Target
from chaos.faults.agenda import of_target
from chaos.faults.connection import Passage
from chaos.port import CallRequest, Operation
from chaos.worlds import framing
from chaos.worlds.held import held_call, held_command
from chaos.worlds.worker_handle import WorkerHandle

if TYPE_CHECKING:
    from chaos.worlds.process import ProcessWorld


class WorkerFailedError(Exception):
    """A worker process ended in a way that no fault explains."""


class Service:
    """Serves one process of `world`."""

    def __init__(self, world: "ProcessWorld", worker: WorkerHandle) -> None:
        """Serve `worker`."""
        self._world = world
        self._worker = worker
        self._server_faults: dict[tuple[str, int], Sequence[FaultPoint]] = {}

    async def serve(self) -> None:
        """Answer until the process is gone."""
        world, worker = self._world, self._worker
        try:
            while True:
                name, given = await worker.receive()
                answer = await self._answer(name, given)
                worker.reply((world.clock.elapsed_ms, world.store.generation, answer))
        except framing.PeerGoneError:
            pass
        except Exception as error:  # noqa: BLE001 - it is the harness' own, and ends the case
            world.fails(error)
            worker.kill()
        try:
            self._gone()
        except Exception as error:  # noqa: BLE001 - the same
            world.fails(error)
        worker.changed.set()
        world.clock.end_work()

    def _gone(self) -> None:
        """Take note of the end of the process, and of what it had under way."""
        world, worker = self._world, self._worker
        worker.close()
        ended = world.keeping.reap(worker.pid)
        status = None if ended is None else ended.status
        world.workers_s += 0.0 if ended is None else ended.cpu_s
        if status == -signal.SIGKILL:
            world.sigkills += 1
        elif status != 0:
            raise WorkerFailedError(f"life {worker.number} ended with exit status {status}")
        world.turns.leave(worker)
        for passage in worker.outstanding:
            world.store.lost(passage)
        if worker.ended_how is None and worker.number:
            world.failed_last = False
            world.recorder.life_ended(worker.number, "killed")

    async def _answer(self, name: str, given: tuple[Any, ...]) -> Any:
        if name == "sleep":
            return await self._world.clock.sleep_until(given[0])
        if name == "arrive":
            return await self._arrive(given[0])
        if name == "answered":
            return await self._answered(*given)
        if name in ("unsent", "lost"):
            return self._not_answered(name, given[0])
        if name == "hold":
            return await self._world.store.expect_held()
        if name == "held":
            return await self._hold(*given)
        if name == "ended":
            return self._ended(*given)
        if name == "call":
            nth = self._count(given[0], Target.TOOL)
            return next(iter(self._world.strike(self._worker.number, given[0], nth)), None)
        if name == "outputs":
            return self._world.ledger.outputs
        return self._call(name, *given)

    async def _arrive(self, operation: Operation) -> Passage:
        world, worker = self._world, self._worker
        with world.clock.waiting():
            await world.turns.take(worker)
        await world.deliver_due(worker.number)
        nth = self._count(operation.site, Target.STORE)
        passage = Passage(worker.number, operation.site, nth, operation.epoch)
        points = world.strike(worker.number, operation.site, nth)
        for point in of_target(points, Target.WORKER):
            await self._disturb(point)
        for point in of_target(points, Target.STORE):
            passage.kind, passage.amount = point.kind, point.amount
        self._server_faults[operation.site, nth] = of_target(points, Target.SERVER)
        worker.outstanding.append(passage)
        return passage

    async def _disturb(self, point: FaultPoint) -> None:
        world, worker = self._world, self._worker
        if point.kind is FaultKind.FROZEN:
            world.turns.leave(worker)
            worker.thaws_in = point.amount
            worker.stop()
            world.clock.end_work()
            await worker.thawed.wait()
        elif point.kind is FaultKind.DUPLICATE_RESUME:
            world.duplicates += 1
        elif point.kind is FaultKind.SECOND_RESUMER:
            world.turns.join(worker)
            for _ in range(point.amount or 1):
                world.turns.join(await world.start())
            with world.clock.waiting():
                await world.turns.take(worker)

    async def _answered(self, passage: Passage, seen: bool) -> None:  # noqa: FBT001 - as it was sent
        self._worker.forget(passage)
        self._world.store.applied(passage, seen=seen, refused=passage.first_reply)
        for point in self._server_faults.pop((passage.site, passage.nth), ()):
            await self._world.store.strike(point)

    def _not_answered(self, name: str, passage: Passage) -> None:
        self._worker.forget(passage)
        if name == "lost":
            self._world.store.lost(passage)
        else:
            self._world.recorder.operation(passage, applied=False, seen=False)

    async def _hold(self, passage: Passage, sender: tuple[str, int]) -> None:
        """Hold what was just sent from this address."""
        self._worker.forget(passage)
        link = await self._world.store.held(sender)
        self._world.recorder.operation(passage, applied=False, seen=False)
        self._world.held.append(held_command(passage, link))

    def _call(self, name: str, request: CallRequest, point: FaultPoint | None = None) -> str | None:
        world, worker = self._world, self._worker
        script = world.plan.tools[request.tool]
        if name == "attempted":
            world.recorder.attempt(worker.number, request)
        elif name == "reach":
            return world.ledger.reach(request, script)
        elif name == "apply":
            outcome = world.ledger.apply(request, script)
            if outcome is not None:
                world.recorder.effect(worker.number, request, outcome, late=False)
            return outcome
        elif name == "hold_effect" and point is not None:
            world.held.append(held_call(worker.number, request, point))
        return None

    def _ended(self, how: str, status: str | None, error_code: str | None) -> None:
        world, worker = self._world, self._worker
        worker.ended_how = how
        world.turns.leave(worker)
        if worker.number:
            world.failed_last = how == "raised"
            world.recorder.life_ended(worker.number, how, status, error_code)

    def _count(self, site: str, target: Target) -> int:
        seen = self._worker.seen
        seen[site] += 1
        self._world.sites.append((self._worker.number, site, seen[site], str(target)))
        return seen[site]
