"""Without these a plan of the catalogue could be refused by the engine, or not be what its name says."""

import pytest

from chaos.fault_id import parse_case
from chaos.plans import KINDS, UnknownPlanError, find_plan, named_plans, plan_names, shape_plans
from engine.plan import parse_plan


def test_every_plan_is_valid_and_has_its_tools() -> None:
    for name in plan_names():
        found = find_plan(name)
        plan = parse_plan(found.plan)
        called = {step.tool_name for step in plan.steps}
        called |= {step.compensation.tool_name for step in plan.steps if step.compensation}
        assert called <= set(found.tools), name
        assert parse_case(f"{name}/L1@s1.tool#1:TA").plan == name == found.name


def test_tools_that_undo_name_what_they_undo() -> None:
    for name in plan_names():
        tools = find_plan(name).tools
        for tool, script in tools.items():
            assert (script.compensates is not None) == tool.endswith(".undo")
            assert script.compensates is None or script.compensates in tools


def test_the_catalogue_has_all_shapes_and_at_least_a_dozen_named_plans() -> None:
    assert len(named_plans()) >= 12
    assert len({name.partition("+")[0] for name in shape_plans()}) == 40
    assert {kind for name in shape_plans() for kind in name.split("+")[1].split(".")} == set(KINDS)


def test_a_plan_outside_the_catalogue_is_spelled_out() -> None:
    found = find_plan("dag2.ab+fails.fails")
    assert [step["dependencies"] for step in found.plan["steps"]] == [[], ["s1"]]


@pytest.mark.parametrize("name", ["dream", "dag2.ab+keyed", "dag1+dream", "dag9+keyed"])
def test_an_unknown_plan_is_refused(name: str) -> None:
    with pytest.raises(UnknownPlanError):
        find_plan(name)
