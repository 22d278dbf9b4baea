"""Saga compensation, carried out: wave by wave, each durable before the next."""

import asyncio
from collections.abc import Callable, Sequence

from engine.checkpointer import Checkpointer
from engine.clock import Clock
from engine.events import Event, EventName
from engine.progress import Progress
from engine.saga import SagaOrder, awaits_compensation, uncompensated
from engine.settings import WorkflowSettings
from engine.states import CompensationStatus
from engine.step_runner import StepRunner
from engine.types.execution import StepState


class Rollback:
    """Undoes the completed steps of one execution in reverse dependency order."""

    def __init__(
        self,
        runner: StepRunner,
        checkpointer: Checkpointer,
        progress: Progress,
        *,
        clock: Clock,
        settings: WorkflowSettings,
    ) -> None:
        """Undo what `progress` tells was done."""
        self._runner = runner
        self._checkpointer = checkpointer
        self._progress = progress
        self._clock = clock
        self._settings = settings
        self._order = SagaOrder(progress)

    @property
    def needed(self) -> bool:
        """Whether anything is left to undo, or to report as not undone."""
        return bool(uncompensated(self._progress)) or any(
            awaits_compensation(state) for state in self._progress.states
        )

    async def run(self, budget_used: Callable[[], bool]) -> bool:
        """Undo until nothing is left (True) or the budget is used up (False).

        Raises:
            engine.errors.StoreUnavailableError: a write failed.
            engine.errors.LeaseLostError: another process took over.
        """
        while wave := self._order.wave():
            if budget_used():
                return False
            await self._run_wave(wave)
        return True

    async def _run_wave(self, wave: Sequence[int]) -> None:
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(self._checkpointer.keep_lease())
            tasks = {index: group.create_task(self._undo(index)) for index in wave}
            await asyncio.wait(tasks.values())
            keeper.cancel()
        states = {index: task.result() for index, task in tasks.items()}
        events = [self._event(index, state) for index, state in states.items()]
        await self._checkpointer.commit(steps=states, events=events)
        for index, state in states.items():
            self._progress.states[index] = state
            self._order.settle(index)

    async def _undo(self, index: int) -> StepState:
        """Call the compensation until it succeeds or its attempts are used up."""
        state = self._progress.states[index]
        if state.compensation is None:
            raise AssertionError("only steps with a compensation are in a wave")
        pause_ms = self._settings.compensation_backoff_ms
        error = ""
        for attempt in range(self._settings.compensation_attempts):
            if attempt:
                await self._clock.sleep_ms(pause_ms)
                pause_ms *= 2
            answer = await self._runner.calls.call_compensation(
                state.id, state.compensation, attempt + 1
            )
            if answer.result.success:
                return state.model_copy(
                    update={"compensation_status": CompensationStatus.COMPENSATED}
                )
            error = answer.error().message
        return state.model_copy(
            update={
                "compensation_status": CompensationStatus.FAILED,
                "compensation_error": error,
            }
        )

    def _event(self, index: int, state: StepState) -> Event:
        undone = state.compensation_status is CompensationStatus.COMPENSATED
        name = EventName.SAGA_STEP_COMPENSATED if undone else EventName.SAGA_STEP_FAILED
        return self._checkpointer.event(name, step_id=state.id, step_index=index)
