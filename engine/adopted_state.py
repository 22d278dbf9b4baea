"""The engine's record of an execution, made from what the legacy executor left. Pure."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from engine import codec
from engine.errors import AdoptionRefusedError, CheckpointCorruptError, EngineError
from engine.events import Event, EventName
from engine.json_form import durable_form
from engine.legacy_records import LegacyRecords, begun_steps, check_open
from engine.parameters import apply_aliases
from engine.plan import Compensation, Plan
from engine.segment_api.records import COMPENSATION_PREFIX, ExecutionState, carried_intent, epoch_ms
from engine.segment_api.records import StepState as LegacyStep
from engine.states import ExecutionStatus, StepStatus
from engine.tools import ToolCatalog
from engine.types.execution import ErrorInfo, ExecutionResult, StepState
from engine.utils.execution_utils import resolve_step_parameters

Begun: TypeAlias = Literal["by_effect", "in_doubt"]
IN_DOUBT = ErrorInfo(
    code="ADOPTED_UNDER_WAY",
    message="The call was under way, without a key, in the legacy executor",
)


class AdoptedState:
    """The unified engine's record of an execution, made from what legacy left. Pure."""

    def __init__(
        self,
        found: LegacyRecords,
        plan: Plan,
        *,
        intent: Mapping[str, Any] | None,
        trace_id: str | None,
        catalog: ToolCatalog | None,
        begun: Begun,
        now_ms: int,
    ) -> None:
        self.plan = plan
        self.found = found
        self.due_ms = max(now_ms, found.scheduled_ms or 0)
        self._now_ms = now_ms
        self._catalog = catalog
        self._begun_as: Begun = begun
        state = found.state
        self.begun: frozenset[str] = frozenset()
        self.steps: dict[int, StepState] = {}
        if state is not None:
            check_open(state, plan)
            self.begun = begun_steps(state, plan)
            self._outputs = {step.step_id: step.output for step in state.step_states}
            self.steps = self._steps(state)
        self._intent = intent if state is None else carried_intent(state) or intent
        self._trace_id = found.item.get("trace_id") or trace_id

    def head(self) -> dict[str, str]:
        """Return the fields of the engine's record."""
        head = {
            "status": str(ExecutionStatus.EXECUTING),
            "segment_number": str(self.found.segments_begun),
            "created_at_ms": str(self.found.created_ms),
            "updated_at_ms": str(self._now_ms),
            "due_at_ms": str(self.due_ms),
            "lease_owner": "",
            "lease_until_ms": "0",
        }
        intent = codec.encode_intent(self._intent)
        if intent is not None:
            head["intent"] = intent
        if self._trace_id is not None:
            head["trace_id"] = str(self._trace_id)
        return head

    def event(self) -> Event:
        """Return the event that tells of it."""
        return Event(
            name=EventName.WORKFLOW_ADOPTED,
            execution_id=self.found.execution_id,
            at_ms=self._now_ms,
            segment_number=self.found.segments_begun,
            detail={"due_at_ms": self.due_ms, "begun": sorted(self.begun)},
            trace_id=None if self._trace_id is None else str(self._trace_id),
        )

    def _steps(self, state: ExecutionState) -> dict[int, StepState]:
        position = {step.id: index for index, step in enumerate(self.plan.steps)}
        steps: dict[int, StepState] = {}
        for step in state.step_states:
            index = position[step.step_id]
            steps[index] = self._step(index, step, state)
        for name in self.begun - {step.step_id for step in state.step_states}:
            steps[position[name]] = self._step(position[name], LegacyStep(name), state)
        return steps

    def _step(self, index: int, step: LegacyStep, state: ExecutionState) -> StepState:
        status, error, attempts = StepStatus(step.status), step.error, step.attempts
        if step.step_id in self.begun:
            attempts += status is StepStatus.PENDING  # its own mark was written over
            status = StepStatus.IN_PROGRESS
            if self._begun_as == "in_doubt":
                status, error = StepStatus.IN_DOUBT, IN_DOUBT.model_dump()
        return recorded_step(
            self.found.execution_id,
            step,
            status=status,
            error=error,
            attempts=attempts,
            compensation=self._compensation(index, step, state.context),
        )

    def _compensation(
        self, index: int, step: LegacyStep, context: Mapping[str, Any]
    ) -> Compensation | None:
        """Return how to undo a completed step: by its result, else its definition, else the plan."""
        if step.status != StepStatus.COMPLETED:
            return None
        undo = context.get(COMPENSATION_PREFIX + step.step_id)
        planned = self.plan.steps[index]
        definition = self._catalog.definition(planned.tool_name) if self._catalog else None
        outputs = {name: output for name, output in self._outputs.items() if name != step.step_id}
        try:
            if undo is not None:
                return Compensation(
                    tool_name=undo["toolName"], parameters=undo.get("parameters") or {}
                )
            if definition is not None and definition.compensation is not None:
                # Legacy forgets what it sent; it follows from plan, outputs and aliases.
                sent = resolve_step_parameters(planned.parameters, outputs)
                sent = apply_aliases(sent, definition.aliases)
                return definition.compensation(sent, step.output)
        except Exception as error:  # noqa: BLE001 - code of the tool's owner
            raise AdoptionRefusedError(
                f"execution {self.found.execution_id}: how to undo step {step.step_id} cannot be "
                f"told: {error!r}"
            ) from None
        if planned.compensation is None:
            return None
        resolved = resolve_step_parameters(
            planned.compensation.parameters, {step.step_id: step.output}
        )
        return Compensation(tool_name=planned.compensation.tool_name, parameters=resolved)


