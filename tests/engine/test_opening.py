"""Without these a first write could be lost, made twice, or made in an execution that is not new."""

from typing import Any

import pytest

from engine.batch import BatchRunner
from engine.events import EventName
from engine.settings import WorkflowSettings
from engine.states import ExecutionStatus, StepStatus
from tests.engine.lab import EXECUTION, Lab, chain, plan_of, step

WORKER = WorkflowSettings.worker()


class Watching(list[Any]):
    """A listener that watches segments too."""

    traceparent = None

    def __call__(self, event: Any) -> None:
        self.append(event)

    def segment(self, _state: Any, *, resumed: bool) -> "Watching":
        assert not resumed
        return self

    def call(self, _call: Any) -> "Watching":
        return self

    def checkpoint_written(self, _duration_ms: float) -> None:
        """Nothing."""

    def end(self, _outcome: str, *, success: bool) -> None:
        assert success


@pytest.mark.parametrize(("listeners", "writes"), [([], 4), ([Watching()], 5)])
def test_a_chain_of_n_steps_costs_n_and_one_writes_unless_it_is_watched(
    listeners: list[Any], writes: int
) -> None:
    lab = Lab()
    client = lab.client()

    async def main() -> int:
        warm = lab.machine(chain(1), execution_id="warm up", settings=WORKER)
        assert (await warm.execute()).success
        machine = lab.machine(chain(3), client=client, settings=WORKER, listeners=listeners)
        assert (await machine.execute()).success
        return len(client.commands)

    assert lab.run(main) == writes


def test_the_events_of_both_are_told_in_order_and_once_durable() -> None:
    lab = Lab()

    async def main() -> list[Any]:
        assert (await lab.machine(chain(1), settings=WORKER).execute()).success
        return await lab.store().events(EXECUTION)

    assert lab.run(main) == lab.events
    assert [event.name for event in lab.events] == [
        EventName.WORKFLOW_STARTED,
        EventName.STEP_STARTED,
        EventName.STEP_COMPLETED,
        EventName.WORKFLOW_COMPLETED,
    ]


def test_an_execution_that_exists_is_continued_and_its_first_write_is_not_made_again() -> None:
    lab = Lab()
    plan = chain(2)

    async def main() -> None:
        assert (await lab.machine(plan, settings=WORKER).submit()).segment_number == 0
        result = await lab.machine(plan, settings=WORKER).execute()
        assert (result.success, result.segment_number) == (True, 1)
        again = await lab.machine(plan, settings=WORKER).execute()
        assert (again.success, again.completed_steps) == (True, 2)

    lab.run(main)
    assert len(lab.tools.calls) == 2
    names = [event.name for event in lab.events]
    assert names.count(EventName.WORKFLOW_STARTED) == names.count(EventName.WORKFLOW_COMPLETED) == 1
    assert names.count(EventName.STEP_STARTED) == 2


def test_a_step_that_cannot_be_sent_has_failed_with_the_beginning() -> None:
    lab = Lab()
    strict = WORKER.strict()
    plan = plan_of(step("a"), step("b", parameters={"x": "$a.nothing"}))

    async def main() -> None:
        result = await lab.machine(plan, settings=strict).execute()
        assert result.status is ExecutionStatus.FAILED
        assert [state.status for state in result.steps] == [StepStatus.COMPLETED, StepStatus.FAILED]

    lab.run(main)
    assert [call.step_id for call in lab.tools.calls] == ["a"]


def test_what_raises_before_the_beginning_is_met_again_under_a_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab, intend, raised = Lab(), BatchRunner.intend, []

    def once(*arguments: Any) -> Any:
        if not raised:
            raised.append(True)
            raise RuntimeError("not yet")
        return intend(*arguments)

    monkeypatch.setattr(BatchRunner, "intend", once)

    async def main() -> bool:
        return (await lab.machine(chain(2), settings=WORKER).execute()).success

    assert lab.run(main)
    assert len(lab.tools.calls) == 2
