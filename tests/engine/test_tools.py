"""Without these a tool could be called with the wrong arguments, or declare what nobody checks."""

from typing import Any

import pytest
from pydantic import BaseModel

from engine import (
    Compensation,
    EffectSemantics,
    ParameterFault,
    ToolCall,
    ToolRegistry,
    ToolResult,
)
from engine.errors import UnknownToolError
from engine.tools import ParameterValidator, ToolCatalog
from tests.engine.lab import WORKER, Lab, plan_of, step


def call(tool: str, **parameters: Any) -> ToolCall:
    return ToolCall(
        execution_id="e",
        step_id="s",
        tool_name=tool,
        parameters=parameters,
        timeout_ms=1,
        idempotency_key="k",
        attempt=2,
    )


def answer(registry: ToolRegistry, made: ToolCall) -> ToolResult:
    return Lab().run(lambda: registry.execute(made))


def test_functions_of_every_kind_are_called_with_keywords() -> None:
    registry = ToolRegistry()

    @registry.tool()
    def plain(x: int) -> int:
        return x + 1

    @registry.tool("renamed")
    async def waits(x: int, call: ToolCall) -> tuple[int, int]:
        return x, call.attempt

    @registry.tool()
    def full() -> ToolResult:
        return ToolResult.failed("no")

    assert answer(registry, call("plain", x=1)) == ToolResult.ok(2)
    assert answer(registry, call("renamed", x=1)) == ToolResult.ok((1, 2))
    assert answer(registry, call("full")) == ToolResult.failed("no")
    assert plain(1) == 2  # the decorator gives the function back


def test_the_registry_is_executor_catalog_and_validator() -> None:
    registry = ToolRegistry()
    assert isinstance(registry, ToolCatalog) and isinstance(registry, ParameterValidator)
    assert registry.definition("ghost") is None


def test_unknown_tools_are_refused_before_and_in_the_call() -> None:
    registry = ToolRegistry()
    assert registry.validate("ghost", {}) == [ParameterFault("tool", "Unknown tool: ghost")]

    async def main() -> None:
        with pytest.raises(UnknownToolError, match="ghost"):
            await registry.execute(call("ghost"))

    Lab().run(main)


def test_a_name_is_taken_once_and_a_queryable_tool_needs_its_lookup() -> None:
    registry = ToolRegistry()
    registry.tool("a")(lambda: None)
    with pytest.raises(ValueError, match="'a' is registered already"):
        registry.tool("a")(lambda: None)
    with pytest.raises(ValueError, match="needs a lookup"):
        registry.tool("b", effects=EffectSemantics.QUERYABLE)(lambda: None)
    assert registry.definition("b") is None


def test_parameters_are_checked_against_the_schema() -> None:
    class Seat(BaseModel):
        row: int

    class Booking(BaseModel):
        seat: Seat
        note: str = ""

    registry = ToolRegistry()
    registry.tool("a", schema=Booking)(lambda **_: None)
    registry.tool("b")(lambda **_: None)
    assert registry.validate("a", {"seat": {"row": 1}, "more": 2}) == []
    faults = registry.validate("a", {"seat": {"row": "x"}, "note": 1})
    assert [fault.path for fault in faults] == ["seat.row", "note"]
    assert registry.validate("b", {"any": "thing"}) == []


def test_declarations_are_kept() -> None:
    registry = ToolRegistry()

    async def lookup(_key: str) -> None:
        return None

    def build(sent: Any, got: Any) -> Compensation:
        return Compensation(tool_name="undo")

    registry.tool(
        "a",
        effects=EffectSemantics.QUERYABLE,
        aliases={"x": "y"},
        compensation=build,
        lookup=lookup,
    )(lambda: None)
    found = registry.definition("a")
    assert found is not None
    assert (found.name, found.effects, found.aliases) == (
        "a",
        EffectSemantics.QUERYABLE,
        {"x": "y"},
    )
    assert (found.compensation, found.lookup) == (build, lookup)
    registry.tool("b")(lambda: None)
    other = registry.definition("b")
    assert other is not None and other.effects is EffectSemantics.UNKEYED


def test_a_failing_result_has_no_output_and_a_good_one_has_even_null() -> None:
    assert (ToolResult.ok().has_output, ToolResult.failed("x").has_output) == (True, False)


def test_a_machine_takes_everything_from_its_registry() -> None:
    lab, registry = Lab(), ToolRegistry()
    seen: list[int] = []

    class Number(BaseModel):
        n: int

    @registry.tool(schema=Number, aliases={"number": "n"})
    def note(n: int, number: int = 0) -> None:
        seen.append(n)

    lab.tools = registry  # type: ignore[assignment] # any executor will do
    plan = plan_of(
        step("a", tool="note", parameters={"number": 1}),
        step("b", "a", tool="note", parameters={"n": "x"}),
    )
    result = lab.run(lambda: lab.machine(plan, settings=WORKER).execute())
    assert seen == [1]
    error = result.steps[1].error
    assert error is not None and error.code == "VALIDATION_FAILED"
    lab = Lab()
    lab.tools = registry  # type: ignore[assignment] # any executor will do
    result = lab.run(lambda: lab.machine(plan_of(step("a", tool="ghost"))).execute())
    assert result.steps[0].error is not None and "Unknown tool" in result.steps[0].error.message