def ended_result(found: LegacyRecords) -> ExecutionResult:
    """Return the result of a run that legacy has ended.

    Legacy calls a run complete when nothing is left to do, failed steps or not; here it is a
    success only if every step has completed.
    """
    state = found.state
    assert state is not None  # noqa: S101 - it has ended
    steps = tuple(
        recorded_step(
            found.execution_id,
            step,
            status=StepStatus(step.status),
            error=step.error,
            attempts=step.attempts,
            compensation=None,
        )
        for step in state.step_states
    )
    counts = {name: state.count(name) for name in ("completed", "failed")}
    total = len(state.step_states)
    ended_ms = _time(state.completed_at, "completed_at") or found.written_ms
    return ExecutionResult(
        execution_id=found.execution_id,
        status=ExecutionStatus(state.status),
        success=state.status == ExecutionStatus.COMPLETED and counts["completed"] == total,
        is_partial=False,
        completed_steps=counts["completed"],
        failed_steps=counts["failed"],
        total_steps=total,
        segment_number=max(1, found.segments_begun),
        execution_time_ms=max(0, ended_ms - found.created_ms),
        error=None if state.error is None else ErrorInfo(**state.error),
        steps=steps,
    )


def recorded_step(
    execution_id: str,
    step: LegacyStep,
    *,
    status: StepStatus,
    error: Mapping[str, Any] | None,
    attempts: int,
    compensation: Compensation | None,
) -> StepState:
    """Return a step of the legacy state as the engine records it.

    Raises:
        CheckpointCorruptError: a field is not what the legacy executor writes.
    """
    if status is StepStatus.FAILED and error is None:
        error = {"code": "STEP_FAILED", "message": "failed in the legacy executor"}
    try:
        return StepState(
            id=step.step_id,
            status=status,
            attempts=attempts,
            has_output=step.has_output,
            output=durable_form(step.output),
            error=None
            if error is None
            else ErrorInfo(code=error["code"], message=error["message"]),
            input=durable_form(step.input) if status is not StepStatus.COMPLETED else None,
            started_at_ms=_time(step.started_at, "started_at"),
            completed_at_ms=_time(step.completed_at, "completed_at"),
            latency_ms=step.latency_ms,
            compensation=compensation,
        )
    except (EngineError, ValueError, TypeError, KeyError) as fault:
        raise CheckpointCorruptError(
            f"execution {execution_id}: step {step.step_id} of the legacy state cannot be read: "
            f"{str(fault).splitlines()[0]}"
        ) from None


def _time(text: str | None, path: str) -> int | None:
    return None if text is None else epoch_ms(text, path)
