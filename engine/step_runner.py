"""One step, from its parameters to its final state: retries, recovery and failover included."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, assert_never

from engine.clock import Clock
from engine.error_recovery import CallAgain, ErrorRecovery, FailedCall
from engine.errors import UnresolvableReferenceError
from engine.failover import (
    AlternativeParameters,
    AlternativeTool,
    Escalate,
    FailoverPolicy,
    Failure,
    RetryAfter,
    classify,
)
from engine.identity import IdSource, idempotency_key
from engine.invocation import Answer, invoke
from engine.json_form import durable_form
from engine.limits import DEFAULT_TIMEOUT_MS
from engine.parameters import BOOKING, RequiredParameters, apply_aliases, describe_faults
from engine.plan import Compensation, Step
from engine.retry import NO_RETRY, backoff_ms, may_retry
from engine.safety import SafetyPolicy
from engine.settings import WorkflowSettings
from engine.states import StepStatus
from engine.tools import (
    EffectSemantics,
    ParameterValidator,
    ToolCall,
    ToolCatalog,
    ToolDefinition,
    ToolExecutor,
    ToolResult,
)
from engine.types.execution import ErrorInfo, StepState
from engine.utils.execution_utils import resolve_step_parameters


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Everything around the tools that a caller may give."""

    tools: ToolExecutor
    catalog: ToolCatalog | None = None
    validator: ParameterValidator | None = None
    recovery: ErrorRecovery | None = None
    failover: FailoverPolicy = field(default_factory=FailoverPolicy)
    safety: SafetyPolicy = field(default_factory=SafetyPolicy)
    required: tuple[RequiredParameters, ...] = (BOOKING,)

    def definition(self, tool_name: str) -> ToolDefinition | None:
        """Return what is known of a tool."""
        return self.catalog.definition(tool_name) if self.catalog is not None else None


