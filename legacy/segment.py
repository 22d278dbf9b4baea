"""One segment of an execution: its state, its loop, and how it ends."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from legacy import error_codes
from legacy.checkpoint import CheckpointManager
from legacy.execution_state import (
    ExecutionState,
    StepState,
    iso_time,
    planned_state,
    start_execution,
    with_missing_steps,
)
from legacy.failures import DeadlockError, MalformedPlanError, message_of, text_of
from legacy.memory import ExecutionMemory
from legacy.ports import ClaimService, ExecutionEnvironment, ToolExecutor, TraceCallback
from legacy.step_execution import StepResult, StepRun
from legacy.task_state import TaskService

CHECKPOINT_THRESHOLD_MS: Final = 7_000


@dataclass(frozen=True, slots=True)
class DurableExecutionResult:
    """What a segment returns.

    Quirk 8: on success `completed_steps` is the number of plan steps and `failed_steps` is 0,
    whatever happened. Quirk 43: `execution_time_ms` of a partial result and of a step failure is
    the time of day minus a monotonic reading, about 1.77e12.
    """

    success: bool
    is_partial: bool
    state: ExecutionState
    completed_steps: int
    failed_steps: int
    total_steps: int
    execution_time_ms: int
    next_step_index: int | None = None
    segment_number: int | None = None
    error_code: str | None = None
    error_message: str | None = None


def find_ready_steps(
    state: ExecutionState, steps: Sequence[Mapping[str, Any]], start_index: int
) -> list[Mapping[str, Any]]:
    """Return the steps of the plan that can run now, in the order of their step states.

    Quirk 2: steps in front of `start_index` are out of reach for good. Quirk 3: what counts is
    the position in the list, not `step_number`. Quirk 19: a step in progress is never ready again.

    Raises:
        MalformedPlanError: a step has no dependencies field. Quirk 35: the schema's default is
            not in the plan as given.
    """
    first: dict[str, int] = {}
    for index, step in enumerate(steps):
        first.setdefault(step["id"], index)
    completed = {step.step_id for step in state.step_states if step.status == "completed"}
    ready: list[Mapping[str, Any]] = []
    for step_state in state.step_states:
        position = first.get(step_state.step_id, -1)
        if step_state.status != "pending" or position < max(start_index, 0):
            continue
        dependencies = steps[position].get("dependencies")
        if dependencies is None:
            kind = "null" if "dependencies" in steps[position] else "undefined"
            raise MalformedPlanError(f"Cannot read properties of {kind} (reading 'length')")
        if all(dependency in completed for dependency in dependencies):
            ready.append(steps[position])
    return ready


class Segment:
    """One call of `execute_segment`."""

    def __init__(
        self,
        plan: Mapping[str, Any],
        tools: ToolExecutor,
        *,
        execution_id: str,
        environment: ExecutionEnvironment,
        start_step_index: int,
        segment_number: int,
        idempotency: ClaimService | None,
        trace: TraceCallback | None,
        trace_id: str | None,
    ) -> None:
        """Take what `execute_segment` was called with; the segment's time begins here."""
        if not isinstance(plan.get("steps"), list | tuple):
            raise MalformedPlanError("Cannot read properties of undefined (reading 'length')")
        self._plan = plan
        self._steps: Sequence[Mapping[str, Any]] = plan["steps"]
        self._tools = tools
        self._execution_id = execution_id
        self._environment = environment
        self._clock = environment.clock
        self._start_step_index = start_step_index
        self._segment_number = segment_number
        self._idempotency = idempotency
        self._trace = trace
        self._trace_id = trace_id
        self._memory = ExecutionMemory(environment.redis, environment.clock)
        self._tasks = TaskService(environment.redis, environment.clock)
        self._began_ms = environment.clock.monotonic_ms()

    async def begin(self, initial_state: ExecutionState | None) -> ExecutionState:
        """Make sure of the task record and return the stored first state in EXECUTING."""
        if await self._tasks.find(self._execution_id) is None:
            intent = None if initial_state is None else initial_state.intent
            await self._tasks.create(
                self._execution_id,
                intent_id=None if intent is None else intent["id"],
                start_step_index=self._start_step_index,
                segment_number=self._segment_number,
                total_steps=len(self._steps),
            )
        await self._tasks.move(
            self._execution_id, "in_progress", f"Segment {self._segment_number} starting"
        )
        # Quirk 11: a persisted state keeps its own steps and plan, whatever plan was given.
        state = initial_state or await self._memory.load(self._execution_id)
        if state is None:
            # Quirk 21: an invalid plan leaves a task in progress and nothing else.
            state = planned_state(self._execution_id, self._plan, self._clock.now_ms())
        state = start_execution(state, self._clock.now_ms())
        state = with_missing_steps(state, self._steps, self._clock.now_ms())
        await self._memory.save(state)
        return state

    async def run(self, state: ExecutionState) -> DurableExecutionResult:
        """Run batches until the plan is settled, a step fails or the time is up."""
        index = self._start_step_index
        try:
            while True:
                # Quirk 5: looked at before anything else, also before noticing that all is done.
                # Quirk 4: so a slow batch hides a deadlock.
                if self._elapsed_ms() >= CHECKPOINT_THRESHOLD_MS:
                    return await self._yield(state, index)
                ready = find_ready_steps(state, self._steps, index)
                if not ready:
                    self._refuse_deadlock(state)
                    return await self._complete(state)
                results = await self._run_batch(ready, state)
                state = self._apply(results, state)
                await self._memory.save(state)
                positions = [self._position(step) for step in ready]
                index = 1 + max(index, *positions)  # Quirk 2
                if any(result.state.status == "failed" for result in results):
                    return await self._reflect(state)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has failed
            return await self._fail(state, error)

    async def _run_batch(
        self, ready: Sequence[Mapping[str, Any]], state: ExecutionState
    ) -> list[StepResult]:
        """Run all ready steps at once and wait for all; no limit on width, no early stop."""
        results = await asyncio.gather(
            *(self._run_step(step, state) for step in ready), return_exceptions=True
        )
        return [
            self._rejected(step, state, result) if isinstance(result, BaseException) else result
            for step, result in zip(ready, results, strict=True)
        ]

    async def _run_step(self, step: Mapping[str, Any], state: ExecutionState) -> StepResult:
        run = StepRun(
            step,
            state,
            self._tools,
            self._environment,
            claims=self._idempotency,
            trace=self._trace,
        )
        return await run.run()

    def _rejected(
        self, step: Mapping[str, Any], state: ExecutionState, error: BaseException
    ) -> StepResult:
        if not isinstance(error, Exception):
            raise error
        before = state.step(step["id"]) or StepState(step["id"])
        return StepResult(
            replace(
                before,
                status="failed",
                attempts=before.attempts + 1,
                error={"code": error_codes.UNKNOWN_ERROR, "message": text_of(error)},
                completed_at=iso_time(self._clock.now_ms()),
            )
        )

    def _apply(self, results: Sequence[StepResult], state: ExecutionState) -> ExecutionState:
        context = dict(state.context)
        for result in results:
            if result.compensation is not None:
                # Quirk 52: kept and never run. Quirk 53: no registry is asked for others.
                context[f"compensation:{result.state.step_id}"] = dict(result.compensation)
        changed = state.with_steps({result.state.step_id: result.state for result in results})
        return replace(changed, context=context, updated_at=iso_time(self._clock.now_ms()))

    def _refuse_deadlock(self, state: ExecutionState) -> None:
        """Throw unless as many step states are settled as the plan has steps.

        Quirk 12: step states of an earlier plan count too, so a plan can be called complete while
        steps of it never ran, or the number of pending steps be negative.
        """
        settled = state.count("completed") + state.count("failed")
        if settled != len(self._steps):
            raise DeadlockError(
                f"Execution deadlock: {len(self._steps) - settled} pending steps, none ready"
            )

    async def _yield(self, state: ExecutionState, index: int) -> DurableExecutionResult:
        await CheckpointManager(self._environment).save(
            state,
            next_step_index=index,
            segment_number=self._segment_number,
            trace_id=self._trace_id,
        )
        return self._result(
            state,
            is_partial=True,
            execution_time_ms=self._mixed_time_ms(),
            next_step_index=index,
            segment_number=self._segment_number,
        )

    async def _complete(self, state: ExecutionState) -> DurableExecutionResult:
        # Quirk 45: if this save fails, the finished run is reported as failed.
        state = self._settled(state, "COMPLETED")
        await self._memory.save(state)
        await self._tasks.move(self._execution_id, "completed", "All steps completed successfully")
        return self._result(
            state,
            success=True,
            completed_steps=len(self._steps),  # Quirk 8
            failed_steps=0,
            execution_time_ms=self._elapsed_ms(),
        )

    async def _reflect(self, state: ExecutionState) -> DurableExecutionResult:
        # Quirk 9: nothing ever retries the failed steps. Quirk 36: nor does a retry policy.
        await self._tasks.move(self._execution_id, "failed", "Step execution failed")
        state = replace(state, status="REFLECTING", updated_at=iso_time(self._clock.now_ms()))
        await self._memory.save(state)
        return self._result(
            state,
            execution_time_ms=self._mixed_time_ms(),
            error_code=error_codes.STEP_FAILED,
            error_message="One or more steps failed",
        )

    async def _fail(self, state: ExecutionState, error: Exception) -> DurableExecutionResult:
        message = message_of(error)
        state = replace(
            self._settled(state, "FAILED"),
            error={"code": error_codes.UNKNOWN_ERROR, "message": message},
        )
        await self._memory.save(state)
        await self._tasks.move(self._execution_id, "failed", f"Execution error: {message}")
        return self._result(
            state,
            execution_time_ms=self._elapsed_ms(),
            error_code=error_codes.EXECUTION_FAILED,
            error_message=message,
        )

    def _settled(self, state: ExecutionState, status: str) -> ExecutionState:
        now = iso_time(self._clock.now_ms())
        return replace(state, status=status, completed_at=now, updated_at=now)

    def _result(
        self,
        state: ExecutionState,
        *,
        execution_time_ms: float,
        success: bool = False,
        is_partial: bool = False,
        completed_steps: int | None = None,
        failed_steps: int | None = None,
        next_step_index: int | None = None,
        segment_number: int | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
    ) -> DurableExecutionResult:
        return DurableExecutionResult(
            success=success,
            is_partial=is_partial,
            state=state,
            completed_steps=(
                state.count("completed") if completed_steps is None else completed_steps
            ),
            failed_steps=state.count("failed") if failed_steps is None else failed_steps,
            total_steps=len(self._steps),
            execution_time_ms=math.floor(execution_time_ms + 0.5),
            next_step_index=next_step_index,
            segment_number=segment_number,
            error_code=error_code,
            error_message=error_message,
        )

    def _position(self, step: Mapping[str, Any]) -> int:
        """Return the first position of a step's id in the plan."""
        return next(index for index, other in enumerate(self._steps) if other["id"] == step["id"])

    def _elapsed_ms(self) -> float:
        return self._clock.monotonic_ms() - self._began_ms

    def _mixed_time_ms(self) -> float:
        """Return the time of day minus a monotonic reading (Quirk 43)."""
        return self._clock.now_ms() - self._began_ms
