"""States that callers hand in: compared with what is durable, and taken over where nothing is.

What is durable decides. A state that says less is an older one and changes nothing; one that says
more is taken over if the store does not know the execution, and refused if it does.
"""

from typing import Any

from engine.clock import Clock
from engine.errors import PlanMismatchError, StateConflictError
from engine.identity import IdSource
from engine.json_form import durable_form
from engine.plan import Compensation, Plan, parse_plan
from engine.segment_api.failures import SchemaViolation, StateTransitionError
from engine.segment_api.records import (
    CARRIED,
    COMPENSATION_PREFIX,
    ExecutionState,
    StepState,
    carried_intent,
    epoch_ms,
)
from engine.settings import WorkflowSettings
from engine.states import ExecutionStatus, StepStatus, check_transition, is_terminal
from engine.store import Beginning, DueAt, Store, Transition
from engine.types import execution as engine_records

_ENDED = frozenset({StepStatus.COMPLETED, StepStatus.FAILED})


def check_not_ahead(
    durable: engine_records.ExecutionState, state: ExecutionState | None, next_step_index: int
) -> None:
    """Refuse a state, or a position, that knows of more than the store.

    Raises:
        StateConflictError: it does; names the step.
        PlanMismatchError: the state has a step that the plan has not.
    """
    steps = {step.id: step for step in durable.steps}
    for handed in () if state is None else state.step_states:
        known = steps.get(handed.step_id)
        if known is None:
            raise PlanMismatchError(
                f"execution {durable.execution_id}: its plan has no step {handed.step_id!r}"
            )
        status = _status(handed)
        if status in _ENDED and known.status is not status:
            raise StateConflictError(
                f"execution {durable.execution_id}: step {known.id!r} is {status} in the state "
                f"handed in and {known.status} in the store"
            )
    if is_terminal(durable.status) or durable.status is ExecutionStatus.COMPENSATING:
        return
    for index, step in enumerate(durable.steps[: max(0, next_step_index)]):
        if step.status not in _ENDED:
            raise StateConflictError(
                f"execution {durable.execution_id}: to go on from step {next_step_index} would "
                f"leave out step {index} ({step.id!r}), which is {step.status}"
            )


def check_continues(durable: engine_records.ExecutionState, state: ExecutionState) -> None:
    """Refuse a state from which the execution cannot have come to what is durable.

    Raises:
        StateTransitionError: it has ended, or was not planned yet.
        StateConflictError: it is about another execution or another intent.
    """
    _check_id(durable.execution_id, state)
    if not is_terminal(durable.status) and _execution_status(state) is not durable.status:
        check_transition(_execution_status(state), ExecutionStatus.EXECUTING)
    kept = {name: value for name, value in (durable.intent or {}).items() if name != CARRIED}
    if state.intent is not None and durable_form(state.intent) != kept:
        raise StateConflictError(
            f"execution {durable.execution_id}: the intent handed in is not the one it was begun "
            "with"
        )


def is_begun(state: ExecutionState) -> bool:
    """Whether any step of a state that is handed in is not pending."""
    return any(_status(step) is not StepStatus.PENDING for step in state.step_states)


def is_untouched(durable: engine_records.ExecutionState) -> bool:
    """Whether an execution was begun in the store and nothing came of it yet."""
    return durable.segment_number == 0 and all(
        step.status is StepStatus.PENDING for step in durable.steps
    )


def check_new(
    execution_id: str, plan: Plan, state: ExecutionState | None, start_step_index: int
) -> None:
    """Refuse what cannot be the beginning of an execution that the store does not know.

    Raises:
        StateTransitionError: the state has ended, or was not planned yet.
        PlanMismatchError: the state was made for another plan.
        StateConflictError: it is about another execution, or steps would be left out.
    """
    ended: set[str] = set()
    if state is not None:
        _check_id(execution_id, state)
        check_transition(_execution_status(state), ExecutionStatus.EXECUTING)
        if state.plan is not None and parse_plan(state.plan).digest() != plan.digest():
            raise PlanMismatchError(
                f"execution {execution_id}: the state handed in was made for another plan"
            )
        ended = {step.step_id for step in state.step_states if _status(step) in _ENDED}
        unknown = {step.step_id for step in state.step_states} - {step.id for step in plan.steps}
        if unknown:
            raise PlanMismatchError(
                f"execution {execution_id}: the plan has no steps {sorted(unknown)}"
            )
    for index, step in enumerate(plan.steps[: max(0, start_step_index)]):
        if step.id not in ended:
            raise StateConflictError(
                f"execution {execution_id}: to go on from step {start_step_index} would leave "
                f"out step {index} ({step.id!r}), which nothing says has run"
            )


