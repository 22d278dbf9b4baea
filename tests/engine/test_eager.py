"""Without these a step could wait for others that it does not need, or build on what is not durable."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import ExecutionStatus, Scheduling, ToolCall, ToolResult
from engine.plan import Plan
from engine.settings import WorkflowSettings
from engine.states import StepStatus
from engine.types.execution import ExecutionResult, YieldReason
from tests.engine.lab import WORKER, Lab, Script, balance, chain, plan_of, step

EAGER = WORKER.model_copy(update={"scheduling": Scheduling.EAGER})
SERVERLESS = WorkflowSettings(scheduling=Scheduling.EAGER)
FAILED = ToolResult.failed("no luck")
TWO_BRANCHES = plan_of(
    step("slow", tool="slow"), step("a", tool="work"), step("b", "a", tool="work"), step("c", "b")
)


def execute(lab: Lab, plan: Plan, **options: Any) -> ExecutionResult:
    options.setdefault("settings", EAGER)
    return lab.run(lambda: lab.machine(plan, **options).execute())


def started(lab: Lab) -> dict[str, int]:
    names = [call.step_id for call in lab.tools.calls]
    return dict(zip(names, lab.tools.started_ms, strict=True))


@pytest.mark.parametrize(
    ("scheduling", "at_ms"), [(Scheduling.EAGER, 20), (Scheduling.LAYERED, 1_010)]
)
def test_a_step_waits_for_its_own_dependencies_only(scheduling: Scheduling, at_ms: int) -> None:
    lab = Lab()
    lab.tools.scripts["slow"] = Script(latency_ms=1_000)
    execute(lab, TWO_BRANCHES, settings=EAGER.model_copy(update={"scheduling": scheduling}))
    assert started(lab)["c"] == at_ms


def test_what_a_step_builds_on_is_durable_before_it_is_called() -> None:
    lab = Lab()
    lab.tools.scripts["slow"] = Script(latency_ms=1_000)

    async def look(call: ToolCall) -> ToolResult:
        states = {one.id: one for one in (await lab.machine().get_state()).steps}
        plan = {one.id: one for one in TWO_BRANCHES.steps}
        assert states[call.step_id].status is StepStatus.IN_PROGRESS
        for before in plan[call.step_id].dependencies:
            assert states[before].status is StepStatus.COMPLETED
        return ToolResult.ok()

    for name in ("work", "c"):
        lab.tools.scripts[name] = Script([look])
    result = execute(lab, TWO_BRANCHES)
    assert result.success, result.steps


def test_a_chain_costs_one_round_trip_a_step() -> None:
    lab = Lab()
    client = lab.client()

    async def main() -> int:
        await lab.machine(chain(2), execution_id="warm up", settings=EAGER).execute()
        await lab.machine(chain(20), client=client, settings=EAGER).execute()
        return len(client.commands)

    assert lab.run(main) == 21


def test_nothing_more_begins_after_a_failure_and_what_runs_is_undone() -> None:
    lab = Lab()
    lab.tools.scripts["slow"] = Script(latency_ms=1_000)
    lab.tools.scripts["c"] = Script([FAILED])
    plan = plan_of(
        step("slow", compensation={"tool_name": "undo"}),
        step("never", "slow"),
        step("a", tool="work"),
        step("c", "a"),
    )
    result = execute(lab, plan)
    assert (result.status, result.compensated_steps) == (ExecutionStatus.COMPENSATED, ("slow",))
    assert lab.tools.count("never") == 0


def test_parameters_that_cannot_be_sent_fail_a_step_set_free() -> None:
    lab = Lab()
    lab.tools.scripts["slow"] = Script(latency_ms=50)
    plan = plan_of(step("slow"), step("a"), step("book_table", "a"), step("never", "book_table"))
    result = execute(lab, plan)
    assert result.status is ExecutionStatus.FAILED
    assert [one.status for one in result.steps] == [
        StepStatus.COMPLETED,
        StepStatus.COMPLETED,
        StepStatus.FAILED,
        StepStatus.PENDING,
    ]


def test_the_budget_starts_nothing_more_and_a_resume_goes_on() -> None:
    lab = Lab()
    lab.tools.scripts["slow"] = Script(latency_ms=7_000)
    lab.tools.scripts["work"] = Script(latency_ms=4_000)

    async def main() -> ExecutionResult:
        first = await lab.machine(TWO_BRANCHES, settings=SERVERLESS).execute()
        assert (first.yield_reason, first.completed_steps) == (YieldReason.BUDGET, 3)
        return await lab.finish(settings=SERVERLESS)

    assert lab.run(main).success
    assert lab.tools.names == ["slow", "work", "work", "c"]


def test_a_deferred_retry_is_taken_up_again() -> None:
    lab = Lab()
    lab.tools.scripts["a"] = Script([FAILED, ToolResult.ok()])
    retried = step("a", retry_policy={"max_attempts": 2, "backoff_ms": 10_000})
    plan = plan_of(retried, step("b", "a"), step("other", tool="work"), step("last", "other"))
    result = lab.run(lambda: lab.finish(plan, settings=SERVERLESS))
    assert result.success and result.segment_number == 2
    assert lab.tools.names == ["a", "work", "last", "a", "b"]


def test_a_person_is_waited_for_while_others_go_on() -> None:
    lab = Lab()
    plan = plan_of(step("a", requires_confirmation=True), step("b"), step("c", "b"))
    result = execute(lab, plan)
    assert result.waiting_for is not None and result.waiting_for.step_id == "a"
    assert lab.tools.names == ["b", "c"]


@st.composite
def dags(draw: st.DrawFn) -> list[tuple[list[int], int, bool]]:
    size = draw(st.integers(1, 8))
    return [
        (
            sorted(draw(st.sets(st.integers(0, at - 1), max_size=3))) if at else [],
            draw(st.integers(0, 40)),
            draw(st.integers(0, 9)) == 0,
        )
        for at in range(size)
    ]


@settings(max_examples=60, deadline=None)
@given(dags(), st.none() | st.integers(1, 3))
def test_every_step_begins_at_the_earliest_moment_that_the_plan_allows(
    nodes: list[tuple[list[int], int, bool]], width: int | None
) -> None:
    lab = Lab()
    for at, (_, latency_ms, fails) in enumerate(nodes):
        lab.tools.scripts[f"t{at}"] = Script([FAILED] if fails else [], latency_ms=latency_ms)
    plan = plan_of(
        *(
            step(
                f"s{at}", *(f"s{n}" for n in before), tool=f"t{at}", compensation={"tool_name": "u"}
            )
            for at, (before, _, _) in enumerate(nodes)
        )
    )
    result = execute(lab, plan, settings=EAGER.model_copy(update={"max_concurrency": width}))
    assert result.success is not any(one.status is StepStatus.FAILED for one in result.steps)
    if not result.success:
        left = balance(lab.tools.calls)
        failed = {one.id for one in result.steps if one.status is StepStatus.FAILED}
        assert {name for name, count in left.items() if count} == failed
        return
    ends: dict[int, int] = {}
    for at, (before, latency_ms, _) in enumerate(nodes):
        earliest = max((ends[n] for n in before), default=0)
        found = started(lab)[f"s{at}"]
        assert found >= earliest if width else found == earliest
        ends[at] = found + latency_ms
    assert width is None or lab.tools.widest <= width
