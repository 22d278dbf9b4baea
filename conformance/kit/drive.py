"""Carries out a clause on an executor and returns what was seen: the evidence.

Nothing here judges. Every process of the executor is one `Driver`; several of them in one world
are the processes of one deployment.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chaos.virtual_time import StalledError
from conformance.driver import Driver
from conformance.errors import PlanproofError
from conformance.kit.exemplar import Exemplar
from conformance.kit.progress import MigratingSubject, progress_document, progress_fault
from conformance.kit.requirements import Clause, Drive, Level
from conformance.reference_model import Unpredictable, predict
from conformance.scenario import RESUME_DELAY_MS, Execute, Resume, Run, Scenario
from conformance.subject import BuildSubject
from conformance.tool_scripts import BegunCall
from conformance.trace import Trace, assemble
from conformance.world import World

TAKE_OVER_MS = 600_000  # within this long another process must have gone on with a dead one's run
FREEZE_AFTER_MS = 500  # half of the first call of the scenarios with two owners
CRASH_AFTER_MS = 150  # half of the second call of the scenarios that migrate out

_Answer = TypeVar("_Answer")


class UnexaminedError(Exception):
    """What the clause is about did not come to pass, so nothing can be said about it."""


class MissingMigrationError(Exception):
    """The executor declares that it migrates, and cannot be asked to, or answers nonsense."""


@dataclass(frozen=True)
class Evidence:
    """What one clause showed.

    Attributes:
        begun: all calls that the tools were given, in order, with their keys.
        late: those of them by a process that had lost the run.
        foreign: outputs of the steps that another executor had completed before, by id.
        cut_off: the tool whose call was under way when its process lost the run; it may be called
            once more. (Where a scenario's own crash cuts a call off, the model counts it.)
        unmet: crashes of the scenario that met no call under way.
    """

    scenario: Scenario
    trace: Trace
    begun: Sequence[BegunCall]
    late: Sequence[BegunCall] = ()
    foreign: Mapping[str, Any] = field(default_factory=dict)
    cut_off: str | None = None
    unmet: int = 0


async def play(clause: Clause, build: BuildSubject, world: World) -> Evidence:
    """Carry out `clause` in `world`, whose scenario is the clause's.

    Raises:
        UnexaminedError: a crash of the scenario met no process at work.
        MissingMigrationError: level C5 is declared and not implemented.
    """
    stage = _Stage(clause, build, world)
    try:
        await _DRIVES[clause.drive](stage)
        return await stage.evidence()
    finally:
        await stage.close()


class _Stage:
    """The processes of one clause, and what has been noted so far."""

    def __init__(self, clause: Clause, build: BuildSubject, world: World) -> None:
        self.clause, self.build, self.world = clause, build, world
        self.drivers: list[Driver] = []
        self.late: Sequence[BegunCall] = ()
        self.foreign: Mapping[str, Any] = {}
        self.cut_off: str | None = None
        self.unmet = 0
        self.last: Driver | None = None

    def process(self, build: BuildSubject | None = None, *, freezable: bool = False) -> Driver:
        """Start one more process."""
        driver = Driver(self.world, build or self.build, freezable=freezable)
        self.drivers.append(driver)
        self.last = driver
        return driver

    async def settle(self, driver: Driver, *, begin: bool = False) -> None:
        """Resume until the run has ended, or for as long as a take-over may take."""
        if begin:
            await driver.perform(Resume(op="resume"))
        deadline_ms = self.world.clock.elapsed_ms + TAKE_OVER_MS
        while self.is_partial and self.world.clock.elapsed_ms < deadline_ms:
            await self.world.clock.sleep_ms(RESUME_DELAY_MS)
            await driver.perform(Resume(op="resume"))

    @property
    def is_partial(self) -> bool:
        segments = self.world.seen.segments
        return bool(segments) and bool(segments[-1].get("is_partial"))

    async def evidence(self) -> Evidence:
        """Read the final state, from level C1 on in a process that has seen nothing of the run."""
        assert self.last is not None  # noqa: S101 - every drive starts a process
        returned, reader = self.last.returned, self.last
        if self.clause.level is not Level.C0 and self.clause.drive is not Drive.MIGRATE_OUT:
            reader = self.process()
        persisted = await reader.subject.state(self.world.scenario.execution_id)
        trace = assemble(
            self.clause.id, "executor", self.world.seen, returned=returned, persisted=persisted
        )
        begun = tuple(self.world.tools.begun)
        scenario, late = self.world.scenario, tuple(self.late)
        return Evidence(scenario, trace, begun, late, self.foreign, self.cut_off, self.unmet)

    async def close(self) -> None:
        for driver in self.drivers:
            await driver.close()


async def _script(stage: _Stage) -> None:
    driver = stage.process()
    scenario = stage.world.scenario
    for operation in scenario.driver:
        await driver.perform(operation)
    await stage.settle(driver)
    wanted = sum(
        isinstance(operation, Execute | Resume | Run) and operation.crash_after_ms is not None
        for operation in scenario.driver
    )
    crashed = sum(bool(segment.get("crashed")) for segment in stage.world.seen.segments)
    stage.unmet = wanted - crashed


async def _together(*calls: Awaitable[None]) -> None:
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(_as_coroutine(call))


async def _as_coroutine(call: Awaitable[None]) -> None:
    await call


async def _two_resumers(stage: _Stage) -> None:
    await _crash(stage, CRASH_AFTER_MS)
    rivals = [stage.process(), stage.process()]
    await _together(*(rival.perform(Resume(op="resume")) for rival in rivals))
    await stage.settle(stage.process(), begin=True)


async def _two_starters(stage: _Stage) -> None:
    rivals = [stage.process(), stage.process()]
    await _together(*(rival.perform(Execute(op="execute")) for rival in rivals))
    await stage.settle(stage.process(), begin=True)


async def _resume_beside(stage: _Stage) -> None:
    owner, other = stage.process(), stage.process()

    async def later() -> None:
        await stage.world.clock.sleep_ms(FREEZE_AFTER_MS)
        if not stage.world.tools.begun:
            raise UnexaminedError("no call was under way when the second process came")
        await other.perform(Resume(op="resume"))

    await _together(owner.perform(Execute(op="execute")), later())
    await stage.settle(stage.process(), begin=True)


async def _frozen_owner(stage: _Stage) -> None:
    clock, tools = stage.world.clock, stage.world.tools
    owner = stage.process(freezable=True)
    work = asyncio.get_running_loop().create_task(owner.perform(Execute(op="execute")))
    try:
        await clock.sleep_ms(FREEZE_AFTER_MS)
        if len(tools.begun) != 1 or work.done():
            raise UnexaminedError("the owner was not in its first call when it was to freeze")
        owner.freeze()
        stage.cut_off = tools.begun[0].tool
        await stage.settle(stage.process(), begin=True)
        seen = len(tools.begun)
        owner.thaw()
        over = clock.elapsed_ms + TAKE_OVER_MS
        while not work.done() and clock.elapsed_ms < over:
            await clock.sleep_ms(RESUME_DELAY_MS)
        stage.late = tools.begun[seen:]
    finally:
        owner.thaw()
        if not work.done():
            owner.kill()
        await work
    await stage.settle(stage.process(), begin=True)


async def _migrate_in(stage: _Stage) -> None:
    scenario = stage.world.scenario
    said = predict(scenario)
    assert not isinstance(said, Unpredictable)  # noqa: S101 - the scenarios of the kit are not
    first = scenario.plan["steps"][0]["id"]
    stage.foreign = {first: said.steps[first].output}
    driver = stage.process()
    progress = progress_document(scenario, stage.foreign)
    await _asked(_migrating(driver).take_in(progress))
    await stage.settle(driver, begin=True)


async def _migrate_out(stage: _Stage) -> None:
    scenario, tools = stage.world.scenario, stage.world.tools
    await _crash(stage, CRASH_AFTER_MS)
    if not tools.begun:
        raise UnexaminedError("no call had begun when the process died")
    stage.cut_off = tools.begun[-1].tool
    await stage.world.clock.sleep_ms(TAKE_OVER_MS)
    origin = stage.process()
    progress = await _asked(_migrating(origin).hand_out(scenario.execution_id))
    if fault := progress_fault(progress, scenario):
        raise MissingMigrationError(fault)
    seen = len(tools.begun)
    await origin.perform(Resume(op="resume"))
    stage.late = tools.begun[seen:]
    heir = stage.process(Exemplar)
    await _migrating(heir).take_in(progress)
    await stage.settle(heir, begin=True)


async def _crash(stage: _Stage, after_ms: int) -> None:
    await stage.process().perform(Execute(op="execute", crash_after_ms=after_ms))
    if not stage.world.seen.segments[-1].get("crashed"):
        raise UnexaminedError("the crash met no call under way")


async def _asked(call: Awaitable[_Answer]) -> _Answer:
    try:
        return await call
    except (PlanproofError, StalledError):
        raise
    except Exception as error:
        raise MissingMigrationError(f"{type(error).__name__}: {error}") from error


def _migrating(driver: Driver) -> MigratingSubject:
    if not isinstance(driver.subject, MigratingSubject):
        raise MissingMigrationError("it has no hand_out and take_in")
    return driver.subject


_DRIVES: Mapping[Drive, Callable[[_Stage], Awaitable[None]]] = {
    Drive.SCRIPT: _script,
    Drive.TWO_RESUMERS: _two_resumers,
    Drive.TWO_STARTERS: _two_starters,
    Drive.RESUME_BESIDE: _resume_beside,
    Drive.FROZEN_OWNER: _frozen_owner,
    Drive.MIGRATE_IN: _migrate_in,
    Drive.MIGRATE_OUT: _migrate_out,
}
