"""Ready steps carried out at once: intents durable before, results durable after."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.checkpointer import Checkpointer
from engine.errors import NotReplicatedError, ReplicationUnsupportedError
from engine.events import Event, EventName
from engine.progress import Progress
from engine.states import StepStatus
from engine.step_runner import StepRunner
from engine.types.execution import StepState

_RESULT_EVENTS = {
    StepStatus.COMPLETED: EventName.STEP_COMPLETED,
    StepStatus.FAILED: EventName.STEP_FAILED,
    StepStatus.PENDING: EventName.STEP_DEFERRED,
    StepStatus.IN_DOUBT: EventName.STEP_IN_DOUBT,
}


def result_event(checkpointer: Checkpointer, index: int, state: StepState) -> Event:
    """Return the event that tells how a step ended, with its error."""
    detail = None if state.error is None else state.error.model_dump()
    return checkpointer.event(
        _RESULT_EVENTS[state.status], step_id=state.id, step_index=index, detail=detail
    )


@dataclass(slots=True)
class Changes:
    """Results that are not durable yet; they travel with the next write."""

    steps: dict[int, StepState] = field(default_factory=dict)
    undone: dict[int, StepState] = field(default_factory=dict)
    head: dict[str, str | None] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)


class BatchRunner:
    """Runs batches of one segment.

    One write makes the results of a batch durable together with the intents of the next. Results
    of steps that end while others still run are written at once, so that a crash repeats only
    calls that were under way.
    """

    def __init__(
        self,
        runner: StepRunner,
        checkpointer: Checkpointer,
        progress: Progress,
        max_concurrency: int | None,
    ) -> None:
        """Run steps of `progress` through `runner`."""
        self._runner = runner
        self._checkpointer = checkpointer
        self._progress = progress
        self._slots = None if max_concurrency is None else asyncio.Semaphore(max_concurrency)

    async def run(
        self, batch: Sequence[int], carried: Changes, *, until_ms: float | None
    ) -> Changes:
        """Carry `batch` out; `carried` is written with its intents. Returns what is left to write.

        Raises:
            engine.errors.StoreUnavailableError: a write failed; the tools were stopped.
            engine.errors.LeaseLostError: another process took over; the tools were stopped.
        """
        intents = self._intend(batch, carried)
        await self._checkpointer.commit(
            steps={**carried.steps, **intents}, head=carried.head, events=carried.events
        )
        running = [index for index in batch if intents[index].status is StepStatus.IN_PROGRESS]
        await self._replicate(running, intents)
        finals, unwritten = await self._run_tools(running, intents, until_ms)
        for index in batch:
            self._progress.apply(index, finals.get(index, intents[index]))
        return self._changes(unwritten, finals)

    async def _replicate(self, running: Sequence[int], intents: dict[int, StepState]) -> None:
        """Let replicas have the intents of calls that could act twice, or take all intents back."""
        calls, progress = self._runner.calls, self._progress
        if not any(calls.must_not_be_lost(progress.step(at), intents[at]) for at in running):
            return
        try:
            await self._checkpointer.replicate()
        except (NotReplicatedError, ReplicationUnsupportedError):
            await self._checkpointer.commit(steps={at: progress.states[at] for at in running})
            raise

    def _intend(self, batch: Sequence[int], carried: Changes) -> dict[int, StepState]:
        intents: dict[int, StepState] = {}
        for index in batch:
            step, before = self._progress.step(index), self._progress.states[index]
            intent = self._runner.intend(
                step, before, self._progress.outputs, self._progress.position
            )
            intents[index] = intent
            if intent.status is StepStatus.IN_PROGRESS:
                if before.status is StepStatus.IN_PROGRESS:
                    carried.events.append(self._event(EventName.STEP_REPEATED, index))
                carried.events.append(self._event(EventName.STEP_STARTED, index))
            else:
                carried.events.append(result_event(self._checkpointer, index, intent))
        return intents

    async def _run_tools(
        self, running: Sequence[int], intents: dict[int, StepState], until_ms: float | None
    ) -> tuple[dict[int, StepState], list[int]]:
        """Return the final states, and which of them are not written yet."""
        finals: dict[int, StepState] = {}
        ended: list[int] = []
        wake = asyncio.Event()

        async def run(index: int) -> None:
            finals[index] = await self._run_step(index, intents[index], until_ms)
            ended.append(index)
            wake.set()

        left = len(running)
        if not left:
            return finals, []
        async with asyncio.TaskGroup() as group:
            for index in running:
                group.create_task(run(index))
            keeper = group.create_task(self._checkpointer.keep_lease())
            while True:
                await wake.wait()
                wake.clear()
                unwritten, ended[:] = ended[:], []
                left -= len(unwritten)
                if not left:
                    break
                changes = self._changes(unwritten, finals)
                await self._checkpointer.commit(steps=changes.steps, events=changes.events)
            keeper.cancel()
        return finals, unwritten

    async def _run_step(self, index: int, intent: StepState, until_ms: float | None) -> StepState:
        step, progress = self._progress.step(index), self._progress

        async def record(state: StepState) -> None:
            await self._record_rescue(index, state)

        if self._slots is None:
            return await self._runner.run(
                step, intent, progress.outputs, progress.position, record, until_ms=until_ms
            )
        async with self._slots:
            return await self._runner.run(
                step, intent, progress.outputs, progress.position, record, until_ms=until_ms
            )

    async def _record_rescue(self, index: int, state: StepState) -> None:
        """Make the call that is to rescue a step durable before it is made."""
        rescue = state.rescue
        detail = None if rescue is None else rescue.model_dump(include={"tool_name", "alternative"})
        event = self._event(EventName.STEP_RESCUE_STARTED, index, detail)
        await self._checkpointer.commit(steps={index: state}, events=[event])
        calls = self._runner.calls
        if not calls.must_not_be_lost(self._progress.step(index), state):
            return
        try:
            await self._checkpointer.replicate()
        except (NotReplicatedError, ReplicationUnsupportedError):
            await self._checkpointer.commit(steps={index: calls.deferred(state, 0)})
            raise

    def _changes(self, indexes: Sequence[int], finals: dict[int, StepState]) -> Changes:
        return Changes(
            steps={index: finals[index] for index in indexes},
            events=[result_event(self._checkpointer, index, finals[index]) for index in indexes],
        )

    def _event(self, name: EventName, index: int, detail: Mapping[str, Any] | None = None) -> Event:
        step_id = self._progress.step(index).id
        return self._checkpointer.event(name, step_id=step_id, step_index=index, detail=detail)
