"""Ready steps carried out at once: intents durable before, results durable after."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from engine.checkpointer import Checkpointer
from engine.errors import NotReplicatedError, ReplicationUnsupportedError
from engine.events import Event, EventName
from engine.progress import Progress
from engine.states import StepStatus
from engine.step_runner import StepRunner
from engine.store import Transition
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
        _RESULT_EVENTS[state.status],
        step_id=state.id,
        step_index=index,
        detail=detail,
        at_ms=state.completed_at_ms,
    )


@dataclass(slots=True)
class Changes:
    """Results that are not durable yet; they travel with the next write."""

    steps: dict[int, StepState] = field(default_factory=dict)
    undone: dict[int, StepState] = field(default_factory=dict)
    head: dict[str, str | None] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class Intents:
    """A batch that is about to begin: what is to be durable before its calls."""

    batch: Sequence[int]
    states: dict[int, StepState]
    write: Transition


_More: TypeAlias = Callable[[], Sequence[int]] | None
_Run: TypeAlias = Callable[[Intents, float | None, _More], Awaitable[Changes]]


class BatchRunner:
    """Runs batches of one segment.

    One write makes the results of a batch durable together with the intents of the next. Results
    of steps that end while others still run are written at once, so that a crash repeats only
    calls that were under way. With eager scheduling, they are written together with the intents of
    the steps that they set free.
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

    def intend(self, batch: Sequence[int], carried: Changes) -> Intents:
        """Return the intents of `batch`, and the write that makes them durable with `carried`."""
        intents = self._intend(batch, carried)
        write = self._checkpointer.transition(
            steps={**carried.steps, **intents}, head=carried.head, events=carried.events
        )
        return Intents(batch, intents, write)

    def run(
        self,
        intents: Intents,
        *,
        until_ms: float | None,
        more: _More = None,
    ) -> Awaitable[Changes]:
        """Carry out a batch of which the intents are durable. Returns what is left to write.

        The caller keeps the lease meanwhile.

        With `more` (eager scheduling) it is asked after each step for those that may begin now.

        Raises:
            engine.errors.StoreUnavailableError: a write failed; the tools were stopped.
            engine.errors.LeaseLostError: another process took over; the tools were stopped.
        """
        run = self._run if more is not None or len(intents.batch) > 1 else self._run_alone
        if self._checkpointer.waits_for_replicas:
            return self._replicated(intents, run, until_ms, more)
        return run(intents, until_ms, more)

    async def _replicated(self, intents: Intents, run: _Run, *bounds: Any) -> Changes:
        await self._replicate(intents)
        return await run(intents, *bounds)

    async def _run_alone(self, intents: Intents, until_ms: float | None, _: _More) -> Changes:
        """Carry out the one step of a batch, in the caller's own task."""
        index = intents.batch[0]
        ended = intents.states[index]
        is_called = ended.status is StepStatus.IN_PROGRESS
        if is_called:
            ended = await self._run_step(index, ended, until_ms)
        self._progress.apply(index, ended)
        return self._changes({index: ended}) if is_called else Changes()

    async def _run(self, intents: Intents, until_ms: float | None, more: _More) -> Changes:
        begun = self._begun(intents, eager=more is not None)
        if not begun:
            return Changes()
        async with asyncio.TaskGroup() as group:
            calls = _Calls(group, lambda index, intent: self._run_step(index, intent, until_ms))
            calls.start(begun)
            return await (self._wait(calls) if more is None else self._follow(calls, more))

    async def _wait(self, calls: "_Calls") -> Changes:
        """Wait for all calls; what ends before the last is written as it ends."""
        finals: dict[int, StepState] = {}
        while True:
            ended = await calls.next()
            finals |= ended
            changes = self._changes(ended)
            if not calls.left:
                self._apply(sorted(finals), finals)
                return changes
            await self._checkpointer.commit(steps=changes.steps, events=changes.events)

    async def _follow(self, calls: "_Calls", more: Callable[[], Sequence[int]]) -> Changes:
        """Begin what each result sets free, until nothing is under way."""
        while True:
            ended = await calls.next()
            self._apply(list(ended), ended)
            changes = self._changes(ended)
            fresh = more()
            if fresh:
                intents = self.intend(fresh, changes)
                await self._checkpointer.write(intents.write)
                if self._checkpointer.waits_for_replicas:
                    await self._replicate(intents)
                calls.start(self._begun(intents, eager=True))
                changes = Changes()
            if not calls.left:
                return changes
            if changes.steps:
                await self._checkpointer.commit(steps=changes.steps, events=changes.events)

    def _begun(self, durable: Intents, *, eager: bool) -> dict[int, StepState]:
        """Return the intents of calls to be made now; what cannot be called has failed."""
        batch, intents = durable.batch, durable.states
        calls = _under_way(intents)
        if len(calls) < len(batch):
            self._apply([at for at in batch if at not in calls], intents)
        if eager:
            for index in calls:
                self._progress.start(index)
        return calls

    def _apply(self, indexes: Sequence[int], states: Mapping[int, StepState]) -> None:
        for index in indexes:
            self._progress.apply(index, states[index])

    async def _replicate(self, durable: Intents) -> None:
        """Let replicas have the intents of calls that could act twice, or take all intents back."""
        calls, progress, intents = self._runner.calls, self._progress, durable.states
        running = _under_way(intents)
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
                began_ms = intent.started_at_ms
                if before.status is StepStatus.IN_PROGRESS:
                    carried.events.append(self._event(EventName.STEP_REPEATED, index, began_ms))
                carried.events.append(self._event(EventName.STEP_STARTED, index, began_ms))
            else:
                carried.events.append(result_event(self._checkpointer, index, intent))
        return intents

    def _run_step(
        self, index: int, intent: StepState, until_ms: float | None
    ) -> Coroutine[Any, Any, StepState]:
        step, progress = self._progress.step(index), self._progress
        run = self._runner.run(
            *(step, intent, progress.outputs, progress.position),
            partial(self._record_rescue, index),
            until_ms=until_ms,
        )
        return run if self._slots is None else _in_turn(self._slots, run)

    async def _record_rescue(self, index: int, state: StepState) -> None:
        """Make the call that is to rescue a step durable before it is made."""
        rescue = state.rescue
        detail = None if rescue is None else rescue.model_dump(include={"tool_name", "alternative"})
        event = self._event(EventName.STEP_RESCUE_STARTED, index, detail=detail)
        await self._checkpointer.commit(steps={index: state}, events=[event])
        calls = self._runner.calls
        if not calls.must_not_be_lost(self._progress.step(index), state):
            return
        try:
            await self._checkpointer.replicate()
        except (NotReplicatedError, ReplicationUnsupportedError):
            await self._checkpointer.commit(steps={index: calls.deferred(state, 0)})
            raise

    def _changes(self, ended: Mapping[int, StepState]) -> Changes:
        events = [result_event(self._checkpointer, at, state) for at, state in ended.items()]
        return Changes(steps=dict(ended), events=events)

    def _event(
        self,
        name: EventName,
        index: int,
        at_ms: int | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Event:
        step_id = self._progress.step(index).id
        return self._checkpointer.event(
            name, step_id=step_id, step_index=index, detail=detail, at_ms=at_ms
        )


def _under_way(states: Mapping[int, StepState]) -> dict[int, StepState]:
    return {at: one for at, one in states.items() if one.status is StepStatus.IN_PROGRESS}


async def _in_turn(slots: asyncio.Semaphore, run: Awaitable[StepState]) -> StepState:
    async with slots:
        return await run


class _Calls:
    """Steps whose calls are under way in one group of tasks."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        run: Callable[[int, StepState], Awaitable[StepState]],
    ) -> None:
        self._group = group
        self._run = run
        self._ended: dict[int, StepState] = {}
        self._wake = asyncio.Event()
        self.left = 0

    def start(self, intents: Mapping[int, StepState]) -> None:
        self.left += len(intents)
        for index, intent in intents.items():
            self._group.create_task(self._carry_out(index, intent))

    async def next(self) -> dict[int, StepState]:
        """Wait until some have ended; return their final states, in the order of their ends."""
        await self._wake.wait()
        self._wake.clear()
        ended, self._ended = self._ended, {}
        self.left -= len(ended)
        return ended

    async def _carry_out(self, index: int, intent: StepState) -> None:
        self._ended[index] = await self._run(index, intent)
        self._wake.set()
