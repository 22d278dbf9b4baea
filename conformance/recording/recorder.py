"""Records plans and tool outcomes where executions run; nothing that is recorded can fail them.

`recording/v1`, one JSON object a line, by `event`: `execution` (the plan), `call` (before a tool is
called), `answer` (what it did; or `missing` and why it is not known), `end` (what the execution
came to). A call without its answer is one whose outcome nobody knows.
"""

import asyncio
import inspect
import logging
import os
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conformance.recording.line_file import LineFile
from conformance.recording.redaction import Redaction, UnrecordableError, clean_plan
from engine.clock import Clock, SystemClock
from engine.plan import Plan
from engine.tools import ToolCall

SCHEMA: Final = "recording/v1"
_LOG = logging.getLogger("planproof.recording")


class Recorder:
    """Appends what executions do to one file. Several processes may use the same file."""

    def __init__(
        self,
        path: str | Path,
        *,
        redaction: Redaction | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Name the file.

        Args:
            path: where lines are appended.
            redaction: what may be written; the default replaces the values of common secret keys.
            clock: what latencies are measured by.
        """
        self.file = LineFile(path)
        self.redaction = redaction or Redaction()
        self.clock: Clock = clock or SystemClock()
        self._writer = uuid.uuid4().hex[:12]
        self._calls = 0

    def execution(
        self,
        execution_id: str,
        plan: Plan | Mapping[str, Any] | None = None,
        *,
        executor: str = "legacy",
        intent: Mapping[str, Any] | None = None,
    ) -> "RecordedExecution":
        """Begin to record an execution, or go on with it in another process without its `plan`.

        Args:
            execution_id: whose it is.
            plan: as the executor is given it.
            executor: `legacy` or `unified`: what carries it out.
            intent: as the executor is given it.
        """
        found = RecordedExecution(self, execution_id)
        if plan is not None:
            found.begin(plan, executor, intent)
        return found

    def next_call(self) -> str:
        """Return the id of the next call, unique among all processes."""
        self._calls += 1
        return f"{self._writer}-{os.getpid()}-{self._calls}"


@dataclass(slots=True)
class RecordedExecution:
    """One execution under recording."""

    recorder: Recorder
    execution_id: str

    def tools(self, tools: Any) -> "RecordingTools":
        """Return `tools` under recording, in the shape and with all the abilities that they have."""
        kind = {
            (False, False): RecordingTools,
            (True, False): _WithDefinitions,
            (False, True): _WithValidation,
            (True, True): _WithBoth,
        }[hasattr(tools, "definition"), hasattr(tools, "validate")]
        return kind(tools, self)

    def begin(
        self, plan: Plan | Mapping[str, Any], executor: str, intent: Mapping[str, Any] | None
    ) -> None:
        """Write the plan down."""

        def line(marks: set[str]) -> dict[str, Any]:
            whole = plan.model_dump(mode="json") if isinstance(plan, Plan) else plan
            return {
                "executor": executor,
                "at_ms": self.recorder.clock.now_ms(),
                "plan": clean_plan(self.recorder.redaction, whole, marks),
                "intent": None if intent is None else self._clean(intent, "intent", marks),
            }

        self.write("execution", line)

    def ended(self, result: Any) -> None:
        """Write down what a call of the executor returned: `ExecutionResult`, or a segment's."""

        def line(_marks: set[str]) -> dict[str, Any]:
            state = getattr(result, "state", None)
            steps = result.steps if state is None else state.step_states
            return {
                "success": bool(result.success),
                "is_partial": bool(result.is_partial),
                "steps": {
                    getattr(step, "step_id", None) or step.id: str(step.status) for step in steps
                },
            }

        self.write("end", line)

    def write(self, event: str, line: Callable[[set[str]], dict[str, Any]], **known: Any) -> None:
        """Write a line of `known` and of the fields that `line` returns; it is given where marks go.

        What cannot be written is said in the line instead, and nothing is raised.
        """
        head = {"schema": SCHEMA, "event": event, "execution_id": self.execution_id} | known
        marks: set[str] = set()
        try:
            fields = line(marks)
        except UnrecordableError as error:
            fields = {"missing": str(error)}
        except Exception as error:  # noqa: BLE001 - a recording must not fail an execution
            _LOG.exception("an event of %s could not be recorded", self.execution_id)
            fields = {"missing": type(error).__name__}
        if marks:
            fields["marks"] = sorted(marks)
        self.recorder.file.append(head | fields)

    def _clean(self, value: Any, path: str, marks: set[str]) -> Any:
        return self.recorder.redaction.clean(value, path, marks)


@dataclass(slots=True)
class RecordingTools:
    """Tools with every call and its outcome written down. They are called as they are.

    `execute` takes what the inner tools take: one `ToolCall`, or `(tool_name, parameters,
    timeout_ms, signal)`.
    """

    inner: Any
    execution: RecordedExecution

    async def execute(self, *arguments: Any, **named: Any) -> Any:
        """Call the tool; what it raises is recorded and raised."""
        first = arguments[0] if arguments else named.get("tool_name", named.get("call"))
        call = first if isinstance(first, ToolCall) else _positional(arguments, named)
        work = self._begun(call)
        return await work(lambda: self.inner.execute(*arguments, **named))

    def _begun(self, call: Any) -> Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]:
        execution = self.execution
        if isinstance(call, ToolCall) and call.execution_id != execution.execution_id:
            # One executor object may serve several executions.
            execution = RecordedExecution(execution.recorder, call.execution_id)
        clock, call_id = execution.recorder.clock, execution.recorder.next_call()
        execution.write("call", lambda marks: self._call_line(call, marks), call=call_id)

        async def carry_out(work: Callable[[], Awaitable[Any]]) -> Any:
            began_ms = clock.monotonic_ms()

            def note(outcome: Callable[[set[str]], dict[str, Any]]) -> None:
                latency_ms = max(0, round(clock.monotonic_ms() - began_ms))
                execution.write("answer", outcome, call=call_id, latency_ms=latency_ms)

            try:
                answer = await work()
            except asyncio.CancelledError:
                note(lambda _marks: {"cancelled": True})
                raise
            except Exception as error:
                message = str(error)
                note(lambda marks: {"outcome": {"raise": self._text(message, marks)}})
                raise
            note(lambda marks: {"outcome": self._outcome(call, answer, marks)})
            return answer

        return carry_out

    def _call_line(self, call: Any, marks: set[str]) -> dict[str, Any]:
        found: dict[str, Any] = {"tool": call.tool_name}
        aliases = self._aliases(call.tool_name)
        if aliases:
            found["aliases"] = aliases
        found["at_ms"] = self.execution.recorder.clock.now_ms()
        found["timeout_ms"] = call.timeout_ms
        try:
            found["parameters"] = self._clean(call.parameters, "parameters", marks)
        except UnrecordableError as error:
            found["missing"] = str(error)
        return found

    def _outcome(self, call: Any, answer: Any, marks: set[str]) -> dict[str, Any]:
        if not answer.success:
            return {"success": False, "error": self._text(answer.error or "", marks)}
        found: dict[str, Any] = {"success": True}
        if answer.has_output:
            found["output"] = self._clean(answer.output, "output", marks)
        undo = _undo(answer.compensation) or self._declared_undo(call, answer)
        if undo is not None:
            found["compensation"] = self._clean(undo, "compensation", marks)
        return found

    def _declared_undo(self, call: Any, answer: Any) -> dict[str, Any] | None:
        """Return the compensation that the tool's definition builds; the engine will do the same."""
        definition = getattr(self.inner, "definition", None)
        if not isinstance(call, ToolCall) or definition is None:
            return None
        known = definition(call.tool_name)
        if known is None or known.compensation is None:
            return None
        return _undo(known.compensation(call.parameters, answer.output))

    def _aliases(self, tool_name: str) -> dict[str, str]:
        try:
            if hasattr(self.inner, "parameter_aliases"):
                return dict(self.inner.parameter_aliases(tool_name))
            known = self.inner.definition(tool_name) if hasattr(self.inner, "definition") else None
            return {} if known is None else dict(known.aliases)
        except Exception:  # noqa: BLE001 - a recording must not fail an execution
            _LOG.exception("the aliases of %s could not be recorded", tool_name)
            return {}

    def _clean(self, value: Any, path: str, marks: set[str]) -> Any:
        return self.execution.recorder.redaction.clean(value, path, marks)

    def _text(self, value: str, marks: set[str]) -> Any:
        return self._clean(value, "error", marks)

    def __getattr__(self, name: str) -> Any:
        """Whatever else the tools can do."""
        return getattr(self.inner, name)


