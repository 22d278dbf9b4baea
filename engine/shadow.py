"""Shadow runs: the unified engine is shown what legacy's tools answered, and what differs is told.

No tool is called: each call of the unified engine takes the answer of a legacy call of the same
tool with the same parameters. It runs in an embedded store of its own and on time of its own.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from engine.errors import EngineError
from engine.json_form import durable_form
from engine.parameters import describe_faults
from engine.settings import WorkflowSettings
from engine.states import ExecutionStatus, StepStatus
from engine.store_url import open_store
from engine.tool_adapters import PositionalTools, as_result
from engine.tools import ToolCall, ToolCatalog, ToolResult
from engine.types.execution import ExecutionRecord, ExecutionResult
from engine.workflow_machine import WorkflowMachine

SHADOW_LIMIT_S: Final = 10.0
"""A shadow run that has not ended after this is given up: it calls nothing and waits for nothing."""

_COMPENSATION: Final = ":compensation"
_ENDS: Final = {
    ExecutionStatus.COMPLETED: "completed",
    ExecutionStatus.FAILED: "failed",
    ExecutionStatus.COMPENSATED: "failed",
    ExecutionStatus.COMPENSATION_FAILED: "failed",
}


class Difference(ExecutionRecord):
    """One thing that the executors do not agree on; `path` says what: `end`, `steps.<id>.output`."""

    path: str
    legacy: Any
    unified: Any


class ShadowReport(ExecutionRecord):
    """What a shadow run showed.

    Attributes:
        verdict: `unknown` where the comparison could not be made; never a pass.
        reason: why it is unknown.
        differences: what legacy decided and unified would have decided.
        unmatched_calls: calls that the unified engine would have made and legacy did not: where
            the shadow run ended, since nobody knows their answers.
        unused_answers: how many legacy calls the unified engine would not have made.
        would_compensate: steps that unified would have undone; legacy undoes none.
    """

    execution_id: str
    verdict: Literal["same", "different", "unknown"]
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    unmatched_calls: tuple[str, ...] = ()
    unused_answers: int = 0
    would_compensate: tuple[str, ...] = ()


@dataclass(slots=True)
class Recording:
    """What the tools of one execution answered legacy, call by call."""

    answers: dict[str, deque[ToolResult | Exception]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    is_whole: bool = True

    def add(self, tool_name: str, parameters: Any, answer: ToolResult | Exception) -> None:
        """Keep the answer to one call."""
        self.answers[_call_key(tool_name, parameters)].append(answer)

    def copy(self) -> "Recording":
        """Return a recording that can be used up."""
        copied = Recording(is_whole=self.is_whole)
        for key, answers in self.answers.items():
            copied.answers[key] = deque(answers)
        return copied


@dataclass(frozen=True, slots=True)
class RecordingTools:
    """The legacy executor's tools, with every answer recorded. They are called as they are."""

    tools: PositionalTools
    recording: Recording

    async def execute(
        self, tool_name: str, parameters: Any, timeout_ms: int | None = None, signal: Any = None
    ) -> Any:
        """Call the tool; what it raises is recorded and raised."""
        sent = _safe_copy(parameters)
        try:
            answer = await self.tools.execute(tool_name, parameters, timeout_ms, signal)
        except Exception as error:
            self.recording.add(tool_name, sent, error)
            raise
        self.recording.add(tool_name, sent, _safe_result(answer))
        return answer

    def __getattr__(self, name: str) -> Any:
        """Whatever else the tools can do."""
        return getattr(self.tools, name)


class UnrecordedCallError(EngineError):
    """Legacy has not made this call, so nobody knows its answer."""

    code = "UNRECORDED_CALL"
    advice = "see the shadow report"


@dataclass(slots=True)
class _Replay:
    recording: Recording
    validator: Any = None
    unmatched: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)

    async def execute(self, call: ToolCall, /) -> ToolResult:
        if call.idempotency_key.endswith(_COMPENSATION):
            self.undone.append(call.step_id)
            return ToolResult.ok()
        if self.validator is not None:
            faults = await self.validator.validate(call.tool_name, call.parameters)
            if faults:
                return ToolResult.failed(describe_faults(faults))
        answers = self.recording.answers.get(_call_key(call.tool_name, call.parameters))
        if not answers:
            self.unmatched.append(call.step_id)
            raise UnrecordedCallError(f"{call.tool_name} was not called like this")
        answer = answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer


class ReplayClock:
    """Time that passes only when somebody waits for it. Aborts never fire."""

    def __init__(self, now_ms: int) -> None:
        """Start at `now_ms` (epoch milliseconds)."""
        self._now_ms = float(now_ms)

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        return int(self._now_ms)

    def monotonic_ms(self) -> float:
        """Return milliseconds on a clock that never goes back."""
        return self._now_ms

    async def sleep_ms(self, ms: float) -> None:
        """Let the time pass at once."""
        self._now_ms += max(0.0, ms)
        await asyncio.sleep(0)  # noqa: TID251 - gives way; no time passes

    def call_later_ms(self, ms: float, callback: Callable[[], object]) -> "ReplayClock":  # noqa: ARG002 - the port
        """Arm nothing: recorded answers come at once."""
        return self

    def cancel(self) -> None:
        """Take back a timer that was never armed."""


