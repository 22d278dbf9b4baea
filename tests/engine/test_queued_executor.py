"""Without these an executor on a queue could lose a plan, wait for ever, or tell a wrong end."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from engine import StepStatus, ToolResult, WorkflowExecutor, WorkflowMachine
from engine.errors import InvalidPlanError, PlanMismatchError
from engine.plan import Plan
from engine.queued_executor import QueuedExecutor
from engine.types.execution import ExecutionResult, YieldReason
from tests.engine.lab import WORKER, Lab, Script, chain, plan_of, step, undo
from tests.engine.test_queued_slices import Queue, slices

PATIENCE_MS = 30_000


def executor(lab: Lab, queue: Queue, name: str = "e", wait_ms: int = PATIENCE_MS) -> QueuedExecutor:
    machines = partial(
        WorkflowMachine, tools=lab.tools, store=lab.store(), clock=lab.clock, settings=WORKER
    )
    return QueuedExecutor(name, machines, queue, clock=lab.clock, wait_ms=wait_ms)


async def with_worker(
    lab: Lab, queue: Queue, body: Callable[[], Coroutine[Any, Any, Any]], *, sweeps: bool = False
) -> Any:
    """Run the body beside a worker that handles messages at their time, and maybe sweeps."""
    work = slices(lab, queue, settings=WORKER)
    over = False

    async def serve() -> None:
        while not over:
            while queue.messages:
                name, due_at_ms = queue.messages.popleft()
                await lab.clock.sleep_ms(max(0, due_at_ms - lab.clock.now_ms()))
                await work.handle(name)
            if sweeps:
                await work.sweep()
            await lab.clock.sleep_ms(100)

    async with asyncio.TaskGroup() as group:
        group.create_task(serve())
        try:
            return await body()
        finally:
            over = True


def run(lab: Lab, plan: Plan, queue: Queue | None = None, **options: Any) -> ExecutionResult:
    queue = queue or Queue()

    async def main() -> Any:
        one = executor(lab, queue)
        assert isinstance(one, WorkflowExecutor)
        one.set_plan(plan)
        return await with_worker(lab, queue, one.execute, **options)

    return lab.run(main)


def test_the_result_is_that_of_the_machine() -> None:
    queued, direct = Lab(), Lab()
    there = run(queued, chain(4))
    here = direct.run(direct.machine(chain(4), settings=WORKER, execution_id="e").execute)
    left_out = {"execution_time_ms", "steps"}
    assert there.model_dump(exclude=left_out) == here.model_dump(exclude=left_out)
    assert [state.output for state in there.steps] == [state.output for state in here.steps]
    assert there.success and there.execution_time_ms > 0


def test_a_failure_is_undone_and_told() -> None:
    lab = Lab()
    lab.tools.scripts["bad"] = Script(answers=[ToolResult.failed("no")])
    plan = plan_of(step("a", compensation=undo("undo")), step("bad", "a"))
    result = run(lab, plan)
    assert (str(result.status), result.compensated_steps) == ("COMPENSATED", ("a",))
    assert not result.success and result.error is not None and result.error.code == "STEP_FAILED"


@pytest.mark.parametrize("queue", [Queue(loses=True), Queue(refuses=True)], ids=["lost", "refused"])
def test_a_message_that_is_lost_is_found_by_the_sweep(queue: Queue) -> None:
    lab = Lab()

    async def main() -> Any:
        one = executor(lab, queue)
        one.set_plan(chain(2))
        await one.submit()
        queue.loses = queue.refuses = False
        return await with_worker(lab, queue, _waited(lab, one), sweeps=True)

    result = lab.run(main)
    assert result.success and lab.tools.count("work") == 2


def _waited(lab: Lab, one: QueuedExecutor) -> Callable[[], Coroutine[Any, Any, ExecutionResult]]:
    async def wait() -> ExecutionResult:
        while (await one.get_state()).completed_at_ms is None:
            await lab.clock.sleep_ms(100)
        return await one.execute()

    return wait


def test_no_worker_is_no_end_but_patience_has_one() -> None:
    lab, queue = Lab(), Queue()

    async def main() -> None:
        one = executor(lab, queue, wait_ms=5_000)
        one.set_plan(chain(2))
        result = await one.execute()
        assert lab.clock.elapsed_ms == 5_000
        assert result.is_partial and not result.success and result.due_at_ms is not None
        assert result.completed_steps == 0
        result = await with_worker(lab, queue, one.execute)
        assert result.success and lab.tools.count("work") == 2
        assert (await one.execute()).success  # nothing is done again
        assert lab.tools.count("work") == 2

    lab.run(main)


def test_a_yield_reaches_the_segment_elsewhere_and_the_caller_gets_what_there_is() -> None:
    lab, queue = Lab(), Queue()
    lab.tools.scripts["work"] = Script(latency_ms=5_000)

    async def main() -> None:
        one = executor(lab, queue)
        one.set_plan(chain(3))

        async def body() -> ExecutionResult:
            async with asyncio.TaskGroup() as group:
                wait = group.create_task(one.execute())
                await lab.clock.sleep_ms(3_000)
                await one.yield_execution("the request is over")
            return wait.result()

        result = await with_worker(lab, queue, body)
        assert result.is_partial and result.yield_reason is YieldReason.REQUESTED
        assert result.completed_steps == 0
        events = [event for event in await lab.store().events("e") if "reason" in event.detail]
        assert [str(event.name) for event in events] == ["WORKFLOW_YIELDED", "WORKFLOW_RESUME"]
        assert events[0].detail["reason"] == "requested"
        begun = lab.tools.started_ms
        assert begun[1] - begun[0] == 5_000
        assert begun[2] - begun[1] == 5_000 + WORKER.resume_delay_ms

    lab.run(main)


def test_a_person_decides_through_the_executor() -> None:
    lab, queue = Lab(), Queue()

    async def main() -> None:
        one = executor(lab, queue)
        one.set_plan(plan_of(step("a"), step("b", "a", requires_confirmation=True)))

        async def body() -> ExecutionResult:
            asked = await one.execute()
            assert asked.is_partial and asked.waiting_for is not None
            assert asked.yield_reason is YieldReason.CONFIRMATION and asked.due_at_ms is None
            await one.confirm("b", asked.waiting_for.token, approved=True)
            return await one.execute()

        assert (await with_worker(lab, queue, body)).success

    lab.run(main)
    assert lab.tools.names == ["a", "b"]


def test_a_cancelled_execution_ends_cancelled() -> None:
    lab, queue = Lab(), Queue()

    async def main() -> None:
        one = executor(lab, queue)
        one.set_plan(chain(2))
        await one.submit()
        assert await one.cancel("no need")
        result = await with_worker(lab, queue, one.execute)
        assert str(result.status) == "CANCELLED" and not lab.tools.calls
        assert not await one.cancel("again")

    lab.run(main)


def test_somebody_who_works_on_it_is_waited_for() -> None:
    lab, queue = Lab(), Queue()
    lab.tools.scripts["work"] = Script(latency_ms=3_000)

    async def main() -> None:
        one = executor(lab, queue)
        one.set_plan(chain(2))
        async with asyncio.TaskGroup() as group:
            group.create_task(lab.machine(chain(2), execution_id="e", settings=WORKER).execute())
            await lab.clock.sleep_ms(500)
            result = await one.execute()
        assert result.success and lab.tools.count("work") == 2

    lab.run(main)


def test_single_steps_are_carried_out_here() -> None:
    lab, queue = Lab(), Queue()

    async def main() -> None:
        one = executor(lab, queue)
        one.set_plan(chain(2))
        first = await one.execute_single_step()
        assert first.has_more and first.step is not None
        assert first.step.status is StepStatus.COMPLETED
        second = await one.execute_single_step(1)
        assert not second.has_more and str(second.status) == "COMPLETED"
        assert not queue.messages

    lab.run(main)


def test_what_is_wrong_with_the_plan_is_told_to_the_caller() -> None:
    lab, queue = Lab(), Queue()

    async def main() -> None:
        one = executor(lab, queue)
        with pytest.raises(InvalidPlanError):
            one.set_plan({"id": "p", "steps": [{"id": "a"}]})
        one.set_plan(chain(1))
        await one.submit()
        other = executor(lab, queue)
        other.set_plan(chain(2))
        with pytest.raises(PlanMismatchError):
            await other.execute()

    lab.run(main)


@pytest.mark.parametrize("package", ["docket", "celery"])
def test_the_engine_does_without_the_queues_and_an_adapter_says_what_it_needs(package: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import engine, engine.resume_worker, engine.queued_executor, engine.adapters\n"
        f"assert not [name for name in sys.modules if name.startswith({package + '.'!r})]\n"
        f"import engine.adapters.{package}_executor\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    extra = {"docket": "pydocket"}.get(package, package)
    assert done.stderr.splitlines()[-1].endswith(f"pip install 'planproof[{extra}]'")
