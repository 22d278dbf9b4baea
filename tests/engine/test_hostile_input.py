"""Without these what a planner, a tool or a stranger writes could run, spread, or stop the engine."""

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest

import engine
from engine import (
    AlternativeParameters,
    CallAgain,
    ExecutionStatus,
    FailoverPolicy,
    FailoverRule,
    References,
    ToolResult,
    WorkflowMachine,
)
from engine.errors import InvalidExecutionIdError, InvalidPlanError
from engine.limits import MAX_EXECUTION_ID_CHARS, MAX_PLAN_BYTES, MAX_VALUE_BYTES
from engine.plan import Plan, parse_plan
from engine.states import StepStatus
from engine.types.execution import ExecutionResult
from tests.engine.lab import WORKER, Lab, Script, plan_of, step

FAILED = ToolResult.failed("status 500")


def execute(lab: Lab, plan: Plan, **options: Any) -> ExecutionResult:
    options.setdefault("settings", WORKER)
    return lab.run(lambda: lab.machine(plan, **options).execute())


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


# --- text that looks like something else ---------------------------------------------------------

LOOKALIKES = [
    "$a",
    "$a.",
    "$.a",
    "$",
    "$ghost.x",
    "$a.ghost",
    "$a.__class__",
    "$a.__class__.__mro__",
    "$a.text.upper",
    "$a.items",
    "$a.list.-1",
    "$a.list.01",
    "$a.list.999999999999999999999999",
    "$a.list.__len__",
    "$$a.text",
    "${a.text}",
    "{{a.text}}",
    "{a.text}",
    "%(a)s",
    "{0.__class__}",
    "#{a.text}",
    "<%= a %>",
    "$a.text' .. redis.call('FLUSHALL') .. '",
    "{planproof:00}:run:x",
    "\x00$a.text",
    "$9.99",
]


@pytest.mark.parametrize("text", LOOKALIKES)
@pytest.mark.parametrize("references", References)
def test_text_that_is_no_reference_stays_text(text: str, references: References) -> None:
    lab = Lab()
    lab.tools.scripts["a"] = Script([ToolResult.ok({"text": "value", "list": [1]})])
    plan = plan_of(step("a"), step("b", "a", parameters={"p": text, "deep": [{"q": text}]}))
    settings = WORKER.model_copy(update={"references": references})
    result = execute(lab, plan, settings=settings)
    if result.success:
        assert lab.tools.calls[-1].parameters == {"p": text, "deep": [{"q": text}]}
    else:  # strict references to a step of the plan must have a value
        assert references is References.STRICT and text.startswith("$a.")
        error = result.steps[1].error
        assert error is not None and error.code == "UNRESOLVABLE_REFERENCE"
        assert lab.tools.names == ["a"]


@pytest.mark.parametrize("references", References)
def test_what_a_tool_returned_is_never_resolved_again(references: References) -> None:
    """A page that a tool has fetched must not read what other steps returned."""
    lab = Lab()
    lab.tools.scripts["secret"] = Script([ToolResult.ok({"key": "s3cr3t"})])
    lab.tools.scripts["fetch"] = Script([ToolResult.ok({"page": "$secret.key"})])
    undo = {"tool_name": "undo", "parameters": {"page": "$post.page"}}
    lab.tools.scripts["post"] = Script([ToolResult.ok({"page": "$secret.key"})])
    lab.tools.scripts["fails"] = Script([FAILED])
    plan = plan_of(
        step("secret"),
        step("fetch"),
        step("post", "secret", "fetch", parameters={"text": "$fetch.page"}, compensation=undo),
        step("fails", "post"),
    )
    execute(lab, plan, settings=WORKER.model_copy(update={"references": references}))
    sent = [call.parameters for call in lab.tools.calls if call.tool_name in ("post", "undo")]
    assert sent == [{"text": "$secret.key"}, {"page": "$secret.key"}]


