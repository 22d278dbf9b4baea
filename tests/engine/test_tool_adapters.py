"""Without these a migrated consumer's tools, store and validator could be ignored in silence."""

from dataclasses import dataclass
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from chaos.virtual_time import VirtualClock, run_virtual
from engine import (
    ExecutionStatus,
    ParameterFault,
    RunEnvironment,
    ToolAnswer,
    WorkflowMachine,
    adapt_tools,
    execute_workflow,
    load_state,
    workflow_options,
)
from tests.engine.lab import plan_of, step


@dataclass
class Positional:
    answer: Any
    seen: Any = None

    async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
        self.seen = (tool_name, parameters, timeout_ms, signal)
        return self.answer


@dataclass
class Validator:
    faults: Any

    async def validate(self, tool_name, parameters):
        return self.faults


class Definitions:
    def parameter_aliases(self, tool_name):
        return {"seats": "party"} if tool_name == "seat" else {}


def run(tools, plan, **parts):
    clock = VirtualClock()

    async def main():
        env = RunEnvironment(redis=FakeAsyncRedis(server=FakeServer()), clock=clock, **parts)
        before = await load_state("x", env)
        result = await execute_workflow(
            plan,
            adapt_tools(tools, env),
            execution_id="x",
            resume=False,
            **workflow_options(env),
        )
        again = await WorkflowMachine.resume("x", adapt_tools(tools, env), **workflow_options(env))
        return before, result, again, await load_state("x", env)

    return run_virtual(main, clock)


def test_positional_tools_run_on_the_store_of_the_environment() -> None:
    tools = Positional(ToolAnswer(success=True, has_output=True, output={"n": 1}))
    plan = plan_of(step("seat", parameters={"seats": 2}))
    before, result, again, state = run(tools, plan, definitions=Definitions())
    assert before is None and state.status is ExecutionStatus.COMPLETED
    assert result.success and again.success and result.steps[0].output == {"n": 1}
    *arguments, signal = tools.seen
    assert arguments == ["seat", {"seats": 2, "party": 2}, 30_000] and not signal.aborted


def test_a_refusal_of_the_validator_fails_the_step_without_a_call() -> None:
    tools = Positional(None)
    _, result, _, _ = run(
        tools, plan_of(step("seat")), validator=Validator([ParameterFault("party", "missing")])
    )
    assert tools.seen is None and not result.success
    assert result.steps[0].error.code == "TOOL_VALIDATION_FAILED"
    assert "party: missing" in result.steps[0].error.message


@pytest.mark.parametrize("error", ["out of stock", None])
def test_a_failure_keeps_its_message(error) -> None:
    _, result, _, _ = run(Positional(ToolAnswer(success=False, error=error)), plan_of(step("a")))
    expected = error or "Unknown tool execution error"
    assert result.steps[0].error.message == expected


def test_a_compensation_is_run_when_a_later_step_fails() -> None:
    undone = []

    class Tools:
        async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
            if tool_name == "undo":
                undone.append(parameters)
                return ToolAnswer(success=True)
            if tool_name == "fail":
                return ToolAnswer(success=False, error="no")
            back = {"toolName": "undo", "parameters": {"ticket": 7}}
            return ToolAnswer(success=True, compensation=back)

    _, result, _, _ = run(Tools(), plan_of(step("hold"), step("fail", "hold")))
    assert undone == [{"ticket": 7}] and result.compensated_steps == ("hold",)