class _WithDefinitions(RecordingTools):
    """Stated and not delegated: the engine asks for these by protocol."""

    def definition(self, tool_name: str) -> Any:
        return self.inner.definition(tool_name)


class _WithValidation(RecordingTools):
    def validate(self, tool_name: str, parameters: Any) -> Any:
        return self.inner.validate(tool_name, parameters)


class _WithBoth(_WithDefinitions, _WithValidation):
    pass


@dataclass(frozen=True, slots=True)
class _Call:
    tool_name: str
    parameters: Any
    timeout_ms: int | None = None


def _positional(arguments: tuple[Any, ...], named: dict[str, Any]) -> _Call:
    def shape(
        tool_name: str, parameters: Any, timeout_ms: int | None = None, signal: Any = None
    ) -> None:
        """Name what is given by position."""

    bound = inspect.signature(shape).bind(*arguments, **named).arguments
    return _Call(bound["tool_name"], bound["parameters"], bound.get("timeout_ms"))


def _undo(compensation: Any) -> dict[str, Any] | None:
    """Return a compensation, of either shape, in the words of a scenario."""
    if not compensation:
        return None
    if isinstance(compensation, Mapping):
        return dict(compensation)
    return {
        "toolName": compensation.tool_name,
        "parameters": dict(compensation.parameters),
    }
