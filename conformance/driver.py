"""The driver: carries out a scenario's operations on a subject, one call after another."""

import asyncio
from collections.abc import Coroutine
from typing import Any, assert_never

from chaos.virtual_time import StalledError
from conformance.errors import PlanproofError
from conformance.process import Process
from conformance.scenario import (
    MAX_RUN_SEGMENTS,
    RESUME_DELAY_MS,
    Advance,
    CallOperation,
    Execute,
    Operation,
    PatchState,
    Resume,
    Run,
)
from conformance.subject import (
    BuildSubject,
    FreezableSubject,
    ResumeRequest,
    SegmentResult,
    StartRequest,
    Threw,
)
from conformance.trace import StateView
from conformance.world import World

ASSIST_STATUS = "PLANNED"  # what an assisted resume finds in its checkpoint, from the format


class Driver:
    """Drives one subject through one scenario.

    `returned` is the last state that a call returned.
    """

    def __init__(self, world: World, build: BuildSubject, *, freezable: bool = False) -> None:
        """Prepare to drive what `build` makes in `world`."""
        self._world = world
        self._build = build
        self._process = Process(freezable=freezable)
        self.subject = self._process.call(lambda: build(world))
        self.returned: StateView | None = None

    async def drive(self) -> None:
        """Carry out all operations in order."""
        for operation in self._world.scenario.driver:
            await self.perform(operation)

    def freeze(self) -> None:
        """Let the process stand still, as if it had been stopped; needs `freezable`."""
        self._process.freeze()
        if isinstance(self.subject, FreezableSubject):
            self.subject.freeze()

    def thaw(self) -> None:
        """Let a frozen process go on."""
        if isinstance(self.subject, FreezableSubject):
            self.subject.thaw()
        self._process.thaw()

    def kill(self) -> None:
        """Let the process die."""
        self._process.kill()

    async def close(self) -> None:
        """End the subject and whatever it still runs."""
        try:
            if not self._process.is_dead:
                await self.subject.close()
        finally:
            self._process.kill()
            await self._process.reap()

    async def perform(self, operation: Operation) -> None:
        """Carry out one operation."""
        match operation:
            case Execute():
                await self._start(operation)
            case Resume():
                await self._resume(operation)
            case Run():
                await self._run(operation)
            case Advance():
                await self._world.clock.sleep_ms(operation.ms)
            case PatchState():
                await self.subject.patch_state(operation)
            case _:
                assert_never(operation)

    async def _run(self, operation: Run) -> None:
        result = await self._start(operation)
        segments = 1
        while result is not None and result.is_partial and segments < MAX_RUN_SEGMENTS:
            await self._world.clock.sleep_ms(RESUME_DELAY_MS)
            result = await self._resume(operation)
            segments += 1

    async def _start(self, operation: CallOperation) -> SegmentResult | None:
        scenario = self._world.scenario
        request = StartRequest(
            execution_id=operation.execution_id or scenario.execution_id,
            plan=scenario.plan if operation.plan is None else operation.plan,
            intent=scenario.intent,
            initial=operation.initial,
            start_step_index=operation.start_step_index,
            segment_number=operation.segment_number,
        )
        return await self._call("execute", operation, self.subject.start(request))

    async def _resume(self, operation: CallOperation) -> SegmentResult | None:
        request = ResumeRequest(
            execution_id=operation.execution_id or self._world.scenario.execution_id,
            assist_status=(
                (operation.assist_status or ASSIST_STATUS) if operation.assist else None
            ),
        )
        return await self._call("resume", operation, self.subject.resume(request))

    async def _call(
        self,
        name: str,
        operation: CallOperation,
        call: Coroutine[Any, Any, SegmentResult],
    ) -> SegmentResult | None:
        """Make one call in the subject's process; return None if it threw or crashed."""
        clock, seen = self._world.clock, self._world.seen
        self._world.tools.segment = len(seen.segments) + 1
        started_at_ms = clock.elapsed_ms
        outcome = await self._outcome(operation, call)
        segment: dict[str, Any] = {
            "op": name,
            "started_at_ms": started_at_ms,
            "ended_at_ms": clock.elapsed_ms,
        }
        if outcome is None:
            segment["crashed"] = True
            await self._reincarnate()
        elif isinstance(outcome, Threw):
            segment |= {"threw": outcome.message, "threw_name": outcome.name}
        else:
            segment |= _result_fields(outcome)
            self.returned = outcome.state or self.returned
        seen.segments.append(segment)
        return outcome if isinstance(outcome, SegmentResult) else None

    async def _outcome(
        self, operation: CallOperation, call: Coroutine[Any, Any, SegmentResult]
    ) -> SegmentResult | Threw | None:
        process, observer = self._process, self._world.store.observer
        observer.crash_after_write = operation.crash_after_write
        timer = None
        if operation.crash_after_ms is not None:
            timer = self._world.clock.call_later_ms(
                operation.crash_after_ms, process.kill, before_others=True
            )
        task = process.spawn(call)
        ends: set[asyncio.Future[Any]] = {task, process.death}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            observer.crash_after_write = None
            if timer is not None:
                timer.cancel()
        if process.is_dead:
            await process.reap()
            if observer.broken is not None:
                raise observer.broken
            return None
        try:
            return task.result()
        except Threw as threw:
            return threw
        except (PlanproofError, StalledError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever the executor throws is its outcome
            return Threw(str(error), type(error).__name__)

    async def _reincarnate(self) -> None:
        """Go on with a new process: what the dead one held in memory is gone."""
        self._process = Process()
        self.subject = self._process.call(lambda: self._build(self._world))


def _result_fields(result: SegmentResult) -> dict[str, Any]:
    return {
        "success": result.success,
        "is_partial": result.is_partial,
        "completed_steps": result.completed_steps,
        "failed_steps": result.failed_steps,
        "total_steps": result.total_steps,
        "next_step_index": result.next_step_index,
        "segment_number": result.segment_number,
        "error_code": result.error_code,
        "error_message": result.error_message,
        "execution_time_ms": result.execution_time_ms,
    }
