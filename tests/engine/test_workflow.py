"""Without these the two-line way could lose a resume, a connection or an option."""

from typing import Any

import pytest

from engine import ExecutionStatus, ToolResult, execute_workflow
from engine.errors import InvalidPlanError
from engine.settings import WorkflowSettings
from tests.engine.lab import EXECUTION, Lab, Script, chain, plan_of, step


def run(lab: Lab, plan: Any, **options: Any) -> Any:
    async def main() -> Any:
        return await execute_workflow(plan, lab.tools, clock=lab.clock, **options)

    return lab.run(main)


def test_segments_are_resumed_when_due() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=4_000)
    result = run(lab, chain(4))
    assert (result.success, result.segment_number) == (True, 2)
    assert lab.tools.started_ms == [0, 4_000, 10_000, 14_000]


def test_a_partial_result_on_request() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=4_000)
    result = run(lab, chain(4), resume=False)
    assert result.is_partial and result.completed_steps == 2


def test_a_wait_for_a_person_is_returned() -> None:
    lab = Lab()
    result = run(lab, plan_of(step("a", requires_confirmation=True)))
    assert result.status is ExecutionStatus.AWAITING_CONFIRMATION and result.waiting_for


def test_a_retry_long_after_the_budget_is_waited_for() -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script([ToolResult.failed("x"), ToolResult.ok()])
    policy = {"max_attempts": 2, "backoff_ms": 3_600_000}
    assert run(lab, plan_of(step("s", retry_policy=policy))).success
    assert lab.tools.started_ms == [0, 3_600_010]


def test_each_run_is_an_execution_of_its_own_unless_it_is_named() -> None:
    lab = Lab()

    async def main() -> list[str]:
        store = lab.store()
        names = []
        for execution_id in (None, None, EXECUTION, EXECUTION):
            result = await execute_workflow(
                chain(1), lab.tools, execution_id=execution_id, store=store, clock=lab.clock
            )
            names.append(result.execution_id)
        return names

    names = lab.run(main)
    assert len(set(names)) == 3 and names[2:] == [EXECUTION] * 2
    assert lab.tools.count("work") == 3


def test_a_store_that_is_named_by_url_is_shared_and_closed() -> None:
    lab = Lab()
    for _ in range(2):
        assert run(lab, chain(1), execution_id="e", store_url="memory://test_workflow").success
    assert lab.tools.count("work") == 1


def test_a_bad_plan_is_refused_before_anything_is_written() -> None:
    lab = Lab()
    with pytest.raises(InvalidPlanError):
        run(lab, {"id": "p", "steps": [step("a", "a")]})


def test_settings_are_handed_on() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=50)
    settings = WorkflowSettings(step_abort_ms=49)
    assert run(lab, chain(1), settings=settings).status is ExecutionStatus.FAILED
