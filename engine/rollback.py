"""Saga compensation, carried out: wave by wave, each durable before the next."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from engine.batch import Changes
from engine.checkpointer import Checkpointer
from engine.clock import Clock
from engine.events import Event, EventName
from engine.json_form import storable_text
from engine.progress import Progress
from engine.saga import SagaOrder, awaits_compensation, uncompensated
from engine.settings import WorkflowSettings
from engine.states import CompensationStatus
from engine.step_runner import StepRunner
from engine.types.execution import StepState

TIME_IS_UP = "the time for undoing is up"


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
        started_at_ms: int,
    ) -> None:
        """Undo what `progress` tells was done; `started_at_ms`: epoch, of the whole rollback."""
        self._runner = runner
        self._checkpointer = checkpointer
        self._progress = progress
        self._clock = clock
        self._settings = settings
        self._started_at_ms = started_at_ms
        self._order = SagaOrder(progress)

    @property
    def needed(self) -> bool:
        """Whether anything is left to undo, or to report as not undone."""
        return bool(uncompensated(self._progress)) or any(
            awaits_compensation(state) for state in self._progress.states
        )

    async def run(self, changes: Changes, budget_used: Callable[[], bool]) -> tuple[Changes, bool]:
        """Undo until nothing is left (True) or the budget is used up (False).

        `changes` is written with the tombstones of the first wave; what is returned is left to be
        written with the end of the segment.

        Raises:
            engine.errors.StoreUnavailableError: a write failed.
            engine.errors.LeaseLostError: another process took over.
            engine.errors.NotReplicatedError: replicas do not know of the rollback; nothing was undone.
        """
        replicated = False
        while wave := self._order.wave():
            if budget_used():
                return changes, False
            if self._left_ms() == 0:
                changes = self._give_up(wave, changes)
                continue
            await self._checkpointer.commit(
                steps=changes.steps,
                undone=changes.undone,
                head=changes.head,
                events=changes.events,
                undoing=wave,
            )
            if not replicated:
                await self._checkpointer.replicate()
                replicated = True
            changes = self._settle(await self._call(wave), Changes())
        return changes, True

    async def _call(self, wave: Sequence[int]) -> dict[int, StepState]:
        async with self._checkpointer.lease_kept(), asyncio.TaskGroup() as group:
            tasks = {index: group.create_task(self._undo(index)) for index in wave}
            await asyncio.wait(tasks.values())
        return {index: task.result() for index, task in tasks.items()}

    def _settle(self, states: Mapping[int, StepState], changes: Changes) -> Changes:
        for index, state in states.items():
            changes.undone[index] = state
            changes.events.append(self._event(index, state))
            self._progress.states[index] = state
            self._order.settle(index)
        return changes

    def _give_up(self, wave: Sequence[int], changes: Changes) -> Changes:
        """Note that the saga's time is up: what is left remains, and is said to."""
        states = {index: self._failed(self._progress.states[index], TIME_IS_UP) for index in wave}
        return self._settle(states, changes)

    def _left_ms(self) -> int | None:
        limit_ms = self._settings.saga_timeout_ms
        if limit_ms is None:
            return None
        return max(0, self._started_at_ms + limit_ms - self._clock.now_ms())

    async def _undo(self, index: int) -> StepState:
        """Call the compensation until it succeeds, or its attempts or the saga's time are over."""
        state = self._progress.states[index]
        if state.compensation is None:
            raise AssertionError("only steps with a compensation are in a wave")
        pause_ms = self._settings.compensation_backoff_ms
        error = ""
        for attempt in range(self._settings.compensation_attempts):
            left_ms = self._left_ms()
            if attempt:
                if left_ms is not None and left_ms <= pause_ms:
                    return self._failed(state, f"{TIME_IS_UP}; before: {error}")
                await self._clock.sleep_ms(pause_ms)
                pause_ms *= 2
            answer = await self._runner.calls.call_compensation(
                state.id, state.compensation, attempt + 1, self._left_ms()
            )
            if answer.result.success:
                return state.model_copy(
                    update={"compensation_status": CompensationStatus.COMPENSATED}
                )
            error = answer.error().message
        return self._failed(state, error)

    def _failed(self, state: StepState, error: str) -> StepState:
        return state.model_copy(
            update={
                "compensation_status": CompensationStatus.FAILED,
                "compensation_error": storable_text(error),
            }
        )

    def _event(self, index: int, state: StepState) -> Event:
        undone = state.compensation_status is CompensationStatus.COMPENSATED
        name = EventName.SAGA_STEP_COMPENSATED if undone else EventName.SAGA_STEP_FAILED
        return self._checkpointer.event(name, step_id=state.id, step_index=index)
