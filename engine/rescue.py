"""What is tried after a step's own call has failed for good: error recovery, then failover.

Each call is durable before it is made (`StepState.rescue`): which tool, which parameters, under
which key. A crash in it resumes with the same call, and not with the step's own.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, assert_never

from engine.clock import Clock
from engine.error_recovery import FailedCall
from engine.failover import (
    AlternativeParameters,
    AlternativeTool,
    Escalate,
    Failure,
    RetryAfter,
    classify,
)
from engine.hooks import HookFailedError, ask
from engine.invocation import Answer
from engine.json_form import durable_form
from engine.lookup import Lookup
from engine.plan import Step
from engine.states import StepStatus
from engine.step_calls import StepCalls, next_call
from engine.toolbox import Toolbox
from engine.types.execution import ErrorInfo, RescueCall, StepState

Recorder: TypeAlias = Callable[[StepState], Awaitable[None]]
"""Makes a step's state durable while the step is being carried out."""


class Rescue:
    """Tries to save steps of one execution whose own call has failed."""

    def __init__(
        self,
        toolbox: Toolbox,
        calls: StepCalls,
        lookup: Lookup,
        *,
        clock: Clock,
        hook_timeout_ms: int,
        intent_type: str | None,
    ) -> None:
        """Rescue by the recovery hook and the failover rules in `toolbox`."""
        self._lookup = lookup
        self._hook_timeout_ms = hook_timeout_ms
        self._toolbox = toolbox
        self._calls = calls
        self._clock = clock
        self._intent_type = intent_type

    async def run(
        self,
        step: Step,
        state: StepState,
        answer: Answer,
        record: Recorder,
        *,
        outputs: Mapping[str, Any],
        known: Mapping[str, int],
        until_ms: float | None,
    ) -> StepState:
        """Ask the recovery hook once, then apply failover rules; else the step has failed."""
        suggested = await self._recovery(step, state, answer, outputs, known)
        if isinstance(suggested, ErrorInfo):
            return self._calls.failed(state, suggested)
        if suggested is None:
            return await self._fail_over(step, state, answer, record, until_ms)
        state = state.model_copy(update={"rescue": suggested})
        await record(state)
        return await self.resume(step, state, record, until_ms=until_ms)

    async def resume(
        self, step: Step, state: StepState, record: Recorder, *, until_ms: float | None
    ) -> StepState:
        """Make the call that is recorded, then go on with the failover rules."""
        answer = await self._calls.call(step, state)
        settled = await self._lookup.outcome(step, state, answer)
        if settled is not None:
            return settled
        return await self._fail_over(step, state, answer, record, until_ms)

    async def _recovery(
        self,
        step: Step,
        state: StepState,
        answer: Answer,
        outputs: Mapping[str, Any],
        known: Mapping[str, int],
    ) -> RescueCall | ErrorInfo | None:
        recovery = self._toolbox.recovery
        if recovery is None or answer.raised:
            return None
        own = next_call(step, state)
        failed = FailedCall(own.tool_name, own.parameters, answer.result.error)
        try:
            again = await ask(
                lambda: recovery(failed), clock=self._clock, timeout_ms=self._hook_timeout_ms
            )
        except HookFailedError:  # a recovery that fails is no recovery
            return None
        if again is None:
            return None
        if again.parameters is None:
            return own.model_copy(update={"recovered": True})
        prepared = self._calls.prepare(own.tool_name, again.parameters, outputs, known)
        if isinstance(prepared, ErrorInfo):
            return prepared
        prepared = durable_form(prepared)
        return _changed(own, own.tool_name, prepared).model_copy(update={"recovered": True})

    async def _fail_over(
        self,
        step: Step,
        state: StepState,
        answer: Answer,
        record: Recorder,
        until_ms: float | None,
    ) -> StepState:
        while True:
            chosen = self._next(step, state, answer)
            if isinstance(chosen, ErrorInfo):
                return self._calls.failed(state, chosen)
            rescue, pause_ms = chosen
            state = state.model_copy(update={"rescue": rescue})
            if until_ms is not None and self._clock.monotonic_ms() + pause_ms > until_ms:
                return self._calls.deferred(state, pause_ms)
            if pause_ms:
                await self._clock.sleep_ms(pause_ms)
            await record(state)
            answer = await self._calls.call(step, state)
            settled = await self._lookup.outcome(step, state, answer)
            if settled is not None:
                return settled

    def _next(
        self, step: Step, state: StepState, answer: Answer
    ) -> tuple[RescueCall, int] | ErrorInfo:
        """Return the call that the first rule asks for, and the pause before it. Pure."""
        before = _base(step, state)
        failure = Failure(
            tool_name=before.tool_name,
            message=answer.result.error,
            reason=classify(answer.result.error, raised=answer.raised, aborted=answer.aborted),
            intent_type=self._intent_type,
        )
        chosen = self._toolbox.failover.choose(failure, before.uses)
        if chosen is None:
            return answer.error()
        tool_name, parameters, pause_ms = before.tool_name, before.parameters, 0
        action = self._toolbox.failover.rules[chosen].action
        match action:
            case AlternativeParameters(changes):
                parameters = {**parameters, **changes}
            case AlternativeTool(name):
                tool_name = name
            case RetryAfter(delay_ms):
                pause_ms = delay_ms
            case Escalate(message):
                return ErrorInfo(code="ESCALATED", message=f"{message}: {failure.message}")
            case _:
                assert_never(action)
        fault = self._calls.fault(tool_name, parameters)
        if fault is not None:
            return fault
        parameters = durable_form(parameters)
        uses = {**before.uses, chosen: before.uses.get(chosen, 0) + 1}
        return _changed(before, tool_name, parameters).model_copy(update={"uses": uses}), pause_ms


def is_under_way(state: StepState) -> bool:
    """Whether the step's own call is over, and the recorded one is to be made."""
    return state.status is StepStatus.IN_PROGRESS and state.rescue is not None


def _base(step: Step, state: StepState) -> RescueCall:
    """Return the call that the rules start from: the last one of theirs, else the step's own."""
    if state.rescue is not None and state.rescue.uses:
        return state.rescue
    own = next_call(step, state.model_copy(update={"rescue": None}))
    return own.model_copy(update={"recovered": state.rescue is not None})


def _changed(before: RescueCall, tool_name: str, parameters: dict[str, Any]) -> RescueCall:
    """Return the next call; one that differs gets an ordinal that no call of the step had."""
    if (tool_name, parameters) == (before.tool_name, before.parameters):
        return before
    return before.model_copy(
        update={
            "tool_name": tool_name,
            "parameters": parameters,
            "alternative": 1 + before.recovered + sum(before.uses.values()),
        }
    )
