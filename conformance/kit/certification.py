"""Certifies an executor: runs the clauses of its levels and says which level it has reached."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from chaos.virtual_time import StalledError, VirtualClock, run_virtual
from conformance.errors import ExitCode, PlanproofError, worst
from conformance.fault_script import FaultScript
from conformance.kit.checks import Reason, judge
from conformance.kit.drive import Evidence, MissingMigrationError, UnexaminedError, play
from conformance.kit.executor_fault import ExecutorFault
from conformance.kit.requirements import Clause, Level, Requirements
from conformance.observed_redis import StoreObserver
from conformance.process import follow_tasks
from conformance.stores import FAKE, open_store, parse_store
from conformance.subject import BuildSubject
from conformance.trace import Observations
from conformance.world import World, build_world

SILENCE_S = 30.0  # real seconds without a sign of life after which an executor counts as hung


class Verdict(StrEnum):
    """What is known of one clause."""

    PASSED = "passed"
    FAILED = "failed"
    UNTESTABLE = "untestable"
    NOT_APPLICABLE = "not applicable"
    HARNESS_ERROR = "harness error"

    @property
    def exit_code(self) -> ExitCode:
        """What a certification with this verdict in it exits with."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Verdict.PASSED: ExitCode.PASSED,
    Verdict.FAILED: ExitCode.FAILED,
    Verdict.UNTESTABLE: ExitCode.VACUOUS,
    Verdict.NOT_APPLICABLE: ExitCode.PASSED,
    Verdict.HARNESS_ERROR: ExitCode.HARNESS,
}


@dataclass(frozen=True)
class ClauseResult:
    """What came of one clause. `explored`: its level is not declared, so it does not gate."""

    clause: Clause
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    explored: bool = False

    @property
    def reason(self) -> Reason | None:
        """The most telling reason."""
        return self.reasons[0] if self.reasons else None


