"""Asking a tool whether an effect has happened, and what its answer leaves of the step."""

from collections.abc import Awaitable, Callable

from engine.clock import Clock
from engine.hooks import HookFailedError, ask
from engine.invocation import Answer
from engine.plan import Step
from engine.states import StepStatus
from engine.step_calls import StepCalls, next_call, next_tool
from engine.toolbox import Toolbox
from engine.tools import EffectSemantics, ToolResult
from engine.types.execution import ErrorInfo, StepState

NO_EFFECT = ErrorInfo(code="EFFECT_NOT_FOUND", message="The tool knows of no effect of this call")


class Lookup:
    """Looks effects of one execution's calls up where tools can tell."""

    def __init__(self, toolbox: Toolbox, calls: StepCalls, clock: Clock, timeout_ms: int) -> None:
        """Give each lookup of the tools in `toolbox` so many milliseconds."""
        self._toolbox = toolbox
        self._calls = calls
        self._clock = clock
        self._timeout_ms = timeout_ms

    def can_tell(self, step: Step, state: StepState) -> bool:
        """Whether the tool of the step's present call has a lookup."""
        definition = self._toolbox.definition(next_tool(step, state))
        return definition is not None and definition.lookup is not None

    async def settle(
        self, step: Step, state: StepState, *, attempts: int = 1, pause_ms: int = 0
    ) -> StepState | None:
        """Return the state that a call of unknown outcome leaves; None: nothing happened.

        A success that is found completes the step. If nothing is found, the call may be made
        again, unless its tool is `at_most_once`. A lookup that fails `attempts` times leaves the
        step in doubt with `LOOKUP_FAILED`, and so does an `at_most_once` tool without one, with
        the error it had.
        """
        definition = self._toolbox.definition(next_tool(step, state))
        if definition is None:
            return None
        doubt = state.model_copy(update={"status": StepStatus.IN_DOUBT})
        if definition.lookup is not None:
            try:
                found = await self._insist(step, state, definition.lookup, attempts, pause_ms)
            except HookFailedError as error:
                failed = ErrorInfo(code="LOOKUP_FAILED", message=f"the lookup failed: {error}")
                return doubt.model_copy(update={"error": failed})
            if found is not None and found.success:
                return self._calls.found(step, state, found)
        return doubt if definition.effects is EffectSemantics.AT_MOST_ONCE else None

    def nothing(self, state: StepState) -> StepState:
        """Return the state of a step that will not be called again, and had no effect."""
        return self._calls.failed(state, NO_EFFECT)

    async def _insist(
        self,
        step: Step,
        state: StepState,
        lookup: Callable[[str], Awaitable[ToolResult | None]],
        attempts: int,
        pause_ms: int,
    ) -> ToolResult | None:
        key = self._calls.key(step.id, next_call(step, state))
        for attempt in range(1, attempts + 1):
            try:
                found = await ask(
                    lambda: lookup(key), clock=self._clock, timeout_ms=self._timeout_ms
                )
                _check(found)
            except HookFailedError:
                if attempt == attempts:
                    raise
                await self._clock.sleep_ms(pause_ms)
                pause_ms *= 2
            else:
                return found
        raise AssertionError("a lookup is tried at least once")

    async def outcome(self, step: Step, state: StepState, answer: Answer) -> StepState | None:
        """Return the state in which an answer leaves the step; None: failed, may be retried.

        A call that raised or was aborted may have had its effect; the tool is asked if it can be.
        """
        if answer.result.success:
            return self._calls.completed(step, state, answer)
        if not answer.unknown:
            return None
        return await self.settle(step, state.model_copy(update={"error": answer.error()}))


def lookup_failed(state: StepState) -> bool:
    """Whether a step is in doubt only because its lookup failed."""
    return (
        state.status is StepStatus.IN_DOUBT
        and state.error is not None
        and state.error.code == "LOOKUP_FAILED"
    )


def _check(found: object) -> None:
    if found is not None and not isinstance(found, ToolResult):
        raise HookFailedError(f"a lookup returns ToolResult or None, not {type(found).__name__}")
