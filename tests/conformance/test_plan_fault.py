"""What production would refuse about a plan, with the path to the fault."""

import json

import pytest

from conformance.errors import UsageError
from conformance.plan_fault import graph_fault, plan_fault, read_sound_corpus, scenario_plan_fault
from conformance.scenario_builder import PlanBuilder, ScenarioBuilder, execute, step_id


def _plan(**changes):
    document = PlanBuilder("p").step("a").step("b", after=["a"]).document()
    return document | changes


def _step(index, **changes):
    document = _plan()
    document["steps"][index] |= changes
    return document


def test_a_sound_plan_has_no_fault():
    assert plan_fault(_plan()) is None


@pytest.mark.parametrize(
    ("plan", "path", "what"),
    [
        ([], "(plan)", "must be an object"),
        (_plan(id="p"), "id", "8-4-4-4-12"),
        (_plan(steps={}), "steps", "must be a list"),
        (_plan(summary=1), "summary", "must be a string"),
        (_step(1, id="b"), "steps[1].id", "8-4-4-4-12"),
        (_step(1, tool_name=None), "steps[1].tool_name", "must be a string"),
        (_step(1, timeout_ms=0), "steps[1].timeout_ms", "> 0"),
        (_step(1, step_number=True), "steps[1].step_number", ">= 0"),
        (_step(1, dependencies="a"), "steps[1].dependencies", "must be a list"),
        (_step(1, dependencies=["a"]), "steps[1].dependencies[0]", "8-4-4-4-12"),
        (_step(1, dependencies=[step_id("z")]), "steps[1].dependencies[0]", "there is no step"),
        (_step(1, dependencies=[step_id("b")]), "steps[1].dependencies[0]", "depends on itself"),
        (_step(0, dependencies=[step_id("b")]), "steps[0].dependencies[0]", "a cycle"),
        (_step(1, id=step_id("a"), dependencies=[]), "steps[1].id", "used by an earlier step"),
        (_step(1, step_number=2), "steps", "not 0..1"),
        (_step(1, retry_policy={"max_attempts": 0}), "steps[1].retry_policy.max_attempts", "> 0"),
        (_plan(steps=[None]), "steps[0]", "must be an object"),
    ],
)
def test_the_first_fault_is_named_with_its_path(plan, path, what):
    fault = plan_fault(plan)
    assert fault is not None
    assert fault.startswith(f"{path}: ")
    assert what in fault


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        ("constraints", "max_steps", 101),
        ("constraints", "allowed_tools", "a"),
        ("metadata", "created_at", "2026-01-01T00:00:00+01:00"),
        ("metadata", "estimated_latency_ms", -1),
    ],
)
def test_faults_inside_records_are_named(record, field, value):
    plan = _plan()
    plan[record] |= {field: value}
    assert plan_fault(plan).startswith(f"{record}.{field}: ")
    assert graph_fault(plan) is None


def test_a_graph_can_be_sound_where_ids_are_not():
    plan = _plan()
    for step, name in zip(plan["steps"], ("first", "second"), strict=True):
        step["id"] = name
    plan["steps"][1]["dependencies"] = ["first"]
    assert plan_fault(plan) is not None
    assert graph_fault(plan) is None


def test_a_hundred_steps_are_no_bound():
    plan = PlanBuilder("big")
    for number in range(150):
        plan.step(f"s{number}")
    assert plan_fault(plan.document()) is None


def test_plans_of_operations_are_checked_unless_the_scenario_is_about_them():
    bad = PlanBuilder("bad").step("x", number=5).document()
    builder = ScenarioBuilder("s", tags=["rerun"]).step("a").drive(execute(), execute(plan=bad))
    scenario = builder.build()
    assert scenario_plan_fault(scenario).startswith("driver[1].plan.steps: ")
    about = scenario.model_copy(update={"tags": ("schema",)})
    assert scenario_plan_fault(about) is None


def test_an_unsound_corpus_names_file_scenario_and_path(tmp_path):
    document = ScenarioBuilder("broken").step("a").build().document()
    document["plan"]["steps"][0]["dependencies"] = [step_id("a")]
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(document))
    with pytest.raises(UsageError) as caught:
        read_sound_corpus([tmp_path])
    line = caught.value.line()
    assert str(file) in line
    assert "'broken'" in line
    assert "plan.steps[0].dependencies[0]: the step depends on itself" in line


def test_two_scenarios_of_one_name_are_an_error(tmp_path):
    text = json.dumps(ScenarioBuilder("twin").step("a").build().document())
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match="two scenarios are named 'twin'"):
        read_sound_corpus([tmp_path])


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="holds no"):
        read_sound_corpus([tmp_path])
