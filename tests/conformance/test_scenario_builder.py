import json

import pytest

from conformance.errors import UsageError
from conformance.plan_fault import plan_fault
from conformance.scenario import parse_scenario
from conformance.scenario_builder import (
    PlanBuilder,
    ScenarioBuilder,
    advance,
    derived_id,
    execute,
    fails,
    format_document,
    patch_state,
    raises,
    reference,
    resume,
    run,
    step_id,
    succeeds,
)


def test_a_plan_is_sound_and_its_ids_come_from_its_names():
    plan = PlanBuilder("p").step("a").step("b", tool="pay", after=["a"]).document()
    assert plan_fault(plan) is None
    assert plan == PlanBuilder("p").step("a").step("b", tool="pay", after=["a"]).document()
    assert [step["id"] for step in plan["steps"]] == [step_id("a"), step_id("b")]
    assert plan["steps"][1]["dependencies"] == [step_id("a")]
    assert plan["steps"][1]["tool_name"] == "pay"
    assert plan["id"] != PlanBuilder("q").document()["id"]


def test_ids_are_fixed_for_ever():
    assert step_id("a") == "96780f95-1561-53ef-b30d-4d6355a3eb56"
    assert derived_id("execution", "x") != derived_id("plan", "x")
    assert reference("a", "b.c") == f"${step_id('a')}.b.c"


def test_numbers_are_positions_until_the_list_order_is_changed():
    plan = PlanBuilder("p").step("a").step("b", after=["a"]).listed("b", "a").document()
    assert [step["step_number"] for step in plan["steps"]] == [1, 0]
    assert plan_fault(plan) is None


def test_an_order_must_name_every_step():
    with pytest.raises(ValueError, match="each of"):
        PlanBuilder("p").step("a").step("b").listed("b")


def test_fields_of_a_step_can_be_replaced_and_left_out():
    builder = PlanBuilder("p").step("a", without=["timeout_ms"], description="", number=4)
    (step,) = builder.document()["steps"]
    assert "timeout_ms" not in step
    assert (step["description"], step["step_number"]) == ("", 4)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (succeeds(), {"success": True, "output": {}, "latency_ms": 10}),
        (succeeds([1], latency_ms=5), {"success": True, "output": [1], "latency_ms": 5}),
        (succeeds(has_output=False), {"success": True, "latency_ms": 10}),
        (
            succeeds(undo="u", undo_parameters={"x": 1}, ignore_abort=True),
            {
                "success": True,
                "output": {},
                "latency_ms": 10,
                "compensation": {"toolName": "u", "parameters": {"x": 1}},
                "ignore_abort": True,
            },
        ),
        (fails("no"), {"success": False, "error": "no", "latency_ms": 10}),
        (raises("boom", latency_ms=1), {"raise": "boom", "latency_ms": 1}),
    ],
)
def test_outcomes(outcome, expected):
    assert outcome == expected


def test_a_scenario_with_everything_survives_the_format():
    builder = (
        ScenarioBuilder("everything", "It has everything.", tags=["x"])
        .chain("a", "b")
        .tool("a", succeeds({"v": 1}), fails("no"), aliases={"n": "number"})
        .latencies(b=7000)
        .intent()
        .idempotent()
        .llm("prose", {"raise": "quota"})
        .invalid("b", x="Required")
        .fault("setex", "task_state", nth=2)
        .fault("sign", "ExecutionStepUpdate", nth=1, times=3)
        .drive(
            execute(crash_after_ms=5),
            patch_state(status="PLANNED"),
            advance(10),
            resume(),
            run(assist=True),
        )
    )
    scenario = builder.build()
    assert scenario.document() == builder.document()
    assert scenario.intent is not None
    assert scenario.intent["id"] == scenario.plan["intent_id"]
    assert scenario.faults[0].key_kind == "task_state"
    assert scenario.faults[1].event == "ExecutionStepUpdate"
    assert [operation.op for operation in scenario.driver] == [
        "execute", "patch_state", "advance", "resume", "run",
    ]  # fmt: skip
    assert parse_scenario(json.loads(format_document(builder.document())), "x") == scenario


def test_what_is_no_scenario_is_refused_when_built():
    with pytest.raises(UsageError, match="crash_after_write"):
        ScenarioBuilder("bad").step("a").drive(execute(crash_after_write=0)).build()


def test_the_layout_keeps_short_records_on_one_line():
    document = {"name": "x", "short": {"a": [1, 2]}, "long": ["w" * 60, {"k": "v" * 50}], "no": []}
    text = format_document(document)
    assert json.loads(text) == document
    assert text.splitlines() == [
        "{",
        '  "name": "x",',
        '  "short": {"a": [1, 2]},',
        '  "long": [',
        f'    "{"w" * 60}",',
        f'    {{"k": "{"v" * 50}"}}',
        "  ],",
        '  "no": []',
        "}",
    ]
    assert all(len(line) <= 100 for line in text.splitlines())
