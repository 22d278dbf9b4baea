"""Without these a plan could do what the policy forbids, by a detour."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from engine.errors import SafetyViolationError
from engine.plan import Plan
from engine.safety import ANY_TOOL, ForbiddenSequence, ParameterLimit, SafetyPolicy, _check_sequence
from tests.engine.lab import plan_of, step

READ_THEN_SEND = ForbiddenSequence("read", "send", "secrets stay here")
POLICY = SafetyPolicy(sequences=(READ_THEN_SEND,))


def refusal(policy: SafetyPolicy, plan: Plan) -> str:
    with pytest.raises(SafetyViolationError) as caught:
        policy.check_plan(plan)
    return caught.value.message


@pytest.mark.parametrize(
    "steps",
    [
        [step("a", tool="read"), step("b", "a", tool="send")],
        [step("a", tool="read"), step("m", "a"), step("n", "m"), step("b", "n", tool="send")],
        [step("b", "a", tool="send"), step("a", tool="read")],
        [step("a", tool="read"), step("x"), step("m", "a", "x"), step("b", "x", "m", tool="send")],
    ],
)
def test_a_forbidden_sequence_is_found_directly_and_through_others(
    steps: list[dict[str, Any]],
) -> None:
    plan = plan_of(*steps)
    message = refusal(POLICY, plan)
    at = next(index for index, one in enumerate(plan.steps) if one.tool_name == "send")
    assert message.startswith(f"plan.steps[{at}]") and "secrets stay here" in message


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [step("a", tool="read"), step("b", tool="send")],
        [step("b", tool="send"), step("a", "b", tool="read")],
        [step("a", tool="read"), step("m", "a"), step("b", tool="send")],
    ],
)
def test_order_without_dependency_is_no_sequence(steps: list[dict[str, Any]]) -> None:
    POLICY.check_plan(plan_of(*steps))


def test_any_tool_stands_for_every_predecessor() -> None:
    SafetyPolicy().check_plan(plan_of(step("a", tool="export_data")))
    plan = plan_of(step("x"), step("a", "x", tool="export_data"))
    assert "export" in refusal(SafetyPolicy(), plan)


def test_a_tool_may_not_follow_itself_when_forbidden() -> None:
    policy = SafetyPolicy(sequences=(ForbiddenSequence("send", "send", "once"),))
    policy.check_plan(plan_of(step("a", tool="send")))
    refusal(policy, plan_of(step("a", tool="send"), step("b", "a", tool="send")))


def test_only_allowed_tools_may_be_named() -> None:
    allowed = {"allowed_tools": ["good"]}
    SafetyPolicy().check_plan(plan_of(step("a", tool="good"), constraints=allowed))
    message = refusal(SafetyPolicy(), plan_of(step("a", tool="bad"), constraints=allowed))
    assert message.startswith("plan.steps[0].tool_name") and "'bad'" in message
    refusal(SafetyPolicy(), plan_of(step("a"), constraints={"allowed_tools": []}))


def test_a_compensation_is_no_way_around_the_policy() -> None:
    escape = {"compensation": {"tool_name": "send", "parameters": {"amount": 11}}}
    allowed = {"allowed_tools": ["read", "good"]}
    message = refusal(
        SafetyPolicy(), plan_of(step("a", tool="good", **escape), constraints=allowed)
    )
    assert message.startswith("plan.steps[0].compensation")
    limits = SafetyPolicy(limits=(ParameterLimit("send", "amount", 10),))
    assert "compensation" in refusal(limits, plan_of(step("a", **escape)))
    for steps in (
        [step("a", tool="read", **escape)],
        [step("r", tool="read"), step("a", "r", **escape)],
    ):
        assert "compensation" in refusal(POLICY, plan_of(*steps))
    POLICY.check_plan(plan_of(step("a", **escape)))


@pytest.mark.parametrize(
    ("tool", "parameters", "fine"),
    [
        ("pay", {"amount": 10}, True),
        ("pay", {"amount": 10.5}, False),
        ("pay", {"amount": 11}, False),
        ("pay", {"other": 11}, True),
        ("pay", {"amount": "$a.b"}, True),
        ("pay", {}, True),
        ("refund", {"amount": 11}, True),
        ("refund", {"count": 6}, False),
    ],
)
def test_numeric_parameters_have_limits(tool: str, parameters: dict[str, Any], fine: bool) -> None:
    policy = SafetyPolicy(
        limits=(ParameterLimit("pay", "amount", 10), ParameterLimit(ANY_TOOL, "count", 5))
    )
    plan = plan_of(step("a", tool=tool, parameters=parameters))
    if fine:
        policy.check_plan(plan)
    else:
        assert refusal(policy, plan).startswith("plan.steps[0].parameters")


def test_custom_rules_give_their_reason() -> None:
    def at_most_two(plan: Plan) -> str | None:
        return "too long" if len(plan.steps) > 2 else None

    policy = SafetyPolicy(rules=(at_most_two,))
    policy.check_plan(plan_of(step("a"), step("b")))
    assert refusal(policy, plan_of(step("a"), step("b"), step("c"))) == "plan: too long"


class CountingNames(list[str]):
    visits = 0

    def __iter__(self) -> Iterator[str]:
        for item in super().__iter__():
            CountingNames.visits += 1
            yield item


@pytest.mark.parametrize("width", [8, 16])
def test_sequences_are_checked_in_time_linear_in_the_edges(width: int) -> None:
    """Ten layers, each step depending on the whole layer before it."""
    steps = [
        SimpleNamespace(
            id=f"{layer}-{at}",
            tool_name="send" if layer == 9 else "work",
            compensation=None,
            dependencies=CountingNames(f"{layer - 1}-{n}" for n in range(width) if layer),
        )
        for layer in range(10)
        for at in range(width)
    ]
    CountingNames.visits = 0
    _check_sequence(list(reversed(steps)), READ_THEN_SEND)  # type: ignore[arg-type] # as steps
    assert CountingNames.visits <= 4 * 9 * width * width


def test_a_policy_of_one_s_own_is_asked_about_every_step_of_the_plan() -> None:
    class Quiet(SafetyPolicy):
        def parameter_fault(self, tool_name: str, _parameters: Any) -> str | None:
            return "too loud" if tool_name == "shout" else None

    plan = plan_of(step("a"), step("b", "a", tool="shout"))
    assert refusal(Quiet(), plan) == "plan.steps[1].parameters: too loud"
