"""`WorkflowMachine`: the unified engine's implementation of `WorkflowExecutor`.

It claims an execution, drives one segment, and answers with a record. What to do next is decided
in `engine.decision`, steps are carried out in `engine.batch`, undone in `engine.rollback`, and
every durable write goes through `engine.checkpointer`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from engine.checkpointer import Checkpointer, claim_failed
from engine.clock import Clock, SystemClock
from engine.codec import first_claim
from engine.confirmation import decide_confirmation, waits_for
from engine.error_recovery import ErrorRecovery
from engine.errors import (
    CheckpointCorruptError,
    ConfirmationError,
    SafetyViolationError,
    StepNotReadyError,
    StoreUnavailableError,
    UnknownVersionError,
    single_cause,
)
from engine.events import EventName, Listener, tell
from engine.failover import FailoverPolicy
from engine.identity import IdSource, SystemIdSource
from engine.observer import Observers, Watched
from engine.opening import Opening, opening
from engine.plan import Plan, parse_plan
from engine.reconciliation import reconcile
from engine.results import recorded_result
from engine.safety import SafetyPolicy
from engine.segment import Segment, SegmentControl
from engine.settings import WorkflowSettings
from engine.single_step import run_single_step
from engine.states import ExecutionStatus, is_terminal
from engine.step_runner import StepRunner
from engine.store import Beginning, Claimed, DueAt, Store
from engine.store_url import open_store
from engine.toolbox import Toolbox
from engine.tools import (
    ParameterValidator,
    ToolCatalog,
    ToolExecutor,
    as_catalog,
    as_validator,
)
from engine.types.execution import (
    ExecutionResult,
    ExecutionState,
    SingleStepResult,
)

_Result = TypeVar("_Result", ExecutionResult, SingleStepResult)
_CLOCK = SystemClock()
_IDS = SystemIdSource()
_SETTINGS = WorkflowSettings()
_UNOBSERVED = Observers(())
_NO_FAILOVER = FailoverPolicy()
_USUAL_SAFETY = SafetyPolicy()


class WorkflowMachine:
    """One execution of one plan: durable, resumable, undone when it fails."""

    def __init__(
        self,
        execution_id: str,
        tools: ToolExecutor,
        *,
        store: Store | None = None,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        settings: WorkflowSettings | None = None,
        catalog: ToolCatalog | None = None,
        validator: ParameterValidator | None = None,
        safety: SafetyPolicy | None = None,
        failover: FailoverPolicy | None = None,
        recovery: ErrorRecovery | None = None,
        listeners: Sequence[Listener] = (),
        intent: Mapping[str, Any] | None = None,
        trace_id: str | None = None,
    ) -> None:
        """Prepare to run `execution_id` with `tools`; nothing is read or written yet.

        Args:
            execution_id: names the execution for ever; the same id is the same execution.
            tools: carries calls out; if it is also a catalog or a validator, it is used as such.
            store: where executions are durable; by default an embedded one of its own.
            clock: the time; by default the system's.
            ids: fresh ids and jitter; by default the system's.
            settings: budgets and policies; by default the serverless profile.
            catalog: definitions of tools.
            validator: checks parameters before a call.
            safety: rules that a plan must keep.
            failover: rules for failed calls.
            recovery: asked once about a failed call.
            listeners: called with each event after it is durable; what they raise is logged. One
                that is an `engine.observer.Observer`, too, is told of segments, calls and writes.
            intent: what the plan is for; kept with the execution.
            trace_id: carried through checkpoints and events.
        """
        self.execution_id = execution_id
        self._clock = clock or _CLOCK
        self._ids = ids or _IDS
        self._store = store or open_store(clock=clock, ids=ids)
        self._settings = settings or _SETTINGS
        self._listeners = listeners
        self._observers = Observers(listeners) if listeners else _UNOBSERVED
        self._toolbox = Toolbox(
            tools=self._observers.around(tools),
            catalog=catalog or as_catalog(tools),
            validator=validator or as_validator(tools),
            recovery=recovery,
            failover=failover or _NO_FAILOVER,
            safety=safety or _USUAL_SAFETY,
        )
        self._intent = intent
        self._trace_id = trace_id
        self._plan: Plan | None = None
        self._control = SegmentControl()
        self._owner = self._ids.new_id()

    def set_plan(self, plan: Plan | Mapping[str, Any]) -> None:
        """Give the plan to be executed; it is checked here, and nothing is written.

        Raises:
            engine.errors.InvalidPlanError: it breaks its schema or is no DAG; names the path.
            engine.errors.SafetyViolationError: the safety policy forbids it.
        """
        parsed = parse_plan(plan)
        limit = parsed.constraints.max_steps
        if self._settings.enforce_plan_constraints and limit and len(parsed.steps) > limit:
            raise SafetyViolationError(
                f"plan.constraints.max_steps: the plan has {len(parsed.steps)} steps, allowed "
                f"are {limit}"
            )
        self._toolbox.safety.check_plan(parsed)
        self._plan = parsed

    async def execute(self) -> ExecutionResult:
        """Carry the plan out until it ends, yields or waits for a person.

        An execution that exists is continued; one that has ended answers with its recorded
        result, and nothing is called again.

        Raises:
            engine.errors.PlanMismatchError: the execution was begun with another plan.
            engine.errors.LeaseHeldError: another process works on it; try again later.
            engine.errors.LeaseLostError: another process took it over while this one worked.
            engine.errors.StoreUnavailableError: the store failed; resume when it is back.
        """
        try:
            return await self._execute()
        except BaseExceptionGroup as group:
            raise single_cause(group) from group

    async def submit(self) -> ExecutionState:
        """Begin the execution, or continue it, elsewhere: make it due now for whatever worker.

        Returns what is durable; one that has ended is left as it is.

        Raises:
            engine.errors.EngineError: as `execute` does.
        """
        claimed = await self._claim(self._beginning())
        if is_terminal(claimed.state.status):
            return claimed.state
        checkpointer = self._checkpointer(claimed)
        watched = self._observers.segment(claimed) if claimed.created else nullcontext(Watched())
        with watched as observed:
            kept = observed.traceparent
            await checkpointer.commit(
                head=None if kept is None else {"traceparent": kept},
                events=[checkpointer.event(EventName.WORKFLOW_STARTED)] if claimed.created else (),
                due=DueAt(self._clock.now_ms()),
                release=True,
            )
            observed.ended(claimed.state.status)
        return claimed.state

    @classmethod
    async def resume(
        cls, execution_id: str, tools: ToolExecutor, **options: Any
    ) -> ExecutionResult:
        """Continue an execution that yielded, was confirmed, or whose process died.

        Args:
            execution_id: which one.
            tools: as for the constructor, like all `options`.
            **options: keyword arguments of the constructor; `store` is the one needed.

        Raises:
            engine.errors.ExecutionNotFoundError: there is no such execution.
        """
        return await cls(execution_id, tools, **options).execute()

    async def execute_single_step(self, step_index: int | None = None) -> SingleStepResult:
        """Carry out one ready step and give the lease back.

        The last step of a plan completes the execution; a failed one rolls it back.

        Args:
            step_index: position in the plan; None: the first ready step.

        Raises:
            engine.errors.StepNotReadyError: that step cannot run now.
        """
        try:
            return await self._execute_single_step(step_index)
        except BaseExceptionGroup as group:
            raise single_cause(group) from group

    async def get_state(self) -> ExecutionState:
        """Return everything durable of this execution.

        Raises:
            engine.errors.ExecutionNotFoundError: it has not begun, or has expired.
        """
        return await self._store.load(self.execution_id)

    async def yield_execution(self, reason: str) -> None:  # noqa: ARG002 - of the interface
        """Ask the segment that this machine runs to end before its next batch."""
        self._control.yield_requested = True

    async def request_yield(self) -> bool:
        """Ask the segment to yield, wherever it runs; it sees it with its next write.

        Returns whether one runs. Segments that begin later are not asked.
        """
        return await self._store.request_yield(self.execution_id)

    async def cancel(self, reason: str) -> bool:
        """Cancel the execution, wherever it runs: what was done is undone, then it ends.

        Returns whether it still ran. A segment that runs, here or elsewhere, sees the request with
        its next write; one that waits sees it when it is resumed.
        """
        self._control.cancel_reason = reason
        return await self._store.request_cancel(self.execution_id, reason)

    async def confirm(self, step_id: str, token: str, approved: bool) -> None:  # noqa: FBT001
        """Decide about the step that the execution waits for; then resume it.

        Raises:
            engine.errors.ConfirmationError: it does not wait for this step and token.
        """
        refusal = ConfirmationError(
            f"execution {self.execution_id} does not wait for {step_id!r} with this token"
        )
        # Asked first without a lease: a wrong decision must not keep anybody from working.
        if not waits_for(await self.get_state(), step_id, token):
            raise refusal
        claimed = await self._store.claim(self.execution_id, self._owner, self._settings.lease_ms)
        checkpointer = self._checkpointer(claimed)
        if not waits_for(claimed.state, step_id, token):
            if not is_terminal(claimed.state.status):
                await checkpointer.commit(due=DueAt(self._clock.now_ms()), release=True)
            raise refusal
        await decide_confirmation(
            claimed.state, checkpointer, self._clock, step_id, approved=approved
        )

    async def _execute(self) -> ExecutionResult:
        beginning = self._beginning()
        opened = self._opening(beginning)
        claimed = await self._claim(beginning, opened)
        if is_terminal(claimed.state.status):
            return recorded_result(claimed.state)
        if opened is not None and claimed.created:
            return await opened.drive(claimed, self._settings.resume_delay_ms)
        return await self._under_lease(claimed, lambda segment: segment.drive())

    async def _under_lease(
        self, claimed: Claimed, act: Callable[[Segment], Awaitable[_Result]]
    ) -> _Result:
        """Let `act` do what it does with the next segment; if it fails, the lease is given back."""
        checkpointer = self._checkpointer(claimed)
        with self._observers.segment(claimed) as observed:
            try:
                segment = await self._taken_up(claimed, checkpointer, observed.traceparent)
                result = await act(segment)
            except Exception as error:
                await checkpointer.give_back(error, self._settings.resume_delay_ms)
                raise
            observed.ended(result.status)
            return result

    def _beginning(self) -> Beginning | None:
        if self._plan is None:
            return None
        return Beginning(
            plan=self._plan,
            intent=self._intent,
            trace_id=self._trace_id,
            created_at_ms=self._clock.now_ms(),
        )

    def _opening(self, beginning: Beginning | None) -> Opening | None:
        """Return a segment that begins with the execution itself, if there may be such a one.

        Not where segments are watched: the trace context that its first write carries is made when
        the execution is claimed. Nor where it would not begin with a step.
        """
        if beginning is None or self._observers:
            return None
        claimed = first_claim(self.execution_id, self._owner, beginning)
        checkpointer = self._checkpointer(claimed)
        segment = self._segment(claimed, checkpointer, self._runner(claimed.state))
        return opening(checkpointer, segment)

    async def _execute_single_step(self, step_index: int | None) -> SingleStepResult:
        claimed = await self._claim(self._beginning())
        if is_terminal(claimed.state.status):
            raise StepNotReadyError(f"execution {self.execution_id} has ended")
        return await self._under_lease(
            claimed, lambda segment: run_single_step(segment, step_index)
        )

    async def _claim(self, beginning: Beginning | None, opened: Opening | None = None) -> Claimed:
        who = self.execution_id, self._owner, self._settings.lease_ms
        try:
            if beginning is None:
                return await self._store.claim(*who)
            first = None if opened is None else opened.first
            return await self._store.begin(*who, beginning, first)
        except (StoreUnavailableError, CheckpointCorruptError, UnknownVersionError) as error:
            at_ms = self._clock.now_ms()
            tell(self._listeners, claim_failed(self.execution_id, at_ms, error, self._trace_id))
            raise

    def _checkpointer(self, claimed: Claimed) -> Checkpointer:
        return Checkpointer(
            self._store,
            claimed,
            clock=self._clock,
            ids=self._ids,
            lease_ms=self._settings.lease_ms,
            replicas=self._settings.needed_replicas,
            replication_timeout_ms=self._settings.replication_timeout_ms,
            listeners=self._listeners,
            written=self._observers.checkpoint_written if self._observers else None,
        )

    def _runner(self, state: ExecutionState) -> StepRunner:
        intent = state.intent or {}
        return StepRunner(
            self.execution_id,
            self._toolbox,
            clock=self._clock,
            ids=self._ids,
            settings=self._settings,
            intent_type=str(intent["type"]) if "type" in intent else None,
        )

    async def _taken_up(
        self, claimed: Claimed, checkpointer: Checkpointer, traceparent: str | None
    ) -> Segment:
        """Return the next segment, with what is found out about the one before it."""
        runner = self._runner(claimed.state)
        segment = self._segment(claimed, checkpointer, runner, traceparent)
        if not (claimed.created or claimed.state.status is ExecutionStatus.COMPENSATING):
            segment.settle(await reconcile(segment.progress, runner.lookup, checkpointer))
        return segment

    def _segment(
        self,
        claimed: Claimed,
        checkpointer: Checkpointer,
        runner: StepRunner,
        traceparent: str | None = None,
    ) -> Segment:
        self._control.yield_requested = False
        segment = Segment(
            claimed.state,
            checkpointer,
            runner,
            clock=self._clock,
            ids=self._ids,
            settings=self._settings,
            control=self._control,
        )
        segment.open(created=claimed.created, traceparent=traceparent)
        return segment