async def compare(
    execution_id: str,
    plan: Mapping[str, Any],
    legacy: Any,
    recording: Recording,
    *,
    now_ms: int,
    intent: Mapping[str, Any] | None = None,
    catalog: ToolCatalog | None = None,
    validator: Any = None,
) -> ShadowReport:
    """Run `plan` on the unified engine with the recorded answers, and compare.

    Args:
        execution_id: whose run it is.
        plan: the plan as legacy was given it.
        legacy: what legacy returned: `success`, `is_partial` and `state.step_states`.
        recording: what the tools answered; it is not changed.
        now_ms: epoch milliseconds at which the shadow run begins.
        intent: what the plan is for.
        catalog: aliases of the tools.
        validator: legacy's, which refuses a call before it is made.
    """
    if not recording.is_whole:
        return _unknown(execution_id, "the beginning of the execution was not recorded here")
    replay = _Replay(recording.copy(), validator)
    try:
        async with asyncio.timeout(SHADOW_LIMIT_S):
            unified = await _run(
                execution_id, plan, replay, now_ms=now_ms, intent=intent, catalog=catalog
            )
    except EngineError as error:
        refused = Difference(path="end", legacy=_end_of(legacy), unified=error.code)
        return ShadowReport(execution_id=execution_id, verdict="different", differences=(refused,))
    except Exception as error:  # noqa: BLE001 - a shadow never harms
        return _unknown(execution_id, f"the shadow run failed: {error!r}")
    differences = _differences(legacy, unified, replay)
    unused = sum(map(len, replay.recording.answers.values()))
    is_open = legacy.is_partial and replay.unmatched
    is_same = not differences and not unused and (is_open or not replay.unmatched)
    return ShadowReport(
        execution_id=execution_id,
        verdict="same" if is_same else "different",
        differences=tuple(differences),
        unmatched_calls=() if is_open else tuple(replay.unmatched),
        unused_answers=unused,
        would_compensate=() if is_open else tuple(sorted(replay.undone)),
    )


async def _run(
    execution_id: str,
    plan: Mapping[str, Any],
    replay: _Replay,
    *,
    now_ms: int,
    intent: Mapping[str, Any] | None,
    catalog: ToolCatalog | None,
) -> ExecutionResult:
    clock = ReplayClock(now_ms)
    store = open_store("memory://", clock=clock)
    try:
        machine = WorkflowMachine(
            execution_id,
            replay,
            store=store,
            clock=clock,
            settings=WorkflowSettings.worker(),
            catalog=catalog,
            intent=intent,
        )
        machine.set_plan(plan)
        return await machine.execute()
    finally:
        await store.aclose()


def _differences(legacy: Any, unified: ExecutionResult, replay: _Replay) -> list[Difference]:
    found: list[Difference] = []
    ends = (_end_of(legacy), _ENDS.get(unified.status, str(unified.status)))
    if ends[0] != ends[1] and not (legacy.is_partial and (replay.unmatched or ends[1] != "failed")):
        found.append(Difference(path="end", legacy=ends[0], unified=ends[1]))
    steps = {step.id: step for step in unified.steps}
    for step in legacy.state.step_states:
        other = steps.get(step.step_id)
        if step.status not in {StepStatus.COMPLETED, StepStatus.FAILED}:
            continue
        status = None if other is None else str(other.status)
        if status != step.status:
            found.append(
                Difference(path=f"steps.{step.step_id}.status", legacy=step.status, unified=status)
            )
        elif other is not None and step.status == StepStatus.COMPLETED:
            outputs = (_safe_copy(step.output), other.output)
            if outputs[0] != outputs[1] or step.has_output != other.has_output:
                path = f"steps.{step.step_id}.output"
                found.append(Difference(path=path, legacy=outputs[0], unified=outputs[1]))
    return found


def _end_of(legacy: Any) -> str:
    if legacy.is_partial:
        return "partial"
    return "completed" if legacy.success else "failed"


def _unknown(execution_id: str, reason: str) -> ShadowReport:
    return ShadowReport(execution_id=execution_id, verdict="unknown", reason=reason)


def _call_key(tool_name: str, parameters: Any) -> str:
    return json.dumps([tool_name, _safe_copy(parameters)], sort_keys=True, default=repr)


def _safe_copy(value: Any) -> Any:
    """Return what is durable of a value; its text where nothing is."""
    try:
        return durable_form(value)
    except ValueError:
        return repr(value)


def _safe_result(answer: Any) -> ToolResult | Exception:
    try:
        return answer if isinstance(answer, ToolResult) else as_result(answer)
    except Exception as error:  # noqa: BLE001 - it is legacy's to judge; here it is an answer
        return error
