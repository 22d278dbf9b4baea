"""Without these effects of a failed execution could remain without anybody being told."""

import asyncio
from typing import Any

import pytest

from engine import EffectSemantics, ExecutionStatus, ToolResult
from engine.errors import LeaseLostError, StoreUnavailableError
from engine.plan import Plan
from engine.saga_orchestrator import execute_plan_with_saga
from engine.settings import WorkflowSettings
from engine.states import CompensationStatus
from engine.tools import ToolCall
from engine.types.execution import ExecutionResult, ExecutionState, YieldReason
from tests.engine.lab import EXECUTION, WORKER, Lab, Script, balance, plan_of, step, undo

FAILED = ToolResult.failed("no luck")
SERVERLESS = WorkflowSettings()


def booked(name: str, *after: str, **more: Any) -> dict[str, Any]:
    """A step that the plan says how to undo."""
    return step(name, *after, compensation={"tool_name": f"undo_{name}"}, **more)


def prepare(lab: Lab, failing: str = "fails") -> None:
    lab.tools.scripts[failing] = Script([FAILED])


def execute(lab: Lab, plan: Plan | None, **options: Any) -> ExecutionResult:
    options.setdefault("settings", WORKER)
    return lab.run(lambda: lab.machine(plan, **options).execute())


def state_of(lab: Lab) -> ExecutionState:
    return lab.run(lambda: lab.machine().get_state())


def undone(lab: Lab) -> list[str]:
    return [name for name in lab.tools.names if name.startswith("undo_")]


DIAMOND = [
    booked("top"),
    booked("left", "top"),
    booked("right", "top"),
    booked("end", "left", "right"),
    step("fails", "end"),
]


def test_a_chain_is_undone_backwards() -> None:
    lab = Lab()
    prepare(lab)
    result = execute(lab, plan_of(booked("a"), booked("b", "a"), step("fails", "b")))
    assert result.status is ExecutionStatus.COMPENSATED
    assert (result.success, result.is_partial) == (False, False)
    assert undone(lab) == ["undo_b", "undo_a"]
    assert result.compensated_steps == ("a", "b") and result.uncompensated_steps == ()
    assert result.error is not None and result.error.code == "STEP_FAILED"
    names = lab.event_names()
    assert names[names.index("SAGA_STARTED") :] == [
        "SAGA_STARTED",
        "SAGA_STEP_COMPENSATED",
        "SAGA_STEP_COMPENSATED",
        "SAGA_COMPLETED",
        "WORKFLOW_FAILED",
    ]


def test_a_diamond_is_undone_backwards_with_its_sides_at_once() -> None:
    lab = Lab()
    prepare(lab)
    execute(lab, plan_of(*DIAMOND))
    assert undone(lab) == ["undo_end", "undo_right", "undo_left", "undo_top"]
    started = dict(zip(lab.tools.names, lab.tools.started_ms, strict=True))
    assert started["undo_left"] == started["undo_right"] == started["undo_end"] + 10
    assert started["undo_top"] == started["undo_left"] + 10


def test_order_holds_through_steps_that_have_nothing_to_undo() -> None:
    lab = Lab()
    prepare(lab)
    lab.tools.scripts["undo_z"] = Script(latency_ms=500)
    plan = plan_of(
        booked("a"), step("m", "a"), step("n", "m"), booked("z", "n"), step("fails", "z")
    )
    execute(lab, plan)
    assert undone(lab) == ["undo_z", "undo_a"]
    assert lab.tools.ended.index("z") < lab.tools.ended.index("a", lab.tools.ended.index("z"))


def test_without_anything_to_undo_a_failure_is_a_failure() -> None:
    lab = Lab()
    prepare(lab)
    result = execute(lab, plan_of(step("a"), step("fails", "a")))
    assert result.status is ExecutionStatus.FAILED
    assert "SAGA_STARTED" not in lab.event_names()


def test_the_failed_step_itself_need_not_be_undoable() -> None:
    """The successor of the legacy executor kept a booked ride when a plain tool failed."""
    lab = Lab()
    prepare(lab)
    result = execute(lab, plan_of(booked("ride"), step("fails", "ride")))
    assert result.compensated_steps == ("ride",)


def test_siblings_that_completed_beside_the_failure_are_undone() -> None:
    lab = Lab()
    prepare(lab)
    lab.tools.scripts["slow"] = Script(latency_ms=5_000)
    result = execute(lab, plan_of(booked("slow"), step("fails"), booked("never", "slow")))
    assert result.compensated_steps == ("slow",)
    assert lab.tools.count("never") == 0


