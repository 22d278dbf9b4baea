"""One step: claim, parameters, validation, the call, and what becomes of its result."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from legacy import error_codes
from legacy.abort import AbortController
from legacy.execution_state import ExecutionState, StepState, iso_time
from legacy.failures import message_of
from legacy.memory import ExecutionMemory
from legacy.parameters import (
    apply_aliases,
    booking_message,
    resolve_step_parameters,
    validation_message,
)
from legacy.ports import (
    ClaimService,
    ExecutionEnvironment,
    ToolExecutionResult,
    ToolExecutor,
    TraceCallback,
    TraceEntry,
)
from legacy.recovery import propose_retry

STEP_ABORT_MS: Final = 8_500
SKIP_RECORD: Final[Mapping[str, Any]] = {
    "skipped": True,
    "reason": "Already executed (idempotent)",
}


@dataclass(frozen=True, slots=True)
class StepResult:
    """The step's new state and the compensation that its tool gave."""

    state: StepState
    compensation: Mapping[str, Any] | None = None


class StepRun:
    """One attempt at one step, on the state as it was before the batch."""

    def __init__(
        self,
        step: Mapping[str, Any],
        state: ExecutionState,
        tools: ToolExecutor,
        environment: ExecutionEnvironment,
        *,
        claims: ClaimService | None,
        trace: TraceCallback | None,
    ) -> None:
        """Prepare to run `step`, a step of the plan as given, whose state is in `state`."""
        self._step = step
        self._state = state
        self._tools = tools
        self._environment = environment
        self._clock = environment.clock
        self._claims = claims
        self._trace = trace
        self._tool_name: str = step["tool_name"]
        self._label: str = step.get("description") or self._tool_name
        before = state.step(step["id"])
        if before is None:
            raise LookupError(f"step {step['id']} has no state")
        self._before = before
        self._index = state.step_states.index(before)
        self._began_ms = self._clock.monotonic_ms()

    async def run(self) -> StepResult:
        """Run the step to its end.

        Raises:
            Exception: the update about an error could not be signed either.
        """
        try:
            return await self._attempt()
        except Exception as error:  # noqa: BLE001 - whatever it is, the step has failed
            # A signing error after a successful call lands here too (Quirk 46), and so does a
            # failed claim or save.
            latency_ms = self._elapsed_ms()
            message = message_of(error)
            self._note("step_error", latency_ms, message)
            await self._update("failed", f"Error: {message}")
            return self._failed(error_codes.STEP_EXECUTION_FAILED, message, latency_ms)

    async def _attempt(self) -> StepResult:
        if self._claims is not None:
            owner = self._state.execution_id
            if self._state.intent is not None:
                owner = self._state.intent["id"]
            if not await self._claims.claim(owner, self._index):
                await self._update("completed", "Skipped (idempotent)")
                # Quirk 16: the record of the skip takes the place of the output.
                return self._completed(
                    ToolExecutionResult(success=True, has_output=True, output=dict(SKIP_RECORD)), 0
                )
        parameters = apply_aliases(
            resolve_step_parameters(self._step.get("parameters"), self._state),
            self._environment.definitions.parameter_aliases(self._tool_name),
        )
        complaint = await self._complaint(parameters)
        if complaint is not None:
            # Quirk 30: neither an update nor a trace entry tells of an invalid step.
            return self._failed(error_codes.VALIDATION_FAILED, complaint, 0)
        await self._save_started(parameters)
        await self._update("in_progress", f"Starting {self._label}...")
        result = await self._call(parameters)
        latency_ms = self._elapsed_ms()
        if result.success:
            self._note("step_completed", latency_ms)
            await self._update("completed", f"Completed {self._label}")
            return self._completed(result, latency_ms)
        return await self._recover(parameters, result, latency_ms)

    async def _complaint(self, parameters: Mapping[str, Any]) -> str | None:
        errors = await self._environment.validator.validate(self._tool_name, parameters)
        if errors:
            return validation_message(errors)
        return booking_message(self._tool_name, parameters)

    async def _save_started(self, parameters: dict[str, Any]) -> None:
        """Save a state in which this step, and only this one, is in progress.

        Quirk 18: the steps of a batch overwrite each other's save, so a crash shows only the last
        of them in progress. Quirk 20: the copy is thrown away, and with it input and start time.
        """
        now = iso_time(self._clock.now_ms())
        started = replace(
            self._before,
            status="in_progress",
            started_at=now,
            input=parameters,
            attempts=self._before.attempts + 1,
        )
        shown = replace(self._state.with_steps({started.step_id: started}), updated_at=now)
        await ExecutionMemory(self._environment.redis, self._clock).save(shown)

    async def _call(self, parameters: Any) -> ToolExecutionResult:
        """Call the tool with an abort signal.

        Quirk 32: the abort counts from this call, not from the start of the segment.
        Quirk 33: `timeout_ms` is only passed on. Quirk 34: it is the raw plan's, so a plan that
        leaves it out passes none.
        """
        controller = AbortController()
        timer = self._clock.call_later_ms(STEP_ABORT_MS, controller.abort)
        try:
            return await self._tools.execute(
                self._tool_name, parameters, self._step.get("timeout_ms"), controller.signal
            )
        finally:
            timer.cancel()

    async def _recover(
        self, parameters: Any, result: ToolExecutionResult, latency_ms: int
    ) -> StepResult:
        error = result.error or ""
        self._note("step_failed", latency_ms, result.error)
        retry = await propose_retry(self._environment, self._tool_name, parameters, error)
        if retry is not None:
            # Quirk 40: no abort, no resolving, no validation; the latency stays the first call's.
            second = await self._tools.execute(
                self._tool_name, retry.parameters, self._step.get("timeout_ms")
            )
            if second.success:
                await self._update("completed", f"Completed {self._label} (after retry)")
                return self._completed(second, latency_ms)
            # Quirk 41: the error of a failing retry is hidden behind the first one.
        shown = "Unknown error" if result.error is None else result.error
        await self._update("failed", f"Failed: {shown}")
        return self._failed(
            error_codes.tool_failure_code(error),
            error or "Unknown tool execution error",
            latency_ms,
        )

    def _elapsed_ms(self) -> int:
        return math.floor(self._clock.monotonic_ms() - self._began_ms + 0.5)

    def _completed(self, result: ToolExecutionResult, latency_ms: int) -> StepResult:
        state = replace(
            self._before,
            status="completed",
            attempts=self._before.attempts + 1,
            has_output=result.has_output,
            output=result.output,
            completed_at=iso_time(self._clock.now_ms()),
            latency_ms=latency_ms,
        )
        return StepResult(state, result.compensation)

    def _failed(self, code: str, message: str, latency_ms: int) -> StepResult:
        # Quirk 38: the HTTP code that was recognised in the error is not part of the schema.
        state = replace(
            self._before,
            status="failed",
            attempts=self._before.attempts + 1,
            error={"code": code, "message": message},
            completed_at=iso_time(self._clock.now_ms()),
            latency_ms=latency_ms,
        )
        return StepResult(state)

    def _note(self, event: str, latency_ms: int, error: str | None = None) -> None:
        if self._trace is not None:
            now = iso_time(self._clock.now_ms())
            self._trace(TraceEntry(now, event, self._step["id"], latency_ms, error))

    async def _update(self, status: str, message: str) -> None:
        await self._environment.realtime.update_step(
            {
                "executionId": self._state.execution_id,
                "stepIndex": self._index,
                "totalSteps": len(self._state.step_states),
                "stepName": self._tool_name,
                "status": status,
                "message": message,
                "timestamp": iso_time(self._clock.now_ms()),
            }
        )
