"""Tools: what the engine calls, and what a tool declares about its effects."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import CoroutineType
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.errors import UnknownToolError
from engine.plan import Compensation
from engine.trusted import construct


class EffectSemantics(StrEnum):
    """What a second call of a tool would do; decides how a crash in a call is recovered.

    `read_only`: nothing. `keyed`: the callee deduplicates on the idempotency key. `queryable`: a
    lookup tells whether the effect happened. `unkeyed`: it would happen twice; called again all
    the same. `at_most_once`: it would happen twice and must not; the step becomes `in_doubt`.
    """

    READ_ONLY = "read_only"
    KEYED = "keyed"
    QUERYABLE = "queryable"
    UNKEYED = "unkeyed"
    AT_MOST_ONCE = "at_most_once"


class _ToolRecord(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolCall(_ToolRecord):
    """One call: the same `idempotency_key` on every attempt at the same work.

    Attributes:
        timeout_ms: what the plan allows the tool, in milliseconds; the tool keeps to it.
        attempt: from 1.
    """

    execution_id: str
    step_id: str
    tool_name: str
    parameters: dict[str, Any]
    timeout_ms: int
    idempotency_key: str
    attempt: int


class ToolResult(_ToolRecord):
    """What a tool answers. `has_output` tells a missing output from null."""

    success: bool
    output: Any = None
    has_output: bool = True
    error: str = ""
    compensation: Compensation | None = None

    @classmethod
    def ok(cls, output: Any = None, *, compensation: Compensation | None = None) -> "ToolResult":
        """Return a success."""
        if compensation is None:
            return construct(cls, {"success": True, "output": output})
        return cls(success=True, output=output, compensation=compensation)

    @classmethod
    def failed(cls, error: str) -> "ToolResult":
        """Return a failure with its message."""
        return cls(success=False, has_output=False, error=error)


class ToolExecutor(Protocol):
    """Whatever carries calls out. An exception counts as a failure of the step."""

    async def execute(self, call: ToolCall, /) -> ToolResult:
        """Carry out one call; a cancelled call should stop and let the cancellation through."""


@dataclass(frozen=True, slots=True)
class ParameterFault:
    """What is wrong with one parameter."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """What is known of a tool.

    Attributes:
        aliases: accepted name -> primary name, applied in this order.
        schema: pydantic model of the parameters.
        compensation: builds the undoing call from the parameters sent and the output received.
        lookup: for `queryable`: returns the earlier result of an idempotency key, or None.
    """

    name: str
    effects: EffectSemantics = EffectSemantics.UNKEYED
    aliases: Mapping[str, str] = field(default_factory=dict)
    schema: type[BaseModel] | None = None
    compensation: Callable[[Mapping[str, Any], Any], Compensation | None] | None = None
    lookup: Callable[[str], Awaitable[ToolResult | None]] | None = None


@runtime_checkable
class ToolCatalog(Protocol):
    """Where definitions of tools are found."""

    def definition(self, tool_name: str) -> ToolDefinition | None:
        """Return the definition, or None for a tool of which nothing is known."""


@runtime_checkable
class ParameterValidator(Protocol):
    """Checks parameters before a call."""

    def validate(self, tool_name: str, parameters: Mapping[str, Any]) -> Sequence[ParameterFault]:
        """Return what is wrong; empty when nothing is."""


def as_catalog(tools: object) -> ToolCatalog | None:
    """Return `tools` if it is a catalog too: what `isinstance` says, at a tenth of its price."""
    return cast("ToolCatalog", tools) if _has(tools, "definition") else None


def as_validator(tools: object) -> ParameterValidator | None:
    """Return `tools` if it is a validator too; see `as_catalog`."""
    return cast("ParameterValidator", tools) if _has(tools, "validate") else None


def _has(tools: object, method: str) -> bool:
    return getattr(tools, method, None) is not None


_Tool = TypeVar("_Tool", bound=Callable[..., Any])


class ToolRegistry:
    """Executor, catalog and validator in one, filled by decorator.

    >>> registry = ToolRegistry()
    >>> @registry.tool(effects=EffectSemantics.READ_ONLY)
    ... async def greet(name: str) -> str:
    ...     return f"hello {name}"
    """

    def __init__(self) -> None:
        """Start empty."""
        self._functions: dict[str, Callable[..., Any]] = {}
        self._definitions: dict[str, ToolDefinition] = {}
        self._wanting_the_call: set[str] = set()

    def tool(
        self,
        name: str | None = None,
        *,
        effects: EffectSemantics = EffectSemantics.UNKEYED,
        aliases: Mapping[str, str] | None = None,
        schema: type[BaseModel] | None = None,
        compensation: Callable[[Mapping[str, Any], Any], Compensation | None] | None = None,
        lookup: Callable[[str], Awaitable[ToolResult | None]] | None = None,
    ) -> Callable[[_Tool], _Tool]:
        """Register the decorated function under `name`, else under its own name.

        The function takes the parameters as keywords; one that names a parameter `call` gets the
        `ToolCall` too. It returns its output, or a `ToolResult`.

        Raises:
            ValueError: the name is taken, or a queryable tool has no lookup.
        """

        def register(function: _Tool) -> _Tool:
            tool_name = name or function.__name__
            if tool_name in self._functions:
                raise ValueError(f"a tool named {tool_name!r} is registered already")
            if effects is EffectSemantics.QUERYABLE and lookup is None:
                raise ValueError(f"tool {tool_name!r} is queryable and needs a lookup")
            self._functions[tool_name] = function
            if "call" in inspect.signature(function).parameters:
                self._wanting_the_call.add(tool_name)
            self._definitions[tool_name] = ToolDefinition(
                name=tool_name,
                effects=effects,
                aliases=dict(aliases or {}),
                schema=schema,
                compensation=compensation,
                lookup=lookup,
            )
            return function

        return register

    def definition(self, tool_name: str) -> ToolDefinition | None:
        """Return the definition of a registered tool."""
        return self._definitions.get(tool_name)

    def validate(self, tool_name: str, parameters: Mapping[str, Any]) -> Sequence[ParameterFault]:
        """Check `parameters` against the tool's schema."""
        definition = self._definitions.get(tool_name)
        if definition is None:
            return [ParameterFault("tool", f"Unknown tool: {tool_name}")]
        if definition.schema is None:
            return []
        try:
            definition.schema.model_validate(dict(parameters))
        except ValidationError as error:
            return [
                ParameterFault(".".join(map(str, fault["loc"])), fault["msg"])
                for fault in error.errors(include_url=False)
            ]
        return []

    async def execute(self, call: ToolCall, /) -> ToolResult:
        """Call the registered function.

        Raises:
            UnknownToolError: nothing is registered under the name.
        """
        function = self._functions.get(call.tool_name)
        if function is None:
            raise UnknownToolError(f"no tool is registered as {call.tool_name!r}")
        arguments: dict[str, Any] = dict(call.parameters)
        if call.tool_name in self._wanting_the_call:
            arguments["call"] = call
        answer: Any = function(**arguments)
        if type(answer) is CoroutineType or inspect.isawaitable(answer):
            answer = await answer
        return answer if isinstance(answer, ToolResult) else ToolResult.ok(answer)
