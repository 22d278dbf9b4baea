"""One step, from its parameters to its final state: retries, recovery and failover included."""

from collections.abc import Mapping
from typing import Any

from engine.clock import Clock
from engine.identity import IdSource
from engine.lookup import Lookup
from engine.plan import Step
from engine.rescue import Recorder, Rescue, is_under_way
from engine.retry import NO_RETRY, backoff_ms, may_retry
from engine.settings import WorkflowSettings
from engine.states import StepStatus
from engine.step_calls import StepCalls
from engine.toolbox import Toolbox
from engine.trusted import changed
from engine.types.execution import ErrorInfo, StepState


class StepRunner:
    """Carries single steps of one execution out; what must be durable on the way is recorded."""

    def __init__(
        self,
        execution_id: str,
        toolbox: Toolbox,
        *,
        clock: Clock,
        ids: IdSource,
        settings: WorkflowSettings,
        intent_type: str | None = None,
    ) -> None:
        """Run steps of `execution_id` with the tools in `toolbox`."""
        self._clock = clock
        self._ids = ids
        self.calls = StepCalls(execution_id, toolbox, clock=clock, settings=settings)
        self.lookup = Lookup(toolbox, self.calls, clock, settings.hook_timeout_ms)
        self._rescue = Rescue(
            toolbox,
            self.calls,
            self.lookup,
            clock=clock,
            hook_timeout_ms=settings.hook_timeout_ms,
            intent_type=intent_type,
        )

    def intend(
        self, step: Step, state: StepState, outputs: Mapping[str, Any], known: Mapping[str, int]
    ) -> StepState:
        """Return the state to make durable before the call: in progress, with its input.

        A step whose parameters cannot be sent is returned failed. One that was begun before keeps
        the input that it was begun with.
        """
        now_ms = self._clock.now_ms()
        attempts = state.attempts + 1
        begun = {"attempts": attempts, "started_at_ms": now_ms, "retry_at_ms": None, "error": None}
        if state.input is not None:
            return changed(state, {"status": StepStatus.IN_PROGRESS, **begun})
        prepared = self.calls.prepare(step.tool_name, step.parameters, outputs, known)
        if isinstance(prepared, ErrorInfo):
            return self.calls.failed(changed(state, begun), prepared)
        return changed(state, {"status": StepStatus.IN_PROGRESS, "input": prepared, **begun})

    async def run(
        self,
        step: Step,
        state: StepState,
        outputs: Mapping[str, Any],
        known: Mapping[str, int],
        record: Recorder,
        *,
        until_ms: float | None,
    ) -> StepState:
        """Call the tool of an intended step until it succeeds or nothing more may be tried.

        Every call that is not the intended one is handed to `record` first. Returns the completed
        or failed state; or the pending state with `retry_at_ms` when the next call is due after
        `until_ms` (monotonic milliseconds); or the state in doubt, when a tool that must not be
        called twice has raised or was aborted.
        """
        if is_under_way(state):
            return await self._rescue.resume(step, state, record, until_ms=until_ms)
        policy = step.retry_policy or NO_RETRY
        while True:
            answer = await self.calls.call(step, state)
            if answer.result.success:  # as `outcome` says, without a coroutine for it
                return self.calls.completed(step, state, answer)
            settled = await self.lookup.outcome(step, state, answer)
            if settled is not None:
                return settled
            if not may_retry(policy, state.attempts):
                break
            pause_ms = backoff_ms(policy, state.attempts, self._ids.fraction())
            if until_ms is not None and self._clock.monotonic_ms() + pause_ms > until_ms:
                return self.calls.deferred(state, pause_ms)
            if pause_ms:
                await self._clock.sleep_ms(pause_ms)
            state = changed(state, {"attempts": state.attempts + 1})
        return await self._rescue.run(
            step, state, answer, record, outputs=outputs, known=known, until_ms=until_ms
        )
