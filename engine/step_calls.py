"""The calls of steps: parameters checked, one call made, what it answered turned into a state."""

from collections.abc import Awaitable, Mapping
from typing import Any

from engine.clock import Clock
from engine.errors import UnresolvableReferenceError
from engine.identity import compensation_key, idempotency_key
from engine.invocation import Answer, invoke
from engine.json_form import TooLargeError, durable_form, fresh_copy, storable_text
from engine.limits import DEFAULT_TIMEOUT_MS
from engine.parameters import apply_aliases, describe_faults
from engine.plan import Compensation, Step
from engine.settings import WorkflowSettings
from engine.states import CompensationStatus, StepStatus
from engine.toolbox import Toolbox
from engine.tools import ToolCall, ToolResult
from engine.trusted import changed, construct
from engine.types.execution import ErrorInfo, RescueCall, StepState
from engine.utils.execution_utils import resolve_step_parameters


def next_tool(step: Step, state: StepState) -> str:
    """Return the tool of the call that a step stands before."""
    return step.tool_name if state.rescue is None else state.rescue.tool_name


def next_call(step: Step, state: StepState) -> RescueCall:
    """Return the call that a step stands before: the one that rescues it, else its own."""
    if state.rescue is not None:
        return state.rescue
    return RescueCall(tool_name=step.tool_name, parameters=state.input or {})


def _parameters(state: StepState) -> dict[str, Any]:
    """Return the parameters of the call that a step stands before."""
    return (state.input or {}) if state.rescue is None else state.rescue.parameters


