"""One segment: from a claimed lease to the end of the execution or a yield."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from engine import codec
from engine.batch import BatchRunner, Changes, Intents, result_event
from engine.checkpointer import Checkpointer
from engine.clock import Clock
from engine.decision import (
    Action,
    AwaitPerson,
    Complete,
    Moment,
    RollBack,
    RunBatch,
    Sleep,
    Yield,
    decide,
)
from engine.events import EventName
from engine.identity import IdSource
from engine.progress import Progress
from engine.reconciliation import any_lookup_failed, settle_doubts
from engine.rollback import Rollback
from engine.saga import compensated, uncompensated
from engine.settings import Scheduling, WorkflowSettings
from engine.states import ExecutionStatus, StepStatus, check_transition
from engine.step_runner import StepRunner
from engine.store import Due, DueAt, Transition
from engine.trusted import construct
from engine.types.execution import (
    ErrorInfo,
    ExecutionResult,
    ExecutionState,
    PendingConfirmation,
    StepState,
    YieldReason,
)

STEP_FAILED = ErrorInfo(code="STEP_FAILED", message="One or more steps failed")
TIMED_OUT = ErrorInfo(
    code="EXECUTION_TIMEOUT", message="The plan's max_execution_time_ms has passed"
)
_CAUSES: Mapping[str, Literal["cancelled", "timeout"]] = {
    "CANCELLED": "cancelled",
    TIMED_OUT.code: "timeout",
}


@dataclass(slots=True)
class SegmentControl:
    """Requests from outside while a segment runs."""

    yield_requested: bool = False
    cancel_reason: str | None = None


class Segment:
    """Drives one execution as far as one segment goes."""

    def __init__(
        self,
        state: ExecutionState,
        checkpointer: Checkpointer,
        runner: StepRunner,
        *,
        clock: Clock,
        ids: IdSource,
        settings: WorkflowSettings,
        control: SegmentControl,
    ) -> None:
        """Continue `state` under the lease that `checkpointer` holds."""
        self.progress = Progress(state.plan, state.steps)
        self._state = state
        self._status = state.status
        self._checkpointer = checkpointer
        self._runner = runner
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._control = control
        self._started_ms = clock.monotonic_ms()
        is_limited = settings.enforce_plan_constraints
        self._limit_ms = state.plan.constraints.max_execution_time_ms if is_limited else None
        self._changes = Changes()
        self._durable: Intents | None = None
        self._eagerly = self._more if settings.scheduling is Scheduling.EAGER else None
        self._batches = BatchRunner(runner, checkpointer, self.progress, settings.max_concurrency)

    def open(self, *, created: bool, traceparent: str | None = None) -> None:
        """Let the segment's number, and the first event, travel with the first write.

        So does the trace context, where the execution has none yet.
        """
        self._changes.head["segment_number"] = str(self._checkpointer.segment_number)
        self._changes.head["due_at_ms"] = None
        if traceparent is not None and self._state.traceparent is None:
            self._changes.head["traceparent"] = traceparent
        if created:
            self._changes.events.append(self._checkpointer.event(EventName.WORKFLOW_STARTED))

    def settle(self, states: Mapping[int, StepState]) -> None:
        """Take up states that were found out before the segment; the first write carries them."""
        for index, state in states.items():
            self.progress.apply(index, state)
            self._changes.steps[index] = state
            if state.status is not StepStatus.IN_PROGRESS:
                self._changes.events.append(result_event(self._checkpointer, index, state))
        waiting = self._state.waiting_for
        if (
            waiting is not None
            and waiting.reason == "in_doubt"
            and self._status is ExecutionStatus.AWAITING_CONFIRMATION
            and not self._is_in_doubt(waiting.step_id)
        ):
            self._move(ExecutionStatus.EXECUTING)
            self._changes.head |= {"status": str(self._status), "waiting_for": None}
            self._state = self._state.model_copy(update={"waiting_for": None})

    def _is_in_doubt(self, step_id: str) -> bool:
        return self.progress.states[self.progress.position[step_id]].status is StepStatus.IN_DOUBT

    def intend(self) -> Transition | None:
        """Return what makes the first batch durable; None if the segment would begin otherwise.

        Nothing is written and nothing is called. Whoever drives the segment then has written it.
        """
        action = self.next_action()
        if not isinstance(action, RunBatch):
            return None
        self._durable = self._batches.intend(action.indexes, self._changes)
        return self._durable.write

    async def drive(self) -> ExecutionResult:
        """Act until the execution has ended, yields, or waits for a person."""
        durable, self._durable = self._durable, None
        async with self._checkpointer.lease_kept():
            action = self.next_action() if durable is None else RunBatch(durable.batch)
            while isinstance(action, RunBatch | Sleep):
                if isinstance(action, Sleep):
                    await self._sleep(action.until_ms - self._clock.now_ms())
                else:
                    if durable is None:
                        durable = self._batches.intend(action.indexes, self._changes)
                        await self._checkpointer.write(durable.write)
                    self._changes = await self._carried_out(durable, self._eagerly)
                    durable = None
                action = self.next_action()
        return await self.end(action)

    def next_action(self) -> Action:
        """Return what `drive` would do now. A rollback that has begun is never left again."""
        if self._status is ExecutionStatus.COMPENSATING:
            code = self._state.error.code if self._state.error else ""
            return RollBack(_CAUSES.get(code, "failed"))
        return decide(self.progress, self._moment())

    async def run_step(self, index: int) -> None:
        """Run one ready step, and nothing that it sets free."""
        intents = self._batches.intend([index], self._changes)
        await self._checkpointer.write(intents.write)
        self._changes = await self._carried_out(intents, None)

    def _carried_out(
        self, intents: Intents, more: Callable[[], Sequence[int]] | None
    ) -> Awaitable[Changes]:
        threshold_ms = self._settings.checkpoint_threshold_ms
        until_ms = None if threshold_ms is None else self._started_ms + threshold_ms
        return self._batches.run(intents, until_ms=until_ms, more=more)

    def _more(self) -> Sequence[int]:
        """Return the steps that may begin while others run."""
        action = self.next_action() if self.progress.ready() else None
        return action.indexes if isinstance(action, RunBatch) else ()

    async def _sleep(self, duration_ms: float) -> None:
        """Wait, with what has ended made durable before."""
        if self._changes.steps:
            changes, self._changes = self._changes, Changes()
            await self._checkpointer.commit(
                steps=changes.steps, events=changes.events, head=changes.head
            )
        await self._clock.sleep_ms(duration_ms)

    async def end(self, action: Complete | RollBack | Yield | AwaitPerson) -> ExecutionResult:
        """End the segment as `action` says."""
        match action:
            case Complete():
                return await self._finish(ExecutionStatus.COMPLETED, None)
            case RollBack():
                return await self._roll_back(action)
            case Yield():
                return await self.yield_now(action.reason, action.due_at_ms)
            case AwaitPerson():
                return await self._await_person(action)
            case _:
                assert_never(action)

    async def yield_now(self, reason: YieldReason, due_at_ms: int | None = None) -> ExecutionResult:
        """Write state, resume entry and events at once, and give the lease back."""
        due = self._clock.now_ms() + self._settings.resume_delay_ms
        due = due if due_at_ms is None else due_at_ms
        detail = {"reason": str(reason), "due_at_ms": due}
        await self._write(
            head={"due_at_ms": str(due)},
            names=(EventName.WORKFLOW_YIELDED, EventName.WORKFLOW_RESUME),
            detail=detail,
            due=DueAt(due),
        )
        return self._result(yield_reason=reason, due_at_ms=due)

    def _moment(self) -> Moment:
        now_ms, limit_ms = self._clock.now_ms(), self._limit_ms
        return Moment(
            now_ms=now_ms,
            budget_left_ms=self._budget_left_ms(),
            cancel_requested=self._cancel_reason() is not None,
            yield_requested=self._control.yield_requested or self._checkpointer.yield_requested,
            timed_out=limit_ms is not None and now_ms - self._state.created_at_ms > limit_ms,
            by_layers=self._eagerly is None,
        )

    def _cancel_reason(self) -> str | None:
        return self._control.cancel_reason or self._checkpointer.cancel_reason

    def _budget_left_ms(self) -> float | None:
        if self._settings.checkpoint_threshold_ms is None:
            return None
        used_ms = self._clock.monotonic_ms() - self._started_ms
        return self._settings.checkpoint_threshold_ms - used_ms

    def _budget_used(self) -> bool:
        left_ms = self._budget_left_ms()
        return left_ms is not None and left_ms <= 0

    async def _roll_back(self, action: RollBack) -> ExecutionResult:
        error = self._rollback_error(action)
        self.settle(
            await settle_doubts(
                self.progress,
                self._runner.lookup,
                self._checkpointer,
                attempts=self._settings.compensation_attempts,
                pause_ms=self._settings.compensation_backoff_ms,
            )
        )
        started_at_ms = self._state.saga_started_at_ms or self._clock.now_ms()
        rollback = Rollback(
            self._runner,
            self._checkpointer,
            self.progress,
            clock=self._clock,
            settings=self._settings,
            started_at_ms=started_at_ms,
        )
        if rollback.needed and self._status is not ExecutionStatus.COMPENSATING:
            self._move(ExecutionStatus.COMPENSATING)
            self._changes.events.append(self._checkpointer.event(EventName.SAGA_STARTED))
            self._changes.head |= {
                "status": str(self._status),
                "error": codec.encode_error(error),
                "saga_started_at_ms": str(started_at_ms),
            }
        self._changes, is_over = await rollback.run(self._changes, self._budget_used)
        if not is_over:
            return await self.yield_now(YieldReason.BUDGET)
        return await self._finish(self._rolled_back_status(action), error)

    def _rollback_error(self, action: RollBack) -> ErrorInfo:
        if self._state.error is not None:
            return self._state.error
        if action.cause == "cancelled":
            return ErrorInfo(code="CANCELLED", message=self._cancel_reason() or "cancelled")
        return TIMED_OUT if action.cause == "timeout" else STEP_FAILED

    def _rolled_back_status(self, action: RollBack) -> ExecutionStatus:
        if uncompensated(self.progress):
            return ExecutionStatus.COMPENSATION_FAILED
        if action.cause == "cancelled":
            return ExecutionStatus.CANCELLED
        if compensated(self.progress):
            return ExecutionStatus.COMPENSATED
        return ExecutionStatus.TIMEOUT if action.cause == "timeout" else ExecutionStatus.FAILED

    async def _finish(self, status: ExecutionStatus, error: ErrorInfo | None) -> ExecutionResult:
        self._move(status)
        saga = {
            ExecutionStatus.COMPENSATED: (EventName.SAGA_COMPLETED,),
            ExecutionStatus.COMPENSATION_FAILED: (EventName.SAGA_FAILED,),
        }.get(status, ())
        last = {
            ExecutionStatus.COMPLETED: EventName.WORKFLOW_COMPLETED,
            ExecutionStatus.CANCELLED: EventName.WORKFLOW_CANCELLED,
        }.get(status, EventName.WORKFLOW_FAILED)
        await self._write(
            head={
                "status": str(status),
                "completed_at_ms": str(self._clock.now_ms()),
                "error": codec.encode_error(error),
                "waiting_for": None,
                "due_at_ms": None,
            },
            names=(*saga, last),
            detail={"status": str(status)},
            due="remove",
            expire_s=self._settings.retention_s,
        )
        return self._result(error=error)

    async def _await_person(self, action: AwaitPerson) -> ExecutionResult:
        step_id = self.progress.step(action.index).id
        waiting = self._state.waiting_for
        if waiting is None or waiting.step_id != step_id:
            waiting = PendingConfirmation(
                step_id=step_id, token=self._ids.new_id(), reason=action.reason
            )
        self._move(ExecutionStatus.AWAITING_CONFIRMATION)
        due: DueAt | None = None
        if any_lookup_failed(self.progress):  # whoever asks what is due looks up again
            due = DueAt(self._clock.now_ms() + self._settings.lookup_retry_ms)
        await self._write(
            head={
                "status": str(self._status),
                "waiting_for": codec.encode_waiting(waiting),
                "due_at_ms": None if due is None else str(due.at_ms),
            },
            names=(EventName.CONFIRMATION_REQUESTED,),
            detail={"step_id": step_id, "token": waiting.token, "reason": waiting.reason},
            due=due or "remove",
        )
        return self._result(yield_reason=YieldReason.CONFIRMATION, waiting_for=waiting)

    async def _write(
        self,
        *,
        head: Mapping[str, str | None],
        names: tuple[EventName, ...],
        detail: Mapping[str, object],
        due: Due,
        expire_s: int | None = None,
    ) -> None:
        """Write the segment's last transition, with what is left to write, and release."""
        events = [self._checkpointer.event(name, detail=detail) for name in names]
        await self._checkpointer.commit(
            steps=self._changes.steps,
            undone=self._changes.undone,
            events=[*self._changes.events, *events],
            head={**self._changes.head, **head},
            due=due,
            release=True,
            expire_s=expire_s,
        )
        self._changes = Changes()

    def _move(self, status: ExecutionStatus) -> None:
        self._status = check_transition(self._status, status)

    def _result(
        self,
        *,
        error: ErrorInfo | None = None,
        yield_reason: YieldReason | None = None,
        due_at_ms: int | None = None,
        waiting_for: PendingConfirmation | None = None,
    ) -> ExecutionResult:
        elapsed_ms = self._clock.monotonic_ms() - self._started_ms
        is_whole = self._status is ExecutionStatus.COMPLETED
        return construct(
            ExecutionResult,
            {
                "execution_id": self._state.execution_id,
                "status": self._status,
                "success": is_whole,
                "is_partial": yield_reason is not None,
                "completed_steps": self.progress.completed,
                "failed_steps": self.progress.failed,
                "total_steps": self.progress.total,
                "segment_number": self._checkpointer.segment_number,
                "execution_time_ms": round(elapsed_ms),
                "error": error,
                "yield_reason": yield_reason,
                "due_at_ms": due_at_ms,
                "waiting_for": waiting_for,
                "compensated_steps": () if is_whole else compensated(self.progress),
                "uncompensated_steps": ()
                if is_whole or self._status is ExecutionStatus.AWAITING_CONFIRMATION
                else uncompensated(self.progress),
                "steps": tuple(self.progress.states),
            },
        )