@pytest.mark.parametrize("source", ["result", "registry", "plan"])
def test_result_before_registry_before_plan(source: str) -> None:
    lab = Lab()
    prepare(lab)
    if source == "result":
        answer = ToolResult.ok({"id": 7}, compensation=undo("undo_by_result", id=7))
        lab.tools.scripts["a"] = Script([answer])
    if source in ("result", "registry"):
        lab.tools.define("a", compensation=lambda sent, got: undo("undo_by_registry", **sent))
    by_plan = {"tool_name": "undo_by_plan", "parameters": {"step": "$a.step", "fixed": 1}}
    plan = plan_of(step("a", parameters={"p": 1}, compensation=by_plan), step("fails", "a"))
    execute(lab, plan)
    expected = {"result": {"id": 7}, "registry": {"p": 1}, "plan": {"step": "a", "fixed": 1}}
    assert undone(lab) == [f"undo_by_{source}"]
    assert lab.tools.calls[-1].parameters == expected[source]


def test_a_compensation_has_a_key_of_its_own_that_never_changes() -> None:
    lab = Lab()
    prepare(lab)
    lab.tools.scripts["undo_a"] = Script([FAILED, ToolResult.ok()])
    execute(lab, plan_of(booked("a"), step("fails", "a")))
    forward, *undoing = [call for call in lab.tools.calls if call.step_id == "a"]
    assert len({call.idempotency_key for call in undoing}) == 1
    assert undoing[0].idempotency_key != forward.idempotency_key
    assert [call.attempt for call in undoing] == [1, 2]


@pytest.mark.parametrize("way", [FAILED, RuntimeError("undo broke"), asyncio.CancelledError()])
def test_a_failing_compensation_is_retried_with_backoff_then_reported(way: Any) -> None:
    lab = Lab()
    prepare(lab)
    lab.tools.scripts["undo_b"] = Script([way])
    plan = plan_of(booked("a"), booked("b", "a"), booked("c", "b"), step("fails", "c"))
    result = execute(lab, plan)
    assert result.status is ExecutionStatus.COMPENSATION_FAILED
    assert (result.compensated_steps, result.uncompensated_steps) == (("a", "c"), ("b",))
    assert undone(lab) == ["undo_c", "undo_b", "undo_b", "undo_b", "undo_a"]
    at = [
        ms
        for name, ms in zip(lab.tools.names, lab.tools.started_ms, strict=True)
        if name == "undo_b"
    ]
    assert [at[1] - at[0], at[2] - at[1]] == [210, 410]
    state = state_of(lab).steps[1]
    assert state.compensation_status is CompensationStatus.FAILED and state.compensation_error
    assert lab.event_names()[-2:] == ["SAGA_FAILED", "WORKFLOW_FAILED"]
    again = execute(lab, plan)
    assert again.uncompensated_steps == ("b",) and lab.tools.count("undo_b") == 3


def test_a_deaf_compensation_is_waited_for() -> None:
    lab = Lab()
    prepare(lab)
    lab.tools.scripts["undo_a"] = Script(latency_ms=60_000, deaf=True)
    result = execute(lab, plan_of(booked("a"), step("fails", "a")), settings=SERVERLESS)
    assert result.status is ExecutionStatus.COMPENSATED


def test_a_rollback_yields_in_its_middle_and_resumes() -> None:
    lab = Lab()
    prepare(lab)
    for name in ("undo_a", "undo_b", "undo_c"):
        lab.tools.scripts[name] = Script(latency_ms=4_000)
    plan = plan_of(booked("a"), booked("b", "a"), booked("c", "b"), step("fails", "c"))
    first = execute(lab, plan, settings=SERVERLESS)
    assert (first.status, first.yield_reason) == (ExecutionStatus.COMPENSATING, YieldReason.BUDGET)
    assert (first.is_partial, first.compensated_steps) == (True, ("b", "c"))
    result = lab.run(lambda: lab.finish(settings=SERVERLESS))
    assert (result.status, result.segment_number) == (ExecutionStatus.COMPENSATED, 2)
    assert result.error is not None and result.error.code == "STEP_FAILED"
    assert undone(lab) == ["undo_c", "undo_b", "undo_a"]


