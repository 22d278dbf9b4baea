"""Adapters for code that was written against the segment executor.

Its tools take `(tool_name, parameters, timeout_ms, signal)` where this engine's take one `ToolCall`,
and it bundles its store, clock and model in one environment. A migrated consumer keeps both as
they are; new code needs none of this.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from engine.abort import AbortController, AbortSignal
from engine.clock import Clock
from engine.error_recovery import ModelErrorRecovery
from engine.errors import ExecutionNotFoundError
from engine.plan import Compensation
from engine.store import Store
from engine.tools import ToolCall, ToolDefinition, ToolExecutor, ToolResult
from engine.types.execution import ExecutionState

# The kind of model that recoveries are asked of.
_MODEL_TYPE = "planning"

ABORT_GRACE_S: Final = 1.0
"""What a tool that listens to its signal gets to end by itself before it is cancelled as well."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a positional tool returned. `compensation` is `{"toolName": ..., "parameters": ...}`."""

    success: bool
    has_output: bool = False
    output: Any = None
    error: str | None = None
    compensation: Mapping[str, Any] | None = None


class PositionalTools(Protocol):
    """Carries out tool calls given by position. It may raise."""

    async def execute(
        self,
        tool_name: str,
        parameters: Any,
        timeout_ms: int | None = None,
        signal: AbortSignal | None = None,
    ) -> Any:
        """Call a tool; the answer has the fields of `ToolAnswer`.

        `signal` is aborted when the engine cancels the call. A tool that listens to it gets a
        second to end by itself; one that does not is cancelled at once.
        """


@dataclass(frozen=True, slots=True)
class RunEnvironment:
    """Everything of the outside world that one worker works with.

    Attributes:
        redis: a `redis.asyncio` client.
        clock: the time.
        realtime: kept for the consumer; the engine writes its events to the outbox instead.
        model: has `async generate(model_type, prompt)`; asked about server errors of tools.
        validator: has `async validate(tool_name, parameters)` returning faults.
        definitions: has `parameter_aliases(tool_name)`.
    """

    redis: Any
    clock: Clock
    realtime: Any = None
    model: Any = None
    validator: Any = None
    definitions: Any = None


@dataclass(frozen=True, slots=True)
class _Aliases:
    definitions: Any

    def definition(self, tool_name: str) -> ToolDefinition | None:
        """Return the aliases as a definition."""
        return ToolDefinition(name=tool_name, aliases=self.definitions.parameter_aliases(tool_name))


@dataclass(frozen=True, slots=True)
class _Adapted:
    tools: PositionalTools
    environment: Any = field(default=None)

    async def execute(self, call: ToolCall, /) -> ToolResult:
        """Validate, call by position, and read the answer."""
        validator = getattr(self.environment, "validator", None)
        if validator is not None:
            faults = await validator.validate(call.tool_name, call.parameters)
            if faults:
                listed = "; ".join(f"{fault.path}: {fault.message}" for fault in faults)
                return ToolResult.failed(f"Invalid parameters: {listed}")
        answer = await self._call(call)
        return answer if isinstance(answer, ToolResult) else as_result(answer)

    async def _call(self, call: ToolCall) -> Any:
        """Call with a signal. What a tool answers after the abort is heard all the same."""
        controller = AbortController()
        work = asyncio.ensure_future(
            self.tools.execute(call.tool_name, call.parameters, call.timeout_ms, controller.signal)
        )
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if not work.done():
                await _abort(work, controller)
            return await work


def adapt_tools(tools: PositionalTools, environment: Any | None = None) -> ToolExecutor:
    """Return an executor of this engine that calls `tools` by position.

    The environment's validator, where there is one, is asked before each call; what it refuses
    fails as `TOOL_VALIDATION_FAILED`. A call that takes too long has its signal aborted.
    """
    return _Adapted(tools, environment)


def workflow_options(environment: Any) -> dict[str, Any]:
    """Return the keyword arguments of `WorkflowMachine` that an environment stands for.

    Its `redis` becomes the store and its `model` the error recovery. The store does not close the
    client, which stays the caller's.
    """
    options: dict[str, Any] = {"store": _store(environment), "clock": environment.clock}
    model = getattr(environment, "model", None)
    if model is not None:
        options["recovery"] = ModelErrorRecovery(
            lambda prompt: model.generate(_MODEL_TYPE, prompt),
        )
    definitions = getattr(environment, "definitions", None)
    if definitions is not None:
        options["catalog"] = _Aliases(definitions)
    return options


async def load_state(execution_id: str, environment: Any) -> ExecutionState | None:
    """Return what is durable of an execution, None if there is none.

    Raises:
        engine.errors.StoreUnavailableError: the store failed.
    """
    try:
        return await _store(environment).load(execution_id)
    except ExecutionNotFoundError:
        return None


def _store(environment: Any) -> Store:
    from engine.redis_store import RedisStore  # noqa: PLC0415 - the client is slow to import

    return RedisStore(environment.redis, clock=environment.clock)


async def _abort(work: "asyncio.Future[Any]", controller: AbortController) -> None:
    """Tell the tool, then cancel it; whoever listens is told first and waited for."""
    is_heeded = controller.signal.is_heeded
    try:
        controller.abort()
        if is_heeded:
            await asyncio.wait({work}, timeout=ABORT_GRACE_S)
    finally:
        work.cancel()


def as_result(answer: Any) -> ToolResult:
    """Return a positional tool's answer as this engine's."""
    if not answer.success:
        return ToolResult.failed(answer.error or "")
    undo = answer.compensation
    return ToolResult(
        success=True,
        output=answer.output,
        has_output=answer.has_output,
        compensation=Compensation(
            tool_name=undo["toolName"], parameters=dict(undo.get("parameters") or {})
        )
        if undo
        else None,
    )
