"""Without these a bad plan would be found out in the middle of a run, or its fault not named."""

import itertools
from typing import Any

import pytest

from engine.errors import InvalidPlanError
from engine.limits import DEFAULT_TIMEOUT_MS
from engine.plan import Plan, parse_plan
from tests.engine.lab import chain, plan_of, step


def fault_of(document: Any) -> InvalidPlanError:
    with pytest.raises(InvalidPlanError) as caught:
        parse_plan(document)
    return caught.value


def raw(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "p", "steps": list(steps), **more}


def test_a_minimal_step_gets_the_documented_defaults() -> None:
    only = parse_plan(raw({"id": "a", "tool_name": "t"})).steps[0]
    assert only.timeout_ms == DEFAULT_TIMEOUT_MS == 30_000
    assert (only.parameters, only.dependencies, only.requires_confirmation) == ({}, (), False)
    assert (only.retry_policy, only.compensation, only.step_number) == (None, None, None)
    assert only.label == "t"
    assert plan_of(step("a", description="say it")).steps[0].label == "say it"


def test_unknown_keys_are_dropped_as_the_old_schema_did() -> None:
    plan = parse_plan(raw(step("a", mystery=1), mystery=2))
    assert "mystery" not in plan.model_dump() and "mystery" not in plan.steps[0].model_dump()


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ("no mapping", "plan"),
        ({"steps": []}, "plan.id"),
        (raw(step("a"), {"id": "b"}), "plan.steps[1].tool_name"),
        (raw(step("a", timeout_ms=0)), "plan.steps[0].timeout_ms"),
        (raw(step("a", timeout_ms=1.5)), "plan.steps[0].timeout_ms"),
        (raw(step("a", step_number=-1)), "plan.steps[0].step_number"),
        (raw(step("a b")), "plan.steps[0].id"),
        (raw(step("a.b")), "plan.steps[0].id"),
        (
            raw(step("a", retry_policy={"max_attempts": 0})),
            "plan.steps[0].retry_policy.max_attempts",
        ),
        (raw(step("a"), constraints={"max_steps": 0}), "plan.constraints.max_steps"),
        (raw(step("a"), step("b"), step("a")), "plan.steps[2].id"),
        (raw(step("a"), step("b", "a", "ghost")), "plan.steps[1].dependencies[1]"),
        (raw(step("a", step_number=0), step("b", step_number=0)), "plan.steps[1].step_number"),
        (raw(step("a", step_number=0), step("b", step_number=2)), "plan.steps[1].step_number"),
        (
            raw(step("a", step_number=1), step("b", "a", step_number=0)),
            "plan.steps[1].dependencies[0]",
        ),
    ],
)
def test_the_first_fault_is_named_by_its_path(document: Any, path: str) -> None:
    fault = fault_of(document)
    assert fault.path == path
    assert str(fault).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("steps", "members"),
    [
        ([step("a", "a")], {"a"}),
        ([step("a", "b"), step("b", "a")], {"a", "b"}),
        (
            [step("r"), step("a", "r", "c"), step("b", "a"), step("c", "b"), step("z", "c")],
            {"a", "b", "c"},
        ),
    ],
)
def test_a_cycle_is_spelled_out_along_its_edges(
    steps: list[dict[str, Any]], members: set[str]
) -> None:
    fault = fault_of(raw(*steps))
    names = str(fault).split("form a cycle: ")[1].split(" -> ")
    assert names[0] == names[-1] and set(names) == members
    after = {one["id"]: set(one["dependencies"]) for one in steps}
    assert all(second in after[first] for first, second in itertools.pairwise(names)) or all(
        first in after[second] for first, second in itertools.pairwise(names)
    )
    assert fault.path.endswith(".dependencies")


def test_list_order_is_free_and_numbers_may_be_partial() -> None:
    plan = plan_of(
        step("late", "early", step_number=1), step("early"), step("other", step_number=0)
    )
    assert [one.id for one in plan.steps] == ["late", "early", "other"]


def test_a_parsed_plan_is_taken_as_it_is_and_cannot_be_changed() -> None:
    plan = chain(2)
    assert parse_plan(plan) is plan
    with pytest.raises(ValueError, match="frozen"):
        plan.summary = "other"  # type: ignore[misc] # the refusal is the point


def test_equal_plans_have_equal_digests_and_any_change_of_work_another() -> None:
    one = plan_of(step("a", parameters={"x": 1, "y": 2}))
    same = parse_plan(raw(step("a", parameters={"y": 2, "x": 1}), id="plan-1") | {"id": "plan-1"})
    assert one.digest() == same.digest() == Plan.model_validate_json(one.model_dump_json()).digest()
    others = [
        plan_of(step("a", parameters={"x": 1, "y": 3})),
        plan_of(step("a", tool="other", parameters={"x": 1, "y": 2})),
        plan_of(step("b", parameters={"x": 1, "y": 2})),
        plan_of(step("a", parameters={"x": 1, "y": 2}), step("b")),
        plan_of(step("a", parameters={"x": 1, "y": 2}), step("b", "a")),
    ]
    assert len({one.digest(), *(other.digest() for other in others)}) == 6


def test_how_a_plan_is_described_does_not_change_its_digest() -> None:
    one = plan_of(step("a", parameters={"x": 1}))
    other = parse_plan(
        raw(step("a", parameters={"x": 1}, description="again", timeout_ms=5), summary="retold")
    )
    assert one.digest() == other.digest()


def test_a_deep_plan_is_checked_without_recursion() -> None:
    assert len(chain(5_000).steps) == 5_000