@pytest.mark.parametrize("cause", ["cancelled", "timeout"])
def test_a_rollback_that_has_begun_is_finished_whatever_the_next_process_believes(
    cause: str,
) -> None:
    """A process with other settings, or that missed the request, must not go forward again."""
    lab = Lab()
    for name in ("undo_a", "undo_b"):
        lab.tools.scripts[name] = Script(latency_ms=7_000)
    plan = plan_of(
        booked("a"), booked("b", "a"), step("c", "b"), constraints={"max_execution_time_ms": 15}
    )

    async def main() -> ExecutionResult:
        settings = SERVERLESS.strict() if cause == "timeout" else SERVERLESS
        machine = lab.machine(plan, settings=settings)
        if cause == "cancelled":

            async def stop(_call: ToolCall) -> ToolResult:
                machine._control.cancel_reason = "stop"  # as if the store had missed the request
                return ToolResult.ok()

            lab.tools.scripts["b"] = Script([stop])
        first = await machine.execute()
        assert first.status is ExecutionStatus.COMPENSATING and first.is_partial
        return await lab.finish(settings=SERVERLESS)

    result = lab.run(main)
    assert lab.tools.count("c") == 0
    assert result.compensated_steps == ("a", "b")
    expected = {"cancelled": ExecutionStatus.CANCELLED, "timeout": ExecutionStatus.COMPENSATED}
    assert result.status is expected[cause]
    codes = {"cancelled": "CANCELLED", "timeout": "EXECUTION_TIMEOUT"}
    assert result.error is not None and result.error.code == codes[cause]


def test_cancelling_undoes_what_was_done() -> None:
    lab = Lab()

    async def main() -> ExecutionResult:
        async def stop(_call: ToolCall) -> ToolResult:
            await lab.machine().cancel("stop")
            return ToolResult.ok()

        lab.tools.scripts["b"] = Script([stop])
        plan = plan_of(booked("a"), booked("b", "a"), step("c", "b"), step("d", "c"))
        return await lab.machine(plan, settings=WORKER).execute()

    result = lab.run(main)
    assert (result.status, result.compensated_steps) == (ExecutionStatus.CANCELLED, ("a", "b"))
    assert undone(lab) == ["undo_b", "undo_a"] and lab.tools.count("d") == 0


def test_a_rejected_confirmation_undoes_what_was_done() -> None:
    lab = Lab()
    plan = plan_of(booked("a"), step("b", "a", requires_confirmation=True))

    async def main() -> ExecutionResult:
        asked = await lab.machine(plan).execute()
        assert asked.waiting_for is not None
        await lab.machine().confirm("b", asked.waiting_for.token, approved=False)
        return await lab.machine().execute()

    assert lab.run(main).status is ExecutionStatus.COMPENSATED


# --- crashes -------------------------------------------------------------------------------------


