"""Kill points: run a plan, let its process die at one point, resume it, compare with no kill.

A point is the moment before or after one operation of the store, or one call of a tool; after a
call, the effect has happened and the executor does not know. Every point of an undisturbed run is
tried, each on an empty store and with fresh tools.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from typing_extensions import override

from chaos.virtual_time import VirtualClock, run_virtual
from conformance.process import Process, current_process, follow_tasks, refuse_the_dead
from conformance.pytest_plugin.machine import (
    SEGMENTS_MAX,
    EmbeddedStores,
    NeverEndsError,
    make_tools,
)
from engine import (
    EffectSemantics,
    ExecutionResult,
    ParameterFault,
    SeededIdSource,
    Store,
    ToolCall,
    ToolDefinition,
    ToolExecutor,
    ToolResult,
    WorkflowMachine,
)
from engine.errors import LeaseHeldError
from engine.tools import ParameterValidator, ToolCatalog

EXECUTION = "execution-1"
_OPERATIONS = frozenset({"begin", "claim", "apply", "renew", "replicate"})


@dataclass(frozen=True, slots=True, order=True)
class KillPoint:
    """The moment `side` the nth time that `site` is passed, from 1."""

    site: str
    nth: int
    side: Literal["before", "after"]

    @override
    def __str__(self) -> str:
        return f"{self.side} {self.site} {self.nth}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What of one run may not depend on a kill.

    Attributes:
        effects: what the test says that happened; else each call that had its effect, a keyed or
            reading tool's once for each key.
    """

    status: str
    steps: Mapping[str, Any]
    effects: Any
    error: str | None = None

    def differences(self, other: "Outcome") -> Iterator[str]:
        """Yield what differs in `other`, in words."""
        for name in ("status", "error", "steps", "effects"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                yield f"{name}: {_shown(mine)} without a kill, {_shown(theirs)} with it"


@dataclass(slots=True)
class _World:
    """One run: what it passes, and where its process dies."""

    clock: VirtualClock
    kill_at: KillPoint | None = None
    passed: list[KillPoint] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    fired: bool = False

    def enter(self, site: str) -> int:
        """Pass a site; the process may die before anything happens there."""
        refuse_the_dead()
        self.counts[site] += 1
        nth = self.counts[site]
        self._pass(KillPoint(site, nth, "before"))
        return nth

    def leave(self, site: str, nth: int) -> None:
        """What was to happen there has happened; the process may die without knowing."""
        refuse_the_dead()
        self._pass(KillPoint(site, nth, "after"))

    def _pass(self, point: KillPoint) -> None:
        process = current_process()
        if process is None:
            return
        if self.kill_at is None:
            self.passed.append(point)
        elif point == self.kill_at and not self.fired:
            self.fired = True
            process.kill()
            raise asyncio.CancelledError


class _MortalStore:
    """A store of a process that can die before and after each operation."""

    def __init__(self, inner: Store, world: _World) -> None:
        self._inner, self._world = inner, world

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name not in _OPERATIONS:
            return method

        async def operation(*arguments: Any, **named: Any) -> Any:
            nth = self._world.enter(name)
            answer = await method(*arguments, **named)
            self._world.leave(name, nth)
            return answer

        return operation


class _MortalTools:
    """Tools of a process that can die before and after each call; counts the effects."""

    def __init__(self, inner: ToolExecutor, world: _World) -> None:
        self._inner, self._world = inner, world
        self.effects: Counter[str] = Counter()
        self._done: set[str] = set()

    def definition(self, tool_name: str) -> ToolDefinition | None:
        """Return what the tools say of one of them."""
        return self._inner.definition(tool_name) if isinstance(self._inner, ToolCatalog) else None

    def validate(self, tool_name: str, parameters: Mapping[str, Any]) -> Sequence[ParameterFault]:
        """Let the tools check parameters, if they do."""
        if isinstance(self._inner, ParameterValidator):
            return self._inner.validate(tool_name, parameters)
        return ()

    async def execute(self, call: ToolCall, /) -> ToolResult:
        """Make the call; it completes even if the process dies meanwhile."""
        site = f"{call.step_id}.{call.tool_name}"
        nth = self._world.enter(site)
        result = await self._inner.execute(call)
        if result.success:
            self._count(call)
        self._world.leave(site, nth)
        return result

    def _count(self, call: ToolCall) -> None:
        definition = self.definition(call.tool_name)
        semantics = definition.effects if definition else EffectSemantics.UNKEYED
        if semantics in {EffectSemantics.KEYED, EffectSemantics.QUERYABLE}:
            if call.idempotency_key in self._done:
                return
            self._done.add(call.idempotency_key)
        if semantics is not EffectSemantics.READ_ONLY:
            parameters = json.dumps(call.parameters, sort_keys=True, default=str)
            self.effects[f"{call.tool_name}({parameters})"] += 1


@dataclass(frozen=True)
class KillTrial:
    """A plan and its tools, to be killed at any point.

    Attributes:
        plan: its JSON form.
        tools: a function that makes fresh tools; tools that keep nothing may be given themselves.
        effects: says what happened, from the tools that `tools` made; by default calls are counted.
        options: further arguments of `WorkflowMachine`, `settings` for example.
    """

    plan: Mapping[str, Any]
    tools: Any
    effects: Callable[[Any], Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def points(self) -> tuple[KillPoint, ...]:
        """Return every point that an undisturbed run passes, in order.

        Raises:
            AssertionError: it passes none.
        """
        world = _World(VirtualClock())
        self._run(world)
        assert world.passed, "the run does nothing that a kill could interrupt"  # noqa: S101 - a test's
        return tuple(dict.fromkeys(world.passed))

    def undisturbed(self) -> Outcome:
        """Return the outcome without a kill."""
        return self._run(_World(VirtualClock()))

    def killed(self, point: KillPoint) -> Outcome:
        """Return the outcome of a run that is killed at `point` and resumed.

        Raises:
            AssertionError: the run does not pass the point, or never ends.
        """
        world = _World(VirtualClock(), kill_at=point)
        outcome = self._run(world)
        assert world.fired, f"the run does not come {point}"  # noqa: S101 - a test's
        return outcome

    def faults(self, point: KillPoint, expected: Outcome | None = None) -> list[str]:
        """Return what a kill at `point` changes; nothing, if all is well."""
        expected = expected or self.undisturbed()
        try:
            found = self.killed(point)
        except NeverEndsError as error:
            return [f"killed {point}: {error}"]
        return [f"killed {point}: {text}" for text in expected.differences(found)]

    def _run(self, world: _World) -> Outcome:
        async def main() -> Outcome:
            follow_tasks(asyncio.get_running_loop())
            return await self._live(world)

        return run_virtual(main, world.clock)

    async def _live(self, world: _World) -> Outcome:
        made = make_tools(self.tools)
        tools = _MortalTools(made, world)
        ids = SeededIdSource(0)
        store = EmbeddedStores(world.clock, ids).open()
        try:
            for _ in range(SEGMENTS_MAX):
                result = await self._one_life(world, tools, store, ids)
                if result is None:
                    continue
                if result.due_at_ms is None:
                    effects = self.effects(made) if self.effects else dict(tools.effects)
                    return _outcome(result, effects)
                await world.clock.sleep_ms(max(0, result.due_at_ms - world.clock.now_ms()))
        finally:
            await store.aclose()
        raise NeverEndsError(f"the execution has not ended after {SEGMENTS_MAX} segments")

    async def _one_life(
        self, world: _World, tools: _MortalTools, store: Store, ids: SeededIdSource
    ) -> ExecutionResult | None:
        """Run until the segment, or the process, ends; None: whoever comes next has to go on."""
        process = Process()

        def build() -> WorkflowMachine:
            machine = WorkflowMachine(
                EXECUTION,
                tools,
                store=_MortalStore(store, world),
                clock=world.clock,
                ids=ids,
                **self.options,
            )
            machine.set_plan(self.plan)
            return machine

        machine = process.call(build)
        task = process.spawn(machine.execute())
        try:
            ends: set[asyncio.Future[Any]] = {task, process.death}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if process.is_dead:
                return None
            return task.result()
        except LeaseHeldError as error:
            await world.clock.sleep_ms(max(1, error.retry_after_ms))
            return None
        finally:
            process.kill()
            await process.reap()


def _outcome(result: ExecutionResult, effects: Any) -> Outcome:
    steps = {
        step.id: {
            "status": str(step.status),
            "output": step.output,
            "undone": step.compensation_status,
        }
        for step in result.steps
    }
    return Outcome(str(result.status), steps, effects, result.error.code if result.error else None)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


@dataclass(frozen=True, slots=True)
class KillReport:
    """What killing a plan everywhere has shown; all was well, else there is no report."""

    points: tuple[KillPoint, ...]
    outcome: Outcome


def check_everywhere(trial: KillTrial) -> KillReport:
    """Kill a plan at every point.

    Raises:
        AssertionError: something depends on a kill; the message lists each point.
    """
    points, expected = trial.points(), trial.undisturbed()
    faults = [fault for point in points for fault in trial.faults(point, expected)]
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise AssertionError(
            f"a kill changes what happens at {len(faults)} of {len(points)} points:\n{listed}\n"
            "A tool that may be called twice declares so: `effects=` of `ToolRegistry.tool`."
        )
    return KillReport(points, expected)


@dataclass(frozen=True)
class PlannedKill:
    """One kill point of a marked test."""

    trial: KillTrial
    point: KillPoint

    def check(self) -> None:
        """Kill there, resume, and compare.

        Raises:
            AssertionError: the kill changes something.
        """
        faults = self.trial.faults(self.point)
        if faults:
            raise AssertionError("\n".join(faults))
