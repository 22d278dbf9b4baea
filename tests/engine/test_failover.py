"""Without these a failed call could be repeated without end, or given up although a rule knew better."""

from typing import Any

import pytest

from engine.failover import (
    AlternativeParameters,
    AlternativeTool,
    Escalate,
    FailoverPolicy,
    FailoverRule,
    Failure,
    FailureReason,
    RetryAfter,
    classify,
)
from engine.plan import RetryPolicy
from engine.safety import ParameterLimit, SafetyPolicy
from engine.states import ExecutionStatus
from engine.tools import ToolResult
from tests.engine.lab import WORKER, Lab, Script, plan_of, step, undo

DOWN = ToolResult.failed("status 503")


def failure(message: str = "x", tool: str = "book_table", intent: str | None = "dinner") -> Failure:
    return Failure(tool, message, FailureReason.OTHER, intent)


@pytest.mark.parametrize(
    ("message", "raised", "aborted", "reason"),
    [
        ("status 503", False, False, FailureReason.UNAVAILABLE),
        ("HTTP 500", False, False, FailureReason.UNAVAILABLE),
        ("status 429", False, False, FailureReason.RATE_LIMITED),
        ("404 Not Found", False, False, FailureReason.NOT_FOUND),
        ("status 409", False, False, FailureReason.CONFLICT),
        ("401 Unauthorized", False, False, FailureReason.UNAUTHORIZED),
        ("403 Forbidden", False, False, FailureReason.UNAUTHORIZED),
        ("status 422", False, False, FailureReason.INVALID),
        ("fully booked", False, False, FailureReason.OTHER),
        ("status 503", True, False, FailureReason.RAISED),
        ("status 503", True, True, FailureReason.ABORTED),
    ],
)
def test_reasons(message: str, raised: bool, aborted: bool, reason: FailureReason) -> None:
    assert classify(message, raised=raised, aborted=aborted) is reason


@pytest.mark.parametrize(
    ("rule", "applies"),
    [
        ({}, True),
        ({"tool": "book_*"}, True),
        ({"tool": "Book_*"}, False),
        ({"tool": "pay"}, False),
        ({"reasons": frozenset({FailureReason.OTHER})}, True),
        ({"reasons": frozenset({FailureReason.CONFLICT})}, False),
        ({"intent_types": frozenset({"dinner"})}, True),
        ({"intent_types": frozenset({"taxi"})}, False),
        ({"message_contains": "FULLY"}, True),
        ({"message_contains": "half"}, False),
        ({"max_uses": 0}, False),
    ],
)
def test_a_rule_applies_when_everything_it_names_agrees(
    rule: dict[str, Any], applies: bool
) -> None:
    policy = FailoverPolicy((FailoverRule(RetryAfter(1), **rule),))
    assert (policy.choose(failure("fully booked"), {}) == 0) is applies


def test_a_rule_for_intents_needs_an_intent() -> None:
    policy = FailoverPolicy((FailoverRule(RetryAfter(1), intent_types=frozenset({"a"})),))
    assert policy.choose(failure(intent=None), {}) is None


def test_rules_are_taken_in_order_until_they_are_used_up() -> None:
    policy = FailoverPolicy((FailoverRule(RetryAfter(1), max_uses=2), FailoverRule(RetryAfter(2))))
    chosen, uses = [], {}
    while (index := policy.choose(failure(), uses)) is not None:
        uses[index] = uses.get(index, 0) + 1
        chosen.append(index)
    assert chosen == [0, 0, 1]
    assert FailoverPolicy().choose(failure(), {}) is None


def run(lab: Lab, *rules: FailoverRule, **options: Any) -> Any:
    plan = plan_of(step("a", tool="first", parameters={"x": 1, "y": 2}, **options.pop("step", {})))
    return lab.run(
        lambda: lab.machine(
            plan, settings=WORKER, failover=FailoverPolicy(rules), **options
        ).execute()
    )