class StepRunner:
    """Carries single steps of one execution out. Writes nothing: states go in and come out."""

    def __init__(
        self,
        execution_id: str,
        toolbox: Toolbox,
        *,
        clock: Clock,
        ids: IdSource,
        settings: WorkflowSettings,
        intent_type: str | None = None,
    ) -> None:
        """Run steps of `execution_id` with the tools in `toolbox`."""
        self._execution_id = execution_id
        self._toolbox = toolbox
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._intent_type = intent_type

    def intend(
        self, step: Step, state: StepState, outputs: Mapping[str, Any], known: Mapping[str, int]
    ) -> StepState:
        """Return the state to make durable before the call: in progress, with its input.

        A step whose parameters cannot be sent is returned failed. One that was begun before keeps
        the input that it was begun with.
        """
        now_ms = self._clock.now_ms()
        attempts = state.attempts + 1
        begun = {"attempts": attempts, "started_at_ms": now_ms, "retry_at_ms": None, "error": None}
        if state.input is not None:
            return state.model_copy(update={"status": StepStatus.IN_PROGRESS, **begun})
        prepared = self._prepare(step.tool_name, step.parameters, outputs, known)
        if isinstance(prepared, ErrorInfo):
            return self._failed(state.model_copy(update=begun), prepared)
        return state.model_copy(
            update={"status": StepStatus.IN_PROGRESS, "input": prepared, **begun}
        )

    async def run(
        self,
        step: Step,
        state: StepState,
        outputs: Mapping[str, Any],
        known: Mapping[str, int],
        *,
        until_ms: float | None,
    ) -> StepState:
        """Call the tool of an intended step until it succeeds or nothing more may be tried.

        Returns the completed or failed state; or the pending state with `retry_at_ms` when the
        next call is due after `until_ms` (monotonic milliseconds); or the state in doubt, when a
        tool that must not be called twice has raised or was aborted.
        """
        policy = step.retry_policy or NO_RETRY
        parameters = state.input or {}
        while True:
            answer = await self._call(step, step.tool_name, parameters, state.attempts)
            if answer.result.success:
                return self._completed(step, state, answer, parameters)
            if answer.unknown and self._at_most_once(step.tool_name):
                doubt = {"status": StepStatus.IN_DOUBT, "error": answer.error()}
                return state.model_copy(update=doubt)
            if not may_retry(policy, state.attempts):
                break
            pause_ms = backoff_ms(policy, state.attempts, self._ids.fraction())
            if until_ms is not None and self._clock.monotonic_ms() + pause_ms > until_ms:
                return self._deferred(state, pause_ms)
            if pause_ms:
                await self._clock.sleep_ms(pause_ms)
            state = state.model_copy(update={"attempts": state.attempts + 1})
        return await self._rescue(step, state, answer, outputs, known)

    async def call_compensation(
        self, step_id: str, compensation: Compensation, attempt: int
    ) -> Answer:
        """Call an undoing tool once; its key is the step's own, marked as compensation."""
        key = idempotency_key(self._execution_id, step_id) + ":compensation"
        call = ToolCall(
            execution_id=self._execution_id,
            step_id=step_id,
            tool_name=compensation.tool_name,
            parameters=deepcopy(compensation.parameters),
            timeout_ms=self._settings.step_abort_ms or DEFAULT_TIMEOUT_MS,
            idempotency_key=key,
            attempt=attempt,
        )
        return await self._answer(call, self._settings.step_abort_ms)

    def found(self, step: Step, state: StepState, result: ToolResult) -> StepState:
        """Return the state of a step whose effect a lookup has found."""
        return self._completed(
            step, state, Answer(result, tool_name=step.tool_name), state.input or {}
        )

    def _at_most_once(self, tool_name: str) -> bool:
        definition = self._toolbox.definition(tool_name)
        return definition is not None and definition.effects is EffectSemantics.AT_MOST_ONCE

    def _prepare(
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
        if definition is not None:
            parameters = apply_aliases(parameters, definition.aliases)
        fault = self._fault(tool_name, parameters)
        return parameters if fault is None else fault

    def _fault(self, tool_name: str, parameters: Mapping[str, Any]) -> ErrorInfo | None:
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

    async def _call(
        self, step: Step, tool_name: str, parameters: Mapping[str, Any], attempt: int
    ) -> Answer:
        call = self._tool_call(step, tool_name, parameters, attempt)
        return await self._answer(call, self._abort_ms(step))

    def _tool_call(
        self, step: Step, tool_name: str, parameters: Mapping[str, Any], attempt: int
    ) -> ToolCall:
        return ToolCall(
            execution_id=self._execution_id,
            step_id=step.id,
            tool_name=tool_name,
            parameters=deepcopy(dict(parameters)),
            timeout_ms=step.timeout_ms,
            idempotency_key=idempotency_key(self._execution_id, step.id),
            attempt=attempt,
        )

    def _abort_ms(self, step: Step) -> int | None:
        bounds = [self._settings.step_abort_ms]
        if self._settings.enforce_step_timeouts:
            bounds.append(step.timeout_ms)
        return min((bound for bound in bounds if bound is not None), default=None)

    async def _answer(self, call: ToolCall, abort_ms: int | None) -> Answer:
        return await invoke(self._toolbox.tools, call, clock=self._clock, abort_ms=abort_ms)

    async def _rescue(
        self,
        step: Step,
        state: StepState,
        answer: Answer,
        outputs: Mapping[str, Any],
        known: Mapping[str, int],
    ) -> StepState:
        """Try the recovery hook once, then the failover rules; else the step has failed."""
        parameters: Mapping[str, Any] = state.input or {}
        again = await self._ask_recovery(step, answer, parameters)
        if again is not None:
            prepared: dict[str, Any] | ErrorInfo = dict(parameters)
            if again.parameters is not None:
                prepared = self._prepare(step.tool_name, again.parameters, outputs, known)
            if isinstance(prepared, ErrorInfo):
                return self._failed(state, prepared)
            call = self._tool_call(step, step.tool_name, prepared, state.attempts)
            answer = await self._answer(call, self._settings.recovery_abort_ms)
            if answer.result.success:
                return self._completed(step, state, answer, prepared)
        return await self._fail_over(step, state, answer, parameters)

    async def _ask_recovery(
        self, step: Step, answer: Answer, parameters: Mapping[str, Any]
    ) -> CallAgain | None:
        if self._toolbox.recovery is None or answer.raised:
            return None
        try:
            return await self._toolbox.recovery(
                FailedCall(step.tool_name, parameters, answer.result.error)
            )
        except Exception:  # noqa: BLE001 - a recovery that fails is no recovery
            return None

    async def _fail_over(
        self, step: Step, state: StepState, answer: Answer, parameters: Mapping[str, Any]
    ) -> StepState:
        uses: dict[int, int] = {}
        tool_name = step.tool_name
        while not answer.result.success:
            failure = Failure(
                tool_name=tool_name,
                message=answer.result.error,
                reason=classify(answer.result.error, raised=answer.raised, aborted=answer.aborted),
                intent_type=self._intent_type,
            )
            chosen = self._toolbox.failover.choose(failure, uses)
            if chosen is None:
                return self._failed(state, answer.error())
            uses[chosen] = uses.get(chosen, 0) + 1
            action = self._toolbox.failover.rules[chosen].action
            match action:
                case AlternativeParameters(changes):
                    parameters = {**parameters, **changes}
                case AlternativeTool(name):
                    tool_name = name
                case RetryAfter(delay_ms):
                    await self._clock.sleep_ms(delay_ms)
                case Escalate(message):
                    error = ErrorInfo(code="ESCALATED", message=f"{message}: {failure.message}")
                    return self._failed(state, error)
                case _:
                    assert_never(action)
            fault = self._fault(tool_name, parameters)
            if fault is not None:
                return self._failed(state, fault)
            answer = await self._call(step, tool_name, parameters, state.attempts)
        return self._completed(step, state, answer, parameters)

    def _completed(
        self, step: Step, state: StepState, answer: Answer, parameters: Mapping[str, Any]
    ) -> StepState:
        result = answer.result
        try:
            output = durable_form(result.output)
        except ValueError as error:
            message = f"the tool's output is no JSON value: {str(error).splitlines()[0]}"
            return self._failed(state, ErrorInfo(code="OUTPUT_NOT_SERIALIZABLE", message=message))
        try:
            compensation = self._compensation(step, answer, parameters)
        except Exception as error:  # noqa: BLE001 - code of the tool's owner; see the message
            message = f"the step ran, but its compensation cannot be built: {error!r}"
            return self._failed(state, ErrorInfo(code="STEP_EXECUTION_FAILED", message=message))
        now_ms = self._clock.now_ms()
        return state.model_copy(
            update={
                "status": StepStatus.COMPLETED,
                "output": output,
                "has_output": result.has_output,
                "input": None,
                "error": None,
                "completed_at_ms": now_ms,
                "latency_ms": now_ms - (state.started_at_ms or now_ms),
                "compensation": compensation,
            }
        )

    def _compensation(
        self, step: Step, answer: Answer, parameters: Mapping[str, Any]
    ) -> Compensation | None:
        """Return how to undo the call: by its result, else its definition, else the plan."""
        if answer.result.compensation is not None:
            return answer.result.compensation
        definition = self._toolbox.definition(answer.tool_name)
        if definition is not None and definition.compensation is not None:
            return definition.compensation(parameters, answer.result.output)
        if step.compensation is None:
            return None
        outputs = {step.id: answer.result.output}
        resolved = resolve_step_parameters(step.compensation.parameters, outputs)
        return Compensation(tool_name=step.compensation.tool_name, parameters=resolved)

    def _failed(self, state: StepState, error: ErrorInfo) -> StepState:
        now_ms = self._clock.now_ms()
        return state.model_copy(
            update={
                "status": StepStatus.FAILED,
                "error": error,
                "completed_at_ms": now_ms,
                "latency_ms": now_ms - (state.started_at_ms or now_ms),
            }
        )

    def _deferred(self, state: StepState, pause_ms: int) -> StepState:
        retry_at_ms = self._clock.now_ms() + pause_ms
        return state.model_copy(update={"status": StepStatus.PENDING, "retry_at_ms": retry_at_ms})