class StepCalls:
    """Makes the calls of one execution's steps. Writes nothing: states go in and come out."""

    def __init__(
        self, execution_id: str, toolbox: Toolbox, *, clock: Clock, settings: WorkflowSettings
    ) -> None:
        """Call the tools in `toolbox` for `execution_id`."""
        self._execution_id = execution_id
        self._toolbox = toolbox
        self._clock = clock
        self._settings = settings

    def prepare(
        self,
        tool_name: str,
        given: Mapping[str, Any],
        outputs: Mapping[str, Any],
        known: Mapping[str, int],
    ) -> dict[str, Any] | ErrorInfo:
        """Resolve, alias and check parameters."""
        try:
            parameters = resolve_step_parameters(
                given, outputs, references=self._settings.references, known_steps=known
            )
        except UnresolvableReferenceError as error:
            return ErrorInfo(code=error.code, message=error.message)
        definition = self._toolbox.definition(tool_name)
        if definition is not None and definition.aliases:
            parameters = apply_aliases(parameters, definition.aliases)
        fault = self.fault(tool_name, parameters)
        return parameters if fault is None else fault

    def fault(self, tool_name: str, parameters: Mapping[str, Any]) -> ErrorInfo | None:
        """Return why a call must not be made, or None."""
        try:
            durable_form(parameters)
        except TooLargeError as error:
            return ErrorInfo(code="PAYLOAD_TOO_LARGE", message=f"the parameters: {error}")
        except ValueError as error:
            message = f"the parameters are no JSON value: {str(error).splitlines()[0]}"
            return ErrorInfo(code="VALIDATION_FAILED", message=message)
        if self._toolbox.validator is not None:
            try:
                faults = self._toolbox.validator.validate(tool_name, parameters)
            except Exception as error:  # noqa: BLE001 - as if the tool had raised it
                return ErrorInfo(code="STEP_EXECUTION_FAILED", message=str(error))
            if faults:
                return ErrorInfo(code="VALIDATION_FAILED", message=describe_faults(faults))
        for rule in self._toolbox.required:
            missing = rule.missing(tool_name, parameters)
            if missing:
                message = f"{rule.message}: {', '.join(missing)}"
                return ErrorInfo(code="VALIDATION_FAILED", message=message)
        limit = self._toolbox.safety.parameter_fault(tool_name, parameters)
        if limit is not None:
            return ErrorInfo(code="SAFETY_VIOLATION", message=limit)
        return None

    def call(self, step: Step, state: StepState) -> Awaitable[Answer]:
        """Make the call that the step stands before; see `engine.invocation.invoke`."""
        alternative = 0 if state.rescue is None else state.rescue.alternative
        key = idempotency_key(self._execution_id, step.id, alternative=alternative)
        call = construct(
            ToolCall,
            {
                "execution_id": self._execution_id,
                "step_id": step.id,
                "tool_name": next_tool(step, state),
                "parameters": fresh_copy(_parameters(state)),
                "timeout_ms": step.timeout_ms,
                "idempotency_key": key,
                "attempt": state.attempts,
            },
        )
        return self._answer(call, self._abort_ms(step, state.rescue))

    def must_not_be_lost(self, step: Step, state: StepState) -> bool:
        """Whether the step's present call could act twice if its intent were lost."""
        return self._toolbox.must_not_be_lost(next_tool(step, state))

    def key(self, step_id: str, chosen: RescueCall) -> str:
        """Return the idempotency key of a call."""
        return idempotency_key(self._execution_id, step_id, alternative=chosen.alternative)

    async def call_compensation(
        self, step_id: str, compensation: Compensation, attempt: int, left_ms: int | None
    ) -> Answer:
        """Call an undoing tool once, for at most `left_ms`; its key is the step's own, marked."""
        call = ToolCall(
            execution_id=self._execution_id,
            step_id=step_id,
            tool_name=compensation.tool_name,
            parameters=fresh_copy(compensation.parameters),
            timeout_ms=self._settings.step_abort_ms or DEFAULT_TIMEOUT_MS,
            idempotency_key=compensation_key(self._execution_id, step_id),
            attempt=attempt,
        )
        bounds = (bound for bound in (self._settings.step_abort_ms, left_ms) if bound is not None)
        return await self._answer(call, min(bounds, default=None))

    def found(self, step: Step, state: StepState, result: ToolResult) -> StepState:
        """Return the state of a step whose effect a lookup has found."""
        tool_name = next_tool(step, state)
        return self.completed(step, state, Answer(result, tool_name=tool_name))

    def completed(self, step: Step, state: StepState, answer: Answer) -> StepState:
        """Return the state after a success, with how to undo it."""
        result = answer.result
        try:
            undo = {"compensation": self._compensation(step, state, answer)}
        except Exception as error:  # noqa: BLE001 - code of the tool's owner; see the message
            message = f"the step ran, but its compensation cannot be built: {error!r}"
            remains = {
                "compensation_status": CompensationStatus.FAILED,
                "compensation_error": storable_text(message),
            }
            failure = ErrorInfo(code="STEP_EXECUTION_FAILED", message=message)
            return self.failed(state, failure).model_copy(update=remains)
        try:
            output = durable_form(result.output)
        except TooLargeError as error:
            failure = ErrorInfo(code="PAYLOAD_TOO_LARGE", message=f"the tool's output: {error}")
            return self.failed(state, failure).model_copy(update=undo)
        except ValueError as error:
            message = f"the tool's output is no JSON value: {str(error).splitlines()[0]}"
            failure = ErrorInfo(code="OUTPUT_NOT_SERIALIZABLE", message=message)
            return self.failed(state, failure).model_copy(update=undo)
        now_ms = self._clock.now_ms()
        return changed(
            state,
            {
                "status": StepStatus.COMPLETED,
                "output": output,
                "has_output": result.has_output,
                "input": None,
                "rescue": None,
                "error": None,
                "completed_at_ms": now_ms,
                "latency_ms": now_ms - (state.started_at_ms or now_ms),
                **undo,
            },
        )

    def failed(self, state: StepState, error: ErrorInfo) -> StepState:
        """Return the state after the last failure."""
        now_ms = self._clock.now_ms()
        return state.model_copy(
            update={
                "status": StepStatus.FAILED,
                "error": error,
                "completed_at_ms": now_ms,
                "latency_ms": now_ms - (state.started_at_ms or now_ms),
            }
        )

    def deferred(self, state: StepState, pause_ms: int) -> StepState:
        """Return the state of a step whose next call is due only in another segment."""
        retry_at_ms = self._clock.now_ms() + pause_ms
        return state.model_copy(update={"status": StepStatus.PENDING, "retry_at_ms": retry_at_ms})

    def _compensation(self, step: Step, state: StepState, answer: Answer) -> Compensation | None:
        """Return how to undo the call: by its result, else its definition, else the plan."""
        if answer.result.compensation is not None:
            return answer.result.compensation
        definition = self._toolbox.definition(answer.tool_name)
        if definition is not None and definition.compensation is not None:
            sent = _parameters(state)
            return definition.compensation(sent, answer.result.output)
        if step.compensation is None:
            return None
        outputs = {step.id: answer.result.output}
        resolved = resolve_step_parameters(step.compensation.parameters, outputs)
        return Compensation(tool_name=step.compensation.tool_name, parameters=resolved)

    def _abort_ms(self, step: Step, rescue: RescueCall | None) -> int | None:
        if rescue is not None and not rescue.uses:  # asked for by the error recovery
            return self._settings.recovery_abort_ms
        bound = self._settings.step_abort_ms
        if not self._settings.enforce_step_timeouts:
            return bound
        return step.timeout_ms if bound is None else min(bound, step.timeout_ms)

    def _answer(self, call: ToolCall, abort_ms: int | None) -> Awaitable[Answer]:
        return invoke(self._toolbox.tools, call, clock=self._clock, abort_ms=abort_ms)