async def adopt(
    store: Store,
    plan: Plan,
    state: ExecutionState,
    *,
    segment_number: int,
    clock: Clock,
    ids: IdSource,
    trace_id: str | None,
) -> None:
    """Begin the execution in the store with the steps as `state` has them.

    Two writes under one lease: if the process dies between them, the same call made again
    finishes what it began. If somebody else was faster, nothing is written over.

    Raises:
        SchemaViolation: a part of the state cannot be read, or has no JSON form.
        StateConflictError: somebody else was faster, and knows less.
        engine.errors.LeaseHeldError: another process adopts it.
        engine.errors.StoreUnavailableError: the store failed.
    """
    steps = _engine_steps(plan, state)
    lease_ms = WorkflowSettings().lease_ms
    claimed = await store.begin(
        state.execution_id,
        ids.new_id(),
        lease_ms,
        Beginning(
            plan=plan,
            intent=carried_intent(state),
            trace_id=trace_id,
            created_at_ms=epoch_ms(state.created_at, "created_at"),
        ),
    )
    if is_terminal(claimed.state.status):
        return
    head = {"updated_at_ms": str(clock.now_ms())}
    if is_untouched(claimed.state):
        head["segment_number"] = str(max(0, segment_number - 1))
    else:
        steps = {}
    await store.apply(
        claimed.lease,
        Transition(
            operation_id=ids.new_id(),
            lease_ms=lease_ms,
            head=head,
            steps=steps,
            due=DueAt(clock.now_ms()),
            release=True,
        ),
    )
    if not steps:
        check_not_ahead(claimed.state, state, 0)


def _engine_steps(plan: Plan, state: ExecutionState) -> dict[int, engine_records.StepState]:
    position = {step.id: index for index, step in enumerate(plan.steps)}
    return {
        position[step.step_id]: _engine_step(
            step, state.context.get(COMPENSATION_PREFIX + step.step_id)
        )
        for step in state.step_states
    }


def _engine_step(step: StepState, undo: Any) -> engine_records.StepState:
    path = f"step_states.{step.step_id}"
    error = step.error
    if _status(step) is StepStatus.FAILED and error is None:
        error = {"code": "STEP_FAILED", "message": "failed before the execution was taken over"}
    times = {
        f"{name}_ms": epoch_ms(getattr(step, name), f"{path}.{name}")
        for name in ("started_at", "completed_at")
        if getattr(step, name) is not None
    }
    try:
        return engine_records.StepState(
            id=step.step_id,
            status=_status(step),
            attempts=step.attempts,
            has_output=step.has_output,
            output=durable_form(step.output),
            error=None
            if error is None
            else engine_records.ErrorInfo(code=error["code"], message=error["message"]),
            input=durable_form(step.input),
            latency_ms=step.latency_ms,
            compensation=None
            if undo is None
            else Compensation(tool_name=undo["toolName"], parameters=undo.get("parameters") or {}),
            **times,
        )
    except (KeyError, ValueError) as fault:
        raise SchemaViolation(path, str(fault).splitlines()[0]) from None


def _status(step: StepState) -> StepStatus:
    try:
        return StepStatus(step.status)
    except ValueError:
        raise SchemaViolation(
            f"step_states.{step.step_id}.status", f"Invalid enum value {step.status!r}"
        ) from None


def _execution_status(state: ExecutionState) -> ExecutionStatus:
    try:
        return ExecutionStatus(state.status)
    except ValueError:
        raise StateTransitionError(f"unknown status {state.status!r}") from None


def _check_id(execution_id: str, state: ExecutionState) -> None:
    if state.execution_id != execution_id:
        raise StateConflictError(
            f"execution {execution_id}: the state handed in is that of {state.execution_id}"
        )