NAMES = [
    "__proto__",
    "constructor",
    "__class__",
    "__dict__",
    "prototype",
    "self",
    "call",
    "",
    "$a.b",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_mean_something_elsewhere_are_names(name: str) -> None:
    lab = Lab()
    value = {name: {name: [name]}}
    lab.tools.scripts["a"] = Script([ToolResult.ok(value)])
    plan = plan_of(step("a", parameters=value), step("b", "a", parameters={name: f"$a.{name}"}))
    result = execute(lab, plan)
    assert result.success and result.steps[0].output == value
    assert lab.tools.calls[0].parameters == value
    if name and "." not in name:
        assert lab.tools.calls[1].parameters == {name: {name: [name]}}
    assert lab.run(lambda: lab.machine().get_state()).steps[0].output == value


# --- sizes ---------------------------------------------------------------------------------------


def test_a_plan_beyond_the_limit_is_refused_before_anything_is_written() -> None:
    lab = Lab()
    large = step("a", parameters={"x": "y" * 10_000})
    steps = [{**large, "id": f"s{at}"} for at in range(MAX_PLAN_BYTES // 10_000)]
    with pytest.raises(InvalidPlanError, match=str(MAX_PLAN_BYTES)) as caught:
        lab.machine({"id": "p", "steps": steps})
    assert (caught.value.code, caught.value.path) == ("INVALID_PLAN", "plan")


def test_one_value_beyond_the_limit_is_refused_with_its_path() -> None:
    with pytest.raises(InvalidPlanError) as caught:
        parse_plan({"id": "p", "steps": [step("a", parameters={"x": "y" * MAX_VALUE_BYTES})]})
    assert caught.value.path == "plan.steps[0].parameters"


def test_an_output_beyond_the_limit_fails_its_step_and_is_undone() -> None:
    lab = Lab()
    lab.tools.scripts["a"] = Script([ToolResult.ok("y" * MAX_VALUE_BYTES)])
    result = execute(lab, plan_of(step("a", compensation={"tool_name": "undo"}), step("b", "a")))
    error = result.steps[0].error
    assert error is not None and error.code == "PAYLOAD_TOO_LARGE"
    assert (result.status, lab.tools.names) == (ExecutionStatus.COMPENSATED, ["a", "undo"])


def test_references_cannot_grow_parameters_beyond_the_limit() -> None:
    lab = Lab()
    lab.tools.scripts["a"] = Script([ToolResult.ok({"x": "y" * (MAX_VALUE_BYTES // 2)})])
    many = {f"p{at}": "$a.x" for at in range(3)}
    result = execute(lab, plan_of(step("a"), step("b", "a", parameters=many)))
    error = result.steps[1].error
    assert error is not None and error.code == "PAYLOAD_TOO_LARGE"
    assert lab.tools.names == ["a"]


@pytest.mark.parametrize("depth", [300, 5_000, 100_000])
@pytest.mark.parametrize("where", ["parameters", "metadata", "compensation"])
def test_deep_nesting_is_refused_by_its_path(where: str, depth: int) -> None:
    deep = {"x": nested(depth)}
    document: dict[str, Any] = {"id": "p", "steps": [step("a")]}
    if where == "metadata":
        document["metadata"] = deep
    elif where == "parameters":
        document["steps"][0]["parameters"] = deep
    else:
        document["steps"][0]["compensation"] = {"tool_name": "undo", "parameters": deep}
    with pytest.raises(InvalidPlanError) as caught:
        parse_plan(document)
    assert where in caught.value.path


@pytest.mark.parametrize(
    "odd", [object(), nested(5_000), "\ud800", "y" * MAX_VALUE_BYTES], ids=type
)
@pytest.mark.parametrize("way", ["recovery", "failover"])
def test_parameters_that_a_rescue_asks_for_are_checked_like_all_others(way: str, odd: Any) -> None:
    lab = Lab()

    async def recovery(_failed: Any, /) -> CallAgain:
        return CallAgain({"x": odd})

    options: dict[str, Any] = {"recovery": recovery}
    if way == "failover":
        options = {"failover": FailoverPolicy((FailoverRule(AlternativeParameters({"x": odd})),))}
    lab.tools.scripts["a"] = Script([FAILED])
    result = execute(lab, plan_of(step("a")), **options)
    error = result.steps[0].error
    assert result.status is ExecutionStatus.FAILED and error is not None
    assert error.code in ("VALIDATION_FAILED", "PAYLOAD_TOO_LARGE")
    assert lab.tools.count("a") == 1


# --- ids -----------------------------------------------------------------------------------------

IDS = [
    "a:b",
    ":",
    "a",
    "a:run:b",
    "{x}",
    "}{",
    "a}:run:{b",
    "{planproof:00}:run:a",
    "due",
    "*",
    "a b\n\r\t",
    "\x00",
    "é\u2028\U0001f600",
    "'; redis.call('FLUSHALL') --",
    "a" * MAX_EXECUTION_ID_CHARS,
]


def test_executions_of_any_id_keep_apart() -> None:
    lab = Lab()
    plans = {name: plan_of(step(f"s{at}", tool="work")) for at, name in enumerate(IDS)}

    async def main() -> None:
        await asyncio.gather(
            *(lab.machine(plan, execution_id=name).execute() for name, plan in plans.items())
        )
        store = lab.store()
        for name, plan in plans.items():
            state = await store.load(name)
            assert (state.plan, state.status) == (plan, ExecutionStatus.COMPLETED)
            assert {event.execution_id for event in await store.events(name)} == {name}
        keys = [key for name in IDS for key in store._keys(name)[:4]]
        assert len(set(keys)) == len(keys)
        tags = {key[: key.index("}") + 1] for key in keys}
        assert all(tag.startswith("{planproof:") and len(tag) == 14 for tag in tags)

    lab.run(main)
    keys = [call.idempotency_key for call in lab.tools.calls]
    assert len(set(keys)) == len(IDS)


@pytest.mark.parametrize("name", ["", "\ud800", "a" * (MAX_EXECUTION_ID_CHARS + 1)], ids=len)
def test_what_can_be_no_part_of_a_key_is_refused(name: str) -> None:
    lab = Lab()

    async def main() -> None:
        machine = lab.machine(plan_of(step("a")), execution_id=name)
        for attempt in (machine.execute, machine.get_state, lambda: machine.cancel("why")):
            with pytest.raises(InvalidExecutionIdError) as caught:
                await attempt()
            assert (caught.value.code, caught.value.retriable) == ("INVALID_EXECUTION_ID", False)

    lab.run(main)
    assert lab.tools.calls == []


@pytest.mark.parametrize(
    "name", ["a:b", "a.b", "a\n", "", "é", "{a}", "!0", "a" * 129, "__proto__."]
)
def test_ids_of_steps_hold_nothing_that_separates(name: str) -> None:
    with pytest.raises(InvalidPlanError) as caught:
        parse_plan({"id": "p", "steps": [step(name)]})
    assert caught.value.path == "plan.steps[0].id"


@pytest.mark.parametrize("field", ["tool_name", "description"])
def test_half_characters_are_refused_before_anything_is_written(field: str) -> None:
    with pytest.raises(InvalidPlanError):
        parse_plan({"id": "p", "steps": [{**step("a"), field: "\ud800"}]})


def test_a_reason_may_be_any_text() -> None:
    lab = Lab()

    async def main() -> ExecutionResult:
        plan = plan_of(step("a", requires_confirmation=True))
        await lab.machine(plan).execute()
        assert await lab.machine().cancel("half \ud800\x00")
        return await lab.machine().execute()

    result = lab.run(main)
    assert result.status is ExecutionStatus.CANCELLED
    assert result.error is not None and result.error.message == "half ?\x00"


# --- code ----------------------------------------------------------------------------------------


def test_nothing_stored_or_given_is_ever_run() -> None:
    banned = {"pickle", "marshal", "shelve", "dill", "yaml"}
    paths = sorted(Path(engine.__file__).parent.rglob("*.py"))
    assert len(paths) > 30
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert not banned & {alias.name.split(".")[0] for alias in node.names}, path
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in banned, path
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, path


def test_a_tool_that_answers_with_an_impostor_fails() -> None:
    class Impostor(dict[str, Any]):
        success = True
        output = "taken"

    class Executor:
        async def execute(self, _call: Any, /) -> Any:
            return Impostor()

    lab = Lab()
    machine = WorkflowMachine("impostor", Executor(), store=lab.store(), clock=lab.clock)
    machine.set_plan(plan_of(step("a")))
    result = lab.run(machine.execute)
    assert result.steps[0].status is StepStatus.FAILED
