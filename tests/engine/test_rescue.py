"""Without these a crash in a rescuing call could start another one, and leave two effects."""

import asyncio
from typing import Any

import pytest

from engine import (
    AlternativeParameters,
    AlternativeTool,
    CallAgain,
    EffectSemantics,
    ExecutionStatus,
    FailoverPolicy,
    FailoverRule,
    RetryAfter,
    ToolCall,
    ToolResult,
)
from engine.plan import Plan
from engine.settings import WorkflowSettings
from engine.states import StepStatus
from engine.types.execution import ExecutionResult
from tests.engine.lab import EXECUTION, WORKER, Lab, Script, plan_of, step, undo

DOWN = ToolResult.failed("status 503")
PLAN = plan_of(step("a", tool="first", parameters={"x": 1}))
SECOND = FailoverPolicy((FailoverRule(AlternativeTool("second"), tool="first"),))


def key(alternative: int) -> str:
    return f"{EXECUTION}:a:0" + (f".{alternative}" if alternative else "")


async def die_in(lab: Lab, plan: Plan, nth: int, **options: Any) -> None:
    """Let a process die within its nth call."""
    options.setdefault("settings", WORKER)
    running = asyncio.ensure_future(lab.machine(plan, **options).execute())
    while len(lab.tools.calls) < nth:
        await lab.clock.sleep_ms(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await lab.clock.sleep_ms(WORKER.lease_ms)


def crash_and_resume(lab: Lab, nth: int, plan: Plan = PLAN, **options: Any) -> ExecutionResult:
    async def main() -> ExecutionResult:
        await die_in(lab, plan, nth, **options)
        return await lab.machine(settings=WORKER, **options).execute()

    return lab.run(main)


def seen(lab: Lab) -> list[tuple[str, Any, str]]:
    return [(call.tool_name, call.parameters, call.idempotency_key) for call in lab.tools.calls]


def test_the_parameters_that_a_recovery_suggested_are_sent_again_under_their_key() -> None:
    lab, asked = Lab(), []

    async def recovery(failed: Any, /) -> CallAgain:
        asked.append(failed)
        return CallAgain({"x": 1 + len(asked)})

    lab.tools.scripts["first"] = Script([DOWN, ToolResult.ok(), ToolResult.ok("done")])
    assert crash_and_resume(lab, 2, recovery=recovery).success
    assert seen(lab) == [
        ("first", {"x": 1}, key(0)),
        ("first", {"x": 2}, key(1)),
        ("first", {"x": 2}, key(1)),
    ]
    assert len(asked) == 1
    assert "STEP_REPEATED" in lab.event_names()


def test_a_recovery_that_repeats_the_call_keeps_its_key() -> None:
    lab = Lab()

    async def recovery(_failed: Any, /) -> CallAgain:
        return CallAgain()

    lab.tools.scripts["first"] = Script([DOWN, ToolResult.ok()])
    assert crash_and_resume(lab, 2, recovery=recovery).success
    assert {found for _, _, found in seen(lab)} == {key(0)}


def test_every_other_call_has_another_key_and_the_same_call_the_same() -> None:
    lab = Lab()
    policy = FailoverPolicy(
        (
            FailoverRule(RetryAfter(10), tool="first"),
            FailoverRule(AlternativeParameters({"x": 2}), tool="first"),
            FailoverRule(AlternativeTool("second"), tool="first"),
            FailoverRule(RetryAfter(10), tool="second"),
            FailoverRule(AlternativeParameters({"x": 3}), tool="second"),
        )
    )

    async def recovery(_failed: Any, /) -> CallAgain:
        return CallAgain({"x": 9})

    for name in ("first", "second"):
        lab.tools.scripts[name] = Script([DOWN])
    machine = {"failover": policy, "recovery": recovery, "settings": WORKER}
    assert not lab.run(lambda: lab.machine(PLAN, **machine).execute()).success
    assert seen(lab) == [
        ("first", {"x": 1}, key(0)),
        ("first", {"x": 9}, key(1)),
        ("first", {"x": 1}, key(0)),
        ("first", {"x": 2}, key(3)),
        ("second", {"x": 2}, key(4)),
        ("second", {"x": 2}, key(4)),
        ("second", {"x": 3}, key(6)),
    ]
    undisturbed = seen(lab)
    for nth in range(1, len(undisturbed) + 1):
        lab = Lab()
        for name in ("first", "second"):
            lab.tools.scripts[name] = Script([DOWN])
        assert not crash_and_resume(lab, nth, failover=policy, recovery=recovery).success
        again = seen(lab)
        assert again == [*undisturbed[:nth], *undisturbed[nth - 1 :]], nth


def test_rules_that_are_used_up_stay_so_after_a_crash() -> None:
    lab = Lab()
    policy = FailoverPolicy((FailoverRule(RetryAfter(0), max_uses=2),))
    lab.tools.scripts["first"] = Script([DOWN])
    assert not crash_and_resume(lab, 3, failover=policy).success
    assert lab.tools.count("first") == 4  # three, of which the last was cut off and repeated


def test_an_alternative_that_must_not_act_twice_is_in_doubt_after_a_crash() -> None:
    lab = Lab()
    lab.tools.define("second", EffectSemantics.AT_MOST_ONCE)
    lab.tools.scripts["first"] = Script([DOWN])

    async def main() -> ExecutionResult:
        await die_in(lab, PLAN, 2, failover=SECOND)
        asked = await lab.machine(failover=SECOND).execute()
        assert asked.waiting_for is not None and asked.waiting_for.reason == "in_doubt"
        assert lab.tools.names == ["first", "second"]
        await lab.machine().confirm("a", asked.waiting_for.token, approved=True)
        return await lab.machine(failover=SECOND).execute()

    assert lab.run(main).success
    assert lab.tools.names == ["first", "second", "second"]
    assert seen(lab)[1] == seen(lab)[2]


@pytest.mark.parametrize("way", ["recovery", "failover"])
def test_a_rescue_that_raises_leaves_what_must_not_act_twice_in_doubt(way: str) -> None:
    lab = Lab()
    options: dict[str, Any] = {"failover": SECOND}
    if way == "recovery":

        async def recovery(_failed: Any, /) -> CallAgain:
            return CallAgain({"x": 2})

        options["recovery"] = recovery
    broken = RuntimeError("connection reset")
    lab.tools.define("first" if way == "recovery" else "second", EffectSemantics.AT_MOST_ONCE)
    lab.tools.scripts["first"] = Script([DOWN, broken])
    lab.tools.scripts["second"] = Script([broken])
    result = lab.run(lambda: lab.machine(PLAN, **options).execute())
    assert result.waiting_for is not None and result.waiting_for.reason == "in_doubt"
    assert result.steps[0].status is StepStatus.IN_DOUBT
    assert len(lab.tools.calls) == 2


@pytest.mark.parametrize("happened", [True, False])
def test_a_queryable_alternative_is_looked_up_under_its_own_key(happened: bool) -> None:
    lab, asked = Lab(), []

    async def lookup(found: str) -> ToolResult | None:
        asked.append(found)
        return ToolResult.ok({"id": 7}) if happened else None

    lab.tools.define(
        "second",
        EffectSemantics.QUERYABLE,
        lookup=lookup,
        compensation=lambda sent, got: undo("undo_second", **sent, **got),
    )
    lab.tools.scripts["first"] = Script([DOWN])
    lab.tools.scripts["second"] = Script([ToolResult.ok({"id": 7})])
    lab.tools.scripts["fails"] = Script([DOWN])
    plan = plan_of(step("a", tool="first", parameters={"x": 1}), step("fails", "a"))
    result = crash_and_resume(lab, 2, plan, failover=SECOND)
    assert asked == [key(1)]
    assert lab.tools.count("second") == (1 if happened else 2)
    assert (result.status, result.compensated_steps) == (ExecutionStatus.COMPENSATED, ("a",))
    undone = lab.tools.calls[-1]
    assert (undone.tool_name, undone.parameters) == ("undo_second", {"x": 1, "id": 7})


def test_a_pause_beyond_the_budget_is_waited_for_by_another_process() -> None:
    lab = Lab()
    policy = FailoverPolicy(
        (
            FailoverRule(AlternativeTool("second"), tool="first"),
            FailoverRule(RetryAfter(60_000), tool="second"),
        )
    )
    lab.tools.scripts["first"] = Script([DOWN])
    lab.tools.scripts["second"] = Script([DOWN, ToolResult.ok()])
    settings = WorkflowSettings()

    async def main() -> ExecutionResult:
        result = await lab.machine(PLAN, failover=policy, settings=settings).execute()
        assert result.is_partial and lab.clock.elapsed_ms < settings.step_abort_ms
        return await lab.finish(failover=policy, settings=settings)

    assert lab.run(main).success
    assert lab.tools.names == ["first", "second", "second"]
    assert lab.tools.started_ms[2] - lab.tools.started_ms[1] >= 60_000


def test_the_intent_of_a_rescue_is_durable_before_the_call() -> None:
    lab = Lab()
    lab.tools.scripts["first"] = Script([DOWN])

    async def look(_call: ToolCall) -> ToolResult:
        (state,) = (await lab.machine().get_state()).steps
        assert state.rescue is not None
        assert (state.rescue.tool_name, state.rescue.alternative) == ("second", 1)
        assert state.status is StepStatus.IN_PROGRESS
        return ToolResult.ok()

    lab.tools.scripts["second"] = Script([look])
    result = lab.run(lambda: lab.machine(PLAN, failover=SECOND).execute())
    assert result.success, result.steps
    assert result.steps[0].rescue is None
    started = [event for event in lab.events if event.name == "STEP_RESCUE_STARTED"]
    assert [event.detail for event in started] == [{"tool_name": "second", "alternative": 1}]
