"""Faults around the tools: each call of one life passes here, has its effect or not, and answers."""

from typing import NoReturn, Protocol

from typing_extensions import override

from chaos.case import FaultPoint
from chaos.fault_kinds import FaultKind
from chaos.faults.ledger import Ledger, output_of
from chaos.plans import ChaosPlan
from chaos.port import CallAnswer, Callee, CallRequest
from engine import Clock, EffectSemantics

FAILED = "the tool says no"


class ToolRaisedError(Exception):
    """What a tool raises."""


class ToolWorld(Protocol):
    """What a world does about the calls of one life."""

    ledger: Ledger

    def call_arrives(self, site: str) -> FaultPoint | None:
        """Count a call, and return the fault that happens to it."""

    def attempted(self, request: CallRequest) -> None:
        """Take note that a call is made."""

    def took_effect(self, request: CallRequest, outcome: str) -> None:
        """Take note of what a call did outside."""

    def hold_effect(self, request: CallRequest, point: FaultPoint) -> None:
        """Let the effect of a call happen later."""

    def die(self) -> NoReturn:
        """End the process, now."""

    async def go_on(self) -> None:
        """Wait while the process is stopped; never return if it is dead."""


class FaultyTools(Callee):
    """The outside of a plan's tools for one life. An effect is at the end of its call's latency."""

    def __init__(self, world: ToolWorld, plan: ChaosPlan, clock: Clock) -> None:
        """Call the tools of `plan` on the ledger of `world`."""
        self._world = world
        self._plan = plan
        self._clock = clock

    @override
    async def call(self, request: CallRequest, /) -> CallAnswer:
        world, script = self._world, self._plan.tools[request.tool]
        await world.go_on()
        world.attempted(request)
        point = world.call_arrives(f"{request.step}.{'undo' if request.compensation else 'tool'}")
        kind = None if point is None else point.kind
        if kind is FaultKind.KILLED_BEFORE_EFFECT:
            world.die()
        if kind is FaultKind.TOOL_ERROR:
            raise ToolRaisedError("the tool cannot be reached")
        await self._clock.sleep_ms(script.latency_ms)
        if kind is FaultKind.EFFECT_LATE and point is not None:
            world.hold_effect(request, point)
            world.die()
        outcome = world.ledger.reach(request, script)
        if outcome == "ok":
            self._take_effect(request)
        if kind is FaultKind.KILLED_AFTER_EFFECT:
            world.die()
        if kind is FaultKind.TIMEOUT_AFTER_EFFECT:
            raise ToolRaisedError("the tool does not answer in time")
        if outcome == "raise":
            raise ToolRaisedError("the tool breaks down")
        return CallAnswer(outcome == "ok", output_of(request), FAILED)

    @override
    async def look_up(self, step: str, key: str, /) -> CallAnswer | None:
        world = self._world
        await world.go_on()
        point = world.call_arrives(f"{step}.lookup")
        if point is not None and point.kind is FaultKind.KILLED_BEFORE_EFFECT:
            world.die()
        if point is not None:
            raise ToolRaisedError("the lookup cannot be reached")
        await self._clock.sleep_ms(1)
        output = world.ledger.outputs.get(key)
        return None if output is None else CallAnswer(success=True, output=output)

    def _take_effect(self, request: CallRequest) -> None:
        outcome = self._world.ledger.apply(request, self._plan.tools[request.tool])
        if outcome is not None:
            self._world.took_effect(request, outcome)


def has_effect(plan: ChaosPlan, tool: str) -> bool:
    """Whether a late effect of the tool can be told from none."""
    script = plan.tools[tool]
    return script.compensates is not None or script.effects is not EffectSemantics.READ_ONLY