@dataclass(frozen=True)
class Certificate:
    """What an executor is certified for, and by what.

    Attributes:
        declared: the levels that the executor says it has.
        asked: the level that it must reach; None for whatever it declares.
    """

    executor: str
    requirements: Requirements
    declared: frozenset[Level]
    asked: Level | None
    results: tuple[ClauseResult, ...]

    @cached_property
    def level(self) -> Level | None:
        """The highest level of which, and of all before it, every clause was run and passed."""
        reached = None
        for level in Level:
            here = [result for result in self.results if result.clause.level is level]
            if not here or any(r.verdict is not Verdict.PASSED or r.explored for r in here):
                break
            reached = level
        return reached

    def count(self, verdict: Verdict, level: Level | None = None) -> int:
        """Return how many clauses, of one level or of all, have this verdict and gate."""
        return sum(
            result.verdict is verdict and not result.explored
            for result in self.results
            if level in {None, result.clause.level}
        )

    @property
    def executed(self) -> int:
        """How many clauses were run to an end."""
        return self.count(Verdict.PASSED) + self.count(Verdict.FAILED)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code: nothing executed is not a pass, and neither is a level not reached."""
        codes = [result.verdict.exit_code for result in self.results if not result.explored]
        if not self.executed:
            codes.append(ExitCode.VACUOUS)
        elif self.asked is not None and (self.level is None or self.level < self.asked):
            codes.append(ExitCode.FAILED)
        return worst(codes)


def certify(
    name: str,
    build: BuildSubject,
    requirements: Requirements,
    *,
    asked: Level | None = None,
    explore: bool = False,
    store: str = FAKE,
    silence_s: float = SILENCE_S,
) -> Certificate:
    """Run the clauses of the declared levels, up to `asked`; with `explore`, of all levels.

    Raises:
        ExecutorFault: the executor could not even be asked for its levels.
        PlanproofError: the store cannot be used.
    """
    declared = _declared(build, requirements.clauses[0], store, silence_s)
    results: dict[str, ClauseResult] = {}
    for clause in requirements.clauses:
        if asked is not None and clause.level > asked:
            continue
        is_declared = clause.level in declared
        if not is_declared and not explore:
            results[clause.id] = ClauseResult(clause, Verdict.NOT_APPLICABLE)
            continue
        missing = [need for need in clause.requires if results[need].verdict is not Verdict.PASSED]
        if missing:
            reason = Reason("prerequisite", f"{missing[0]} is not kept")
            results[clause.id] = ClauseResult(
                clause, Verdict.UNTESTABLE, (reason,), explored=not is_declared
            )
            continue
        verdict, reasons = examine(clause, build, store=store, silence_s=silence_s)
        results[clause.id] = ClauseResult(clause, verdict, reasons, explored=not is_declared)
    return Certificate(name, requirements, declared, asked, tuple(results.values()))


def examine(
    clause: Clause, build: BuildSubject, *, store: str = FAKE, silence_s: float = SILENCE_S
) -> tuple[Verdict, tuple[Reason, ...]]:
    """Run one clause in a fresh world and judge it."""
    try:
        evidence = _in_world(clause, build, store, silence_s)
    except UnexaminedError as error:
        return Verdict.UNTESTABLE, (Reason("unexamined", str(error)),)
    except MissingMigrationError as error:
        return Verdict.FAILED, (Reason("no-migration", str(error)),)
    except ExecutorFault as error:
        return Verdict.FAILED, (Reason(error.reason, error.message),)
    except StalledError:
        text = f"the executor waits for something that never comes ({silence_s:g} s of silence)"
        return Verdict.FAILED, (Reason("silent", text),)
    except PlanproofError as error:
        return Verdict.HARNESS_ERROR, (Reason(error.code, error.line()),)
    except Exception as error:  # noqa: BLE001 - one clause may not end the certification
        return Verdict.HARNESS_ERROR, (Reason("harness", f"{type(error).__name__}: {error}"),)
    try:
        reasons = judge(evidence, clause.checks, alone=clause.alone)
    except PlanproofError as error:
        return Verdict.FAILED, (Reason("unreadable", error.line()),)
    if reasons:
        return Verdict.FAILED, reasons
    if evidence.unmet:
        text = f"{evidence.unmet} crashes of the scenario met no call under way"
        return Verdict.UNTESTABLE, (Reason("unexamined", text),)
    return Verdict.PASSED, ()


def _in_world(clause: Clause, build: BuildSubject, store: str, silence_s: float) -> Evidence:
    clock = VirtualClock()

    async def run() -> Evidence:
        follow_tasks(asyncio.get_running_loop())
        observer = StoreObserver(clock, Observations(), FaultScript(()))
        async with open_store(parse_store(store), observer) as client:
            world = build_world(clause.scenario, clock, client, scratch)
            return await play(clause, build, world)

    with tempfile.TemporaryDirectory(prefix="planproof-") as folder:
        scratch = Path(folder)
        try:
            return run_virtual(run, clock, stall_grace_s=silence_s)
        except BaseExceptionGroup as group:
            raise next(_leaves(group)) from None


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _declared(
    build: BuildSubject, clause: Clause, store: str, silence_s: float
) -> frozenset[Level]:
    async def ask(world: World) -> frozenset[str]:
        subject = build(world)
        try:
            return await subject.capabilities()
        finally:
            await subject.close()

    clock = VirtualClock()

    async def run() -> frozenset[str]:
        observer = StoreObserver(clock, Observations(), FaultScript(()))
        async with open_store(parse_store(store), observer) as client:
            return await ask(build_world(clause.scenario, clock, client, scratch))

    with tempfile.TemporaryDirectory(prefix="planproof-") as folder:
        scratch = Path(folder)
        try:
            told = run_virtual(run, clock, stall_grace_s=silence_s)
        except StalledError:
            raise ExecutorFault("silent", "the executor does not say what it can do") from None
    known = {str(level) for level in Level}
    if strange := sorted(set(told) - known):
        raise ExecutorFault("garbage", f"the executor declares {strange[0]!r}, which is no level")
    return frozenset(Level(level) for level in told)


def levels_of(results: Sequence[ClauseResult]) -> list[Level]:
    """Return the levels that occur in `results`, in order."""
    return [level for level in Level if any(r.clause.level is level for r in results)]
