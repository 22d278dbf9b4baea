"""Campaigns on any executor behind the conformance port, whoever wrote it: killed at each call of a tool.

What happens inside a foreign executor cannot be struck from outside, but its calls can: the process
dies before the effect of the nth call, or after the effect and before it hears of it, at each call of
each plan. It is then resumed until it has ended. What came of it is told by the tools alone.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from typing_extensions import override

from chaos.fault_kinds import FaultKind
from chaos.virtual_time import StalledError, VirtualClock, run_virtual
from conformance.driver import Driver
from conformance.errors import HarnessError
from conformance.fault_script import FaultScript
from conformance.observed_redis import StoreObserver
from conformance.process import current_process, follow_tasks, refuse_the_dead
from conformance.scenario import RESUME_DELAY_MS, Execute, Resume, Scenario
from conformance.scenario_builder import ScenarioBuilder
from conformance.stores import FAKE, open_store, parse_store
from conformance.subject import BuildSubject
from conformance.tool_scripts import ScriptedTools, Signal, ToolReply
from conformance.trace import Observations
from conformance.world import World, build_world

KINDS = (FaultKind.KILLED_BEFORE_EFFECT, FaultKind.KILLED_AFTER_EFFECT)
RESUMES_MAX = 10
"""Resumes after which an execution counts as stuck; one is enough for who can resume."""
SILENCE_S = 60.0
"""Real time without a sign of life after which a program counts as hung."""


class SubjectFate(StrEnum):
    """What came of one execution, worst first."""

    LOST = "lost"
    """It is said to be complete, and an effect never happened."""
    DUPLICATED = "duplicated"
    """An effect happened twice, under two keys or none: no callee could know."""
    STUCK = "stuck"
    """It never ended well, however often it was resumed."""
    REPEATED = "repeated under its key"
    """A call was made twice under one key: one effect, if the callee deduplicates."""
    CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class SubjectPoint:
    """One kill and what came of it."""

    plan: str
    call: int
    kind: FaultKind
    fate: SubjectFate
    detail: str

    @property
    def name(self) -> str:
        """The plan, the call and the kind."""
        return f"{self.plan}/call#{self.call}:{self.kind}"


@dataclass(frozen=True, slots=True)
class _Kill:
    """Which call kills the process that makes it, and when."""

    call: int
    kind: FaultKind


class _KillingTools(ScriptedTools):
    """Tools whose nth call kills the process that makes it, before or after its effect."""

    def strike(self, kill: _Kill) -> None:
        self._left, self._kind, self.fired = kill.call, kill.kind, False

    @override
    async def call(
        self,
        tool: str,
        parameters: object,
        *,
        timeout_ms: int | None = None,
        signal: Signal | None = None,
        idempotency_key: str | None = None,
    ) -> ToolReply:
        self._left -= 1
        is_struck = self._left == 0
        if is_struck and self._kind is FaultKind.KILLED_BEFORE_EFFECT:
            self._die()
        reply = await super().call(
            tool,
            parameters,
            timeout_ms=timeout_ms,
            signal=signal,
            idempotency_key=idempotency_key,
        )
        if is_struck:
            self._die()
        return reply

    def _die(self) -> None:
        self.fired = True
        process = current_process()
        if process is not None:
            process.kill()
            refuse_the_dead()


def scenarios() -> dict[str, Scenario]:
    """Return the plans: a chain, and a fork that joins."""
    chain = ScenarioBuilder("chain3").chain("a", "b", "c")
    diamond = (
        ScenarioBuilder("diamond")
        .step("a")
        .step("b", after=["a"])
        .step("c", after=["a"])
        .step("d", after=["b", "c"])
    )
    return {"chain3": chain.build(), "diamond": diamond.build()}


def subject_points(build: BuildSubject, *, silence_s: float = SILENCE_S) -> Iterator[SubjectPoint]:
    """Yield what comes of each kill.

    Raises:
        HarnessError: the executor cannot be started, or the fault did not fire.
    """
    for plan, scenario in scenarios().items():
        for call in range(1, len(scenario.plan["steps"]) + 1):
            for kind in KINDS:
                fate, detail = _struck(scenario, build, _Kill(call, kind), silence_s)
                yield SubjectPoint(plan, call, kind, fate, detail)


def _struck(
    scenario: Scenario, build: BuildSubject, kill: _Kill, silence_s: float
) -> tuple[SubjectFate, str]:
    clock = VirtualClock()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return run_virtual(
                lambda: _live(scenario, build, kill, clock, Path(scratch)),
                clock,
                stall_grace_s=silence_s,
            )
        except StalledError:
            return SubjectFate.STUCK, f"no sign of life for {silence_s:.0f} s"


async def _live(
    scenario: Scenario,
    build: BuildSubject,
    kill: _Kill,
    clock: VirtualClock,
    scratch: Path,
) -> tuple[SubjectFate, str]:
    follow_tasks(asyncio.get_running_loop())
    seen = Observations()
    observer = StoreObserver(clock, seen, FaultScript(()))
    async with open_store(parse_store(FAKE), observer) as client:
        tools = _KillingTools(scenario, clock, seen)
        tools.strike(kill)
        world = replace(build_world(scenario, clock, client, scratch), tools=tools)
        ended = await _drive(world, build)
    if not tools.fired:
        raise HarnessError(
            f"call {kill.call} of {scenario.name} was never made: nothing was killed"
        )
    return _fate(scenario, tools, ended=ended)


async def _drive(world: World, build: BuildSubject) -> bool:
    """Start and resume; return whether the execution ended well."""
    driver = Driver(world, build)
    try:
        await driver.perform(Execute(op="execute"))
        for _ in range(RESUMES_MAX):
            if world.seen.segments[-1].get("success"):
                return True
            await world.clock.sleep_ms(RESUME_DELAY_MS)
            await driver.perform(Resume(op="resume"))
        return bool(world.seen.segments[-1].get("success"))
    finally:
        await driver.close()


def _fate(scenario: Scenario, tools: ScriptedTools, *, ended: bool) -> tuple[SubjectFate, str]:
    counts = Counter(effect.tool for effect in tools.effects)
    keys = {(effect.tool, effect.idempotency_key) for effect in tools.effects}
    wanted = [step["tool_name"] for step in scenario.plan["steps"]]
    missing = [tool for tool in wanted if not counts[tool]]
    twice = [tool for tool in wanted if counts[tool] > 1]
    known = [
        tool for tool in twice if sum(name == tool and key is not None for name, key in keys) == 1
    ]
    if ended and missing:
        return SubjectFate.LOST, f"no effect of {', '.join(missing)}"
    if len(known) < len(twice):
        return SubjectFate.DUPLICATED, f"{', '.join(twice)} twice, without one key"
    if not ended:
        return SubjectFate.STUCK, f"no effect of {', '.join(missing)}" if missing else "never ended"
    if twice:
        return SubjectFate.REPEATED, f"{', '.join(twice)} twice under one key"
    return SubjectFate.CLEAN, ""
