"""Without these a segment could run on, stop short or undo at the wrong moment."""

from dataclasses import replace
from typing import Any

import pytest

from engine.decision import (
    AwaitPerson,
    Complete,
    Moment,
    RollBack,
    RunBatch,
    Sleep,
    Yield,
    decide,
    needs_confirmation,
)
from engine.progress import Progress
from engine.states import StepStatus as S
from engine.types.execution import StepState, YieldReason
from tests.engine.lab import plan_of, step

CALM = Moment(
    now_ms=1_000,
    budget_left_ms=100.0,
    cancel_requested=False,
    yield_requested=False,
    timed_out=False,
)


def progress(*states: dict[str, Any], asks: bool = False) -> Progress:
    """Independent steps in these states."""
    plan = plan_of(*(step(f"s{at}", requires_confirmation=asks) for at in range(len(states))))
    return Progress(plan, [StepState(id=f"s{at}", **state) for at, state in enumerate(states)])


def at(**changes: Any) -> Moment:
    return replace(CALM, **changes)


PENDING, DONE, FAILED = {"status": S.PENDING}, {"status": S.COMPLETED}, {"status": S.FAILED}
BEGUN, DOUBT = {"status": S.IN_PROGRESS}, {"status": S.IN_DOUBT}
LATER = {"status": S.PENDING, "retry_at_ms": 1_050}
MUCH_LATER = {"status": S.PENDING, "retry_at_ms": 1_101}


@pytest.mark.parametrize(
    ("states", "moment", "action"),
    [
        ([], CALM, Complete()),
        ([DONE], at(budget_left_ms=0.0, cancel_requested=True, timed_out=True), Complete()),
        ([DONE, PENDING], at(cancel_requested=True), RollBack("cancelled")),
        ([FAILED, PENDING], at(cancel_requested=True), RollBack("cancelled")),
        ([FAILED, PENDING], at(budget_left_ms=0.0), RollBack("failed")),
        ([FAILED, BEGUN, PENDING], CALM, RunBatch([1])),
        ([BEGUN, PENDING], at(cancel_requested=True), RunBatch([0])),
        ([PENDING], at(timed_out=True), RollBack("timeout")),
        ([PENDING], at(yield_requested=True), Yield(YieldReason.REQUESTED)),
        ([PENDING], at(budget_left_ms=0.0), Yield(YieldReason.BUDGET)),
        ([PENDING], at(budget_left_ms=0.001), RunBatch([0])),
        ([PENDING], at(budget_left_ms=None), RunBatch([0])),
        ([PENDING, DONE, BEGUN], CALM, RunBatch([2])),
        ([PENDING, DONE, BEGUN], at(by_layers=False), RunBatch([0, 2])),
        ([LATER, PENDING], CALM, RunBatch([1])),
        ([{"status": S.PENDING, "retry_at_ms": 1_000}], CALM, RunBatch([0])),
        ([LATER, MUCH_LATER], CALM, Sleep(1_050)),
        ([LATER], at(budget_left_ms=50.0), Sleep(1_050)),
        ([LATER], at(budget_left_ms=49.0), Yield(YieldReason.TIMER, due_at_ms=1_050)),
        ([MUCH_LATER], at(budget_left_ms=None), Sleep(1_101)),
        ([DOUBT, PENDING], CALM, RunBatch([1])),
        ([DOUBT], CALM, AwaitPerson(0, "in_doubt")),
        ([DOUBT, FAILED], CALM, RollBack("failed")),
    ],
)
def test_what_happens_next(states: list[dict[str, Any]], moment: Moment, action: object) -> None:
    assert decide(progress(*states), moment) == action


def test_a_person_is_asked_about_one_step_after_the_other() -> None:
    assert decide(progress(PENDING, PENDING, asks=True), CALM) == AwaitPerson(
        0, "requires_confirmation"
    )
    approved = {"status": S.PENDING, "confirmed": True}
    assert decide(progress(PENDING, approved, asks=True), CALM) == RunBatch([1])
    assert decide(progress(approved, approved, asks=True), CALM) == RunBatch([0, 1])


def test_the_step_or_the_plan_can_ask_for_confirmation() -> None:
    plan = plan_of(
        step("a", requires_confirmation=True),
        step("b", tool="pay"),
        step("c"),
        constraints={"require_confirmation_for": ["pay"]},
    )
    found = Progress(plan, [StepState(id=one.id) for one in plan.steps])
    assert [needs_confirmation(found, index) for index in range(3)] == [True, True, False]
    found.states[1] = StepState(id="b", confirmed=True)
    assert not needs_confirmation(found, 1)