async def die_in(lab: Lab, plan: Plan, tool: str, **options: Any) -> None:
    """Let a process die while `tool` is being called."""
    running = asyncio.ensure_future(lab.machine(plan, settings=WORKER, **options).execute())
    while lab.tools.count(tool) == 0:
        await lab.clock.sleep_ms(1)
    await lab.clock.sleep_ms(5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await lab.clock.sleep_ms(WORKER.lease_ms)


def test_a_crash_in_a_compensation_repeats_it_with_its_key() -> None:
    lab = Lab()
    prepare(lab)
    plan = plan_of(booked("a"), booked("b", "a"), step("fails", "b"))

    async def main() -> ExecutionResult:
        await die_in(lab, plan, "undo_b")
        return await lab.machine().execute()

    result = lab.run(main)
    assert result.compensated_steps == ("a", "b")
    assert undone(lab) == ["undo_b", "undo_b", "undo_a"]
    assert balance(lab.tools.calls) == {"a": 0, "b": 0, "fails": 1}


@pytest.mark.parametrize("why", ["failed", "cancelled"])
def test_what_was_under_way_at_a_crash_is_settled_before_the_rollback(why: str) -> None:
    """Its effect may have happened: left alone, it would remain and nobody would know."""
    lab = Lab()
    lab.tools.scripts["fails"] = Script([FAILED if why == "failed" else ToolResult.ok()])
    lab.tools.scripts["slow"] = Script(latency_ms=100)
    plan = plan_of(step("fails"), booked("slow"), step("later", "slow"))

    async def main() -> ExecutionResult:
        running = asyncio.ensure_future(lab.machine(plan, settings=WORKER).execute())
        await lab.clock.sleep_ms(50)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        if why == "cancelled":
            await lab.machine().cancel("stop")
        await lab.clock.sleep_ms(WORKER.lease_ms)
        return await lab.machine().execute()

    result = lab.run(main)
    assert result.compensated_steps == ("slow",)
    assert balance(lab.tools.calls)["slow"] == 0
    assert lab.tools.count("later") == 0


def test_an_effect_in_doubt_is_not_passed_over_by_a_rollback() -> None:
    lab = Lab()
    prepare(lab)
    lab.tools.define("wire", EffectSemantics.AT_MOST_ONCE)
    lab.tools.scripts["wire"] = Script([RuntimeError("connection reset")])
    result = execute(lab, plan_of(step("wire"), step("fails")))
    if result.is_partial:  # a person is asked first
        assert result.waiting_for is not None and result.waiting_for.reason == "in_doubt"
    else:
        assert result.status is ExecutionStatus.COMPENSATION_FAILED
        assert result.uncompensated_steps == ("wire",)


def test_a_store_that_fails_in_a_rollback_stops_it_and_a_resume_finishes() -> None:
    lab = Lab()
    prepare(lab)
    plan = plan_of(booked("a"), booked("b", "a"), step("fails", "b"))

    async def main() -> ExecutionResult:
        client = lab.client()

        async def cut(_call: ToolCall) -> ToolResult:
            client.fail_at = frozenset(range(len(client.commands), len(client.commands) + 2))
            return ToolResult.ok()

        lab.tools.scripts["undo_b"] = Script([cut, ToolResult.ok()])
        with pytest.raises(StoreUnavailableError):
            await lab.machine(plan, client=client, settings=WORKER).execute()
        assert lab.tools.count("undo_a") == 0
        await lab.clock.sleep_ms(WORKER.lease_ms)
        return await lab.machine().execute()

    assert lab.run(main).compensated_steps == ("a", "b")


def test_a_saga_of_a_crashed_failover_does_not_leave_two_effects() -> None:
    """The alternative that was under way at the crash is what a resume must ask or repeat."""
    from engine import AlternativeTool, FailoverPolicy, FailoverRule

    lab = Lab()
    lab.tools.scripts["first"] = Script([ToolResult.failed("status 503"), ToolResult.ok()])
    policy = FailoverPolicy((FailoverRule(AlternativeTool("second"), tool="first"),))
    plan = plan_of(step("a", tool="first"))

    async def main() -> ExecutionResult:
        await die_in(lab, plan, "second", failover=policy)
        return await lab.machine(failover=policy).execute()

    assert lab.run(main).success
    succeeded = {call.tool_name for call in lab.tools.calls[1:]}
    assert succeeded == {"second"}


@pytest.mark.parametrize("frozen_in", ["call", "commit"])
@pytest.mark.parametrize("effects", [EffectSemantics.KEYED, EffectSemantics.UNKEYED])
def test_a_frozen_worker_s_late_result_of_an_undone_step_is_refused(
    frozen_in: str, effects: EffectSemantics
) -> None:
    """It wakes after its step was undone by another: what it brings must change nothing."""
    lab = Lab()
    prepare(lab)
    lab.tools.define("a", effects)
    plan = plan_of(booked("a"), step("fails", "a"))
    thaw = asyncio.Event()

    async def freeze(_call: ToolCall) -> ToolResult:
        await thaw.wait()
        return ToolResult.ok("late")

    async def main() -> tuple[ExecutionResult, ExecutionState, ExecutionState]:
        client = lab.client()
        if frozen_in == "call":
            lab.tools.scripts["a"] = Script([freeze, ToolResult.ok("mine")])
        else:
            client.freeze_at, client.thaw = 4, thaw
        sleeper = lab.machine(plan, client=client, settings=WORKER)
        sleeper._settings = WORKER.model_copy(update={"lease_ms": 10**9})  # renews nothing
        running = asyncio.ensure_future(sleeper.execute())
        await lab.clock.sleep_ms(100)
        assert not running.done()
        await lab.client().hset(  # its lease is over, and it does not know
            lab.store()._keys(EXECUTION)[0], "lease_until_ms", "0"
        )
        result = await lab.machine(settings=WORKER).execute()
        before = await lab.machine().get_state()
        calls = len(lab.tools.calls)
        thaw.set()
        with pytest.raises(LeaseLostError):
            await running
        assert len(lab.tools.calls) == calls
        return result, before, await lab.machine().get_state()

    result, before, after = lab.run(main)
    assert (result.status, result.compensated_steps) == (ExecutionStatus.COMPENSATED, ("a",))
    assert before == after
    assert undone(lab) == ["undo_a"]


# --- a limit in time, and what remains -----------------------------------------------------------


def test_a_rollback_whose_time_is_up_lists_exactly_what_remains() -> None:
    lab = Lab()
    prepare(lab)
    lab.tools.scripts["undo_b"] = Script(latency_ms=10_000)
    plan = plan_of(
        booked("a"), booked("b", "a"), booked("c", "b"), step("plain", "c"), step("fails", "plain")
    )
    settings = WORKER.model_copy(update={"saga_timeout_ms": 1_000})
    result = execute(lab, plan, settings=settings)
    assert result.status is ExecutionStatus.COMPENSATION_FAILED
    assert (result.compensated_steps, result.uncompensated_steps) == (("c",), ("a", "b"))
    assert undone(lab) == ["undo_c", "undo_b"]
    assert lab.clock.elapsed_ms < 2_000
    for at in (0, 1):
        state = state_of(lab).steps[at]
        assert state.compensation_status is CompensationStatus.FAILED
        assert "time for undoing is up" in (state.compensation_error or "")


def test_a_rollback_s_time_counts_over_all_its_segments() -> None:
    lab = Lab()
    prepare(lab)
    for name in ("undo_a", "undo_b", "undo_c"):
        lab.tools.scripts[name] = Script(latency_ms=7_000)
    plan = plan_of(booked("a"), booked("b", "a"), booked("c", "b"), step("fails", "c"))
    settings = SERVERLESS.model_copy(update={"saga_timeout_ms": 15_000})
    result = lab.run(lambda: lab.finish(plan, settings=settings))
    assert (result.status, result.segment_number) == (ExecutionStatus.COMPENSATION_FAILED, 3)
    assert (result.compensated_steps, result.uncompensated_steps) == (("c",), ("a", "b"))


def test_what_ran_but_cannot_be_stored_is_undone_all_the_same() -> None:
    lab = Lab()
    odd = ToolResult.ok(object(), compensation=undo("undo_odd", id=3))
    lab.tools.scripts["odd"] = Script([odd])
    result = execute(lab, plan_of(booked("a"), step("odd", "a")))
    assert (result.status, result.compensated_steps) == (ExecutionStatus.COMPENSATED, ("a", "odd"))
    assert undone(lab) == ["undo_odd", "undo_a"]
    assert lab.tools.calls[-2].parameters == {"id": 3}


def test_an_effect_that_nobody_knows_how_to_undo_is_listed() -> None:
    lab = Lab()
    lab.tools.define("odd", compensation=lambda _sent, got: undo("x", id=got["missing"]))
    result = execute(lab, plan_of(booked("a"), step("odd", "a")))
    assert result.status is ExecutionStatus.COMPENSATION_FAILED
    assert (result.compensated_steps, result.uncompensated_steps) == (("a",), ("odd",))


def test_a_rollback_costs_one_write_a_wave() -> None:
    lab = Lab()
    prepare(lab)
    client = lab.client()
    count: list[int] = []

    async def note(_call: ToolCall) -> ToolResult:
        count.append(len(client.commands))
        return ToolResult.ok()

    for name in ("undo_a", "undo_b", "undo_c"):
        lab.tools.scripts[name] = Script([note])
    plan = plan_of(booked("a"), booked("b", "a"), booked("c", "b"), step("fails", "c"))
    lab.run(lambda: lab.machine(plan, client=client, settings=WORKER).execute())
    assert count == [count[0], count[0] + 1, count[0] + 2]
    assert len(client.commands) == count[-1] + 1


# --- the wrapper ---------------------------------------------------------------------------------


def test_the_wrapper_tells_whether_anything_remains() -> None:
    lab = Lab()
    prepare(lab)
    plan = plan_of(booked("a"), step("fails", "a"))

    async def run(**more: Any) -> Any:
        return await execute_plan_with_saga(
            plan, lab.tools, store=lab.store(), clock=lab.clock, settings=WORKER, **more
        )

    balanced = lab.run(lambda: run(execution_id=EXECUTION))
    assert (balanced.success, balanced.balanced) == (False, True)
    assert (balanced.compensated_steps, balanced.uncompensated_steps) == (("a",), ())
    assert balanced.error == balanced.execution.error
    lab.tools.scripts["undo_a"] = Script([FAILED])
    remains = lab.run(lambda: run(execution_id="other"))
    assert (remains.balanced, remains.uncompensated_steps) == (False, ("a",))
    lab.tools.scripts.clear()
    fine = lab.run(lambda: run(execution_id="third"))
    assert (fine.success, fine.balanced, fine.error) == (True, True, None)