def test_without_rules_a_failure_stays_a_failure() -> None:
    lab = Lab()
    lab.tools.scripts["first"] = Script([DOWN])
    assert run(lab).status is ExecutionStatus.FAILED
    assert lab.tools.names == ["first"]


def test_alternative_parameters_are_laid_over_the_first_ones() -> None:
    lab = Lab()
    lab.tools.scripts["first"] = Script([DOWN, ToolResult.ok(1)])
    assert run(lab, FailoverRule(AlternativeParameters({"y": 3, "z": 4}))).success
    assert [call.parameters for call in lab.tools.calls] == [
        {"x": 1, "y": 2},
        {"x": 1, "y": 3, "z": 4},
    ]


def test_an_alternative_tool_gets_the_same_parameters_and_brings_its_own_compensation() -> None:
    lab = Lab()
    lab.tools.scripts["first"] = Script([DOWN])
    lab.tools.define("second", compensation=lambda sent, got: undo("undo_second", **sent))
    assert run(lab, FailoverRule(AlternativeTool("second"), tool="first")).success
    assert [(call.tool_name, call.parameters) for call in lab.tools.calls] == [
        ("first", {"x": 1, "y": 2}),
        ("second", {"x": 1, "y": 2}),
    ]

    async def compensation() -> Any:
        return (await lab.machine().get_state()).steps[0].compensation

    assert lab.run(compensation) == undo("undo_second", x=1, y=2)


def test_a_retry_waits_on_the_clock() -> None:
    lab = Lab()
    lab.tools.scripts["first"] = Script([DOWN, DOWN, ToolResult.ok(1)])
    assert run(lab, FailoverRule(RetryAfter(700), max_uses=2)).success
    assert lab.tools.started_ms == [0, 710, 1_420]


def test_escalation_names_the_person_s_message_and_the_failure() -> None:
    lab = Lab()
    lab.tools.scripts["first"] = Script([DOWN])
    assert run(lab, FailoverRule(Escalate("call the restaurant"))).status is ExecutionStatus.FAILED

    async def error() -> Any:
        return (await lab.machine().get_state()).steps[0].error

    found = lab.run(error)
    assert (found.code, found.message) == ("ESCALATED", "call the restaurant: status 503")
    assert lab.tools.count("first") == 1


def test_uses_bound_the_calls() -> None:
    lab = Lab()
    lab.tools.scripts["first"] = Script([DOWN])
    rules = (
        FailoverRule(RetryAfter(1), max_uses=3),
        FailoverRule(AlternativeParameters({}), max_uses=2),
    )
    assert run(lab, *rules).status is ExecutionStatus.FAILED
    assert lab.tools.count("first") == 1 + 3 + 2


def test_rules_come_after_the_step_s_own_retries() -> None:
    lab = Lab()
    lab.tools.scripts["first"] = Script([DOWN])
    policy = RetryPolicy(max_attempts=3)
    run(lab, FailoverRule(AlternativeTool("second")), step={"retry_policy": policy.model_dump()})
    assert lab.tools.names == ["first", "first", "first", "second"]


def test_an_alternative_keeps_to_the_limits_of_the_policy() -> None:
    lab = Lab()
    lab.tools.scripts["first"] = Script([DOWN])
    safety = SafetyPolicy(limits=(ParameterLimit("first", "y", 5),))
    result = run(lab, FailoverRule(AlternativeParameters({"y": 6})), safety=safety)
    assert result.status is ExecutionStatus.FAILED
    assert lab.tools.count("first") == 1


@pytest.mark.parametrize(
    ("intent", "calls"), [({"type": "dinner"}, 2), ({"type": "taxi"}, 1), (None, 1)]
)
def test_rules_see_the_type_of_the_intent(intent: Any, calls: int) -> None:
    lab = Lab()
    lab.tools.scripts["first"] = Script([DOWN])
    rule = FailoverRule(RetryAfter(1), intent_types=frozenset({"dinner"}))
    run(lab, rule, intent=intent)
    assert lab.tools.count("first") == calls
