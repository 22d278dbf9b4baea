"""Without these a predicate could hold of everything, and a campaign would prove nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import chaos.oracle
from chaos.fault_kinds import FaultKind
from chaos.history import EventWritten, History, LifeEnded, StepView
from chaos.oracle import ASSUMPTIONS, PREDICATES, judge
from chaos.plans import ChaosPlan, find_plan
from tests.chaos.stories import (
    LEASE_MS,
    Story,
    chain,
    compensated,
    failed,
    finish,
    halfway,
    saga,
    started,
    undone,
)

Wrong = dict[str, Callable[[], tuple[ChaosPlan, History, History]]]
CHAIN, SAGA = find_plan("chain2"), find_plan("chain3+comp")
WRONG: Wrong = {}
"""By predicate: a history that violates it, beside its plan and reference."""


def wrong(predicate: str) -> Callable[[Callable[[], Story | History]], None]:
    def register(tell: Callable[[], Story | History]) -> None:
        def story() -> tuple[ChaosPlan, History, History]:
            told = tell()
            if isinstance(told, History):
                return CHAIN, told, chain()
            history = told.settles()
            undisturbed = {CHAIN.name: chain, SAGA.name: saga}.get(told.plan.name)
            reference = undisturbed() if undisturbed else started(told.plan.name).settles()
            return told.plan, history, reference

        assert predicate not in WRONG
        WRONG[predicate] = story

    return register


def ids(plan: ChaosPlan, history: History, reference: History) -> list[str]:
    return [violation.predicate for violation in judge(history, plan, reference)]


def crashed(kind: FaultKind = FaultKind.KILLED_AFTER_EFFECT) -> Story:
    """Return a chain whose second step was called when its process died; it is called again."""
    story = halfway()
    story.does("s2")
    story.fault(kind, "s2.tool")
    story.add(LifeEnded, how="killed")
    story.resumes()
    return story


@wrong("history-well-formed")
def _() -> History:
    return History(chain().records[1:])


@wrong("run-not-lost")
def _() -> Story:
    story = halfway()
    story.durable = replace(story.durable, status=None, steps={}, leased=False, due_at_ms=None)
    story.shows()
    return story


@wrong("begun-once")
def _() -> Story:
    story = halfway()
    story.saves("begin", events=(("WORKFLOW_STARTED", None),))
    return story


@wrong("status-monotone")
def _() -> Story:
    story = halfway()
    story.saves("s1.intent", {"s1": "in_progress"})
    return story


@wrong("result-stable")
def _() -> Story:
    story = halfway()
    story.saves("s1.commit", {"s1": StepView("completed", "another")})
    return story


@wrong("intent-before-call")
def _() -> Story:
    story = started("chain2")
    story.calls("s1")
    return story


@wrong("completed-after-effect")
def _() -> Story:
    story = halfway()
    story.saves("s2.commit", {"s2": "completed"})
    story.does("s2")
    return story


@wrong("completed-not-repeated")
def _() -> Story:
    story = halfway()
    story.calls("s1")
    return story


@wrong("after-dependencies")
def _() -> Story:
    story = started("chain2")
    story.saves("intents", {"s1": "in_progress", "s2": "in_progress"})
    story.calls("s2")
    return story


@wrong("same-call-repeated")
def _() -> Story:
    story = crashed()
    story.calls("s2", key="e:s2:1")
    return story


@wrong("effects-as-promised")
def _() -> Story:
    story = crashed()
    story.does("s2")
    return story


@wrong("at-most-once-not-repeated")
def _() -> Story:
    story = started("dag1+once")
    story.saves("s1.intent", {"s1": "in_progress"})
    story.calls("s1")
    story.fault(FaultKind.KILLED_BEFORE_EFFECT, "s1.tool")
    story.resumes()
    story.calls("s1")
    return story


@wrong("doubt-is-said")
def _() -> Story:
    story = started("dag1+once")
    story.saves("s1.intent", {"s1": "in_progress"})
    story.does("s1")
    story.saves("s1.commit", {"s1": "failed"})
    return story


@wrong("events-gap-free")
def _() -> Story:
    story = halfway()
    story.events += 1
    story.saves("end", events=(("WORKFLOW_YIELDED", None),))
    return story


@wrong("one-terminal-event")
def _() -> Story:
    story = halfway()
    story.does("s2")
    story.ends("COMPLETED", ("STEP_COMPLETED", "s2"), steps={"s2": "completed"})
    return story


@wrong("events-with-their-state")
def _() -> Story:
    story = halfway()
    story.does("s2")
    story.saves("s2.commit", {"s2": "completed"})
    story.operation("event", changed=False)
    story.add(EventWritten, seq=story.events + 1, name="STEP_COMPLETED", step="s2")
    return story


@wrong("final-as-undisturbed")
def _() -> History:
    story = crashed()
    story.calls("s2")
    story.takes_effect("s2", outcome="deduplicated")
    history = finish(story)
    return History([*history.records[:-1], replace(history.records[-1], state_hash="other")])


@wrong("saga-balanced")
def _() -> Story:
    story = failed()
    story.does("s2", undo=True)
    story.saves("undo", {"s2": undone("s2")}, (("SAGA_STEP_COMPENSATED", "s2"),))
    story.ends("COMPENSATED", ("WORKFLOW_FAILED", None))
    return story


@wrong("saga-reversed")
def _() -> Story:
    story = failed()
    story.does("s1", undo=True)
    story.does("s2", undo=True)
    return story


@wrong("compensated-not-repeated")
def _() -> Story:
    story = failed()
    story.does("s2", undo=True)
    story.saves("undo", {"s2": undone("s2")}, (("SAGA_STEP_COMPENSATED", "s2"),))
    story.calls("s2", undo=True)
    return story


@wrong("nothing-after-undoing")
def _() -> Story:
    story = failed()
    story.does("s2", undo=True)
    story.takes_effect("s2", key="another")
    return story


@wrong("remains-are-listed")
def _() -> Story:
    story = failed()
    stuck = StepView("completed", "result of s2", "failed")
    story.saves("undo", {"s2": stuck}, (("SAGA_STEP_FAILED", "s2"),))
    story.ends("COMPENSATION_FAILED", ("WORKFLOW_FAILED", None), remaining=("s1",))
    return story


@wrong("fenced")
def _() -> Story:
    story = crashed()
    story.operation("s2.commit", life=1, epoch=1)
    return story


@wrong("token-of-one-holder")
def _() -> Story:
    story = crashed()
    story.operation("s2.commit", life=1, epoch=2)
    return story


@wrong("keys-of-one-slot")
def _() -> Story:
    story = halfway()
    story.operation("claim", slots=2)
    return story


@wrong("lease-exclusive")
def _() -> Story:
    story = halfway()
    story.at_ms -= LEASE_MS
    story.resumes()
    return story


@wrong("lease-kept")
def _() -> Story:
    story = halfway()
    story.calls("s2")
    story.at_ms += 2 * LEASE_MS
    story.takes_effect("s2")
    return story


@wrong("decided-once")
def _() -> Story:
    story = started("dag1+asks")
    story.saves("s1.intent", {"s1": "in_progress"})
    story.calls("s1")
    return story


@wrong("pauses-kept")
def _() -> Story:
    story = started("dag1+transient")
    story.saves("s1.intent", {"s1": "in_progress"})
    story.calls("s1")
    story.at_ms += 10
    story.calls("s1")
    return story


@wrong("budget-kept")
def _() -> Story:
    story = started("dag2.ab+yields.keyed")
    story.saves("s1.intent", {"s1": "in_progress"})
    story.does("s1")
    story.at_ms += 1_500
    story.saves("s1.commit+s2.intent", {"s1": "completed", "s2": "in_progress"})
    story.calls("s2")
    return story


@wrong("cancel-heeded")
def _() -> Story:
    story = started("cancel")
    story.operation("cancel", life=0)
    for name in ("s1", "s2", "s3"):
        story.saves(f"{name}.intent", {name: "in_progress"})
        story.does(name)
        story.saves(f"{name}.commit", {name: "completed"})
    return story


@wrong("results-written-at-once")
def _() -> Story:
    story = started("saga-once")
    story.saves("intents", {"s1": "in_progress", "s2": "in_progress"})
    story.does("s1")
    story.at_ms += 60
    story.takes_effect("s2")
    return story


@wrong("nothing-after-the-end")
def _() -> Story:
    story = halfway()
    story.ends("FAILED", ("WORKFLOW_FAILED", None))
    story.calls("s2")
    return story


@wrong("told-is-durable")
def _() -> Story:
    story = halfway()
    story.add(LifeEnded, how="returned", status="COMPLETED")
    return story


@wrong("store-faults-fail-no-step")
def _() -> History:
    story = halfway()
    story.fault(FaultKind.READ_ONLY)
    story.saves("s2.commit", {"s2": "failed"}, (("STEP_FAILED", "s2"),))
    return story.settles()


@wrong("store-faults-are-told")
def _() -> Story:
    story = halfway()
    story.add(LifeEnded, how="raised", error_code="EXECUTION_NOT_FOUND")
    return story


@wrong("nothing-left-behind")
def _() -> History:
    history = chain()
    return History([*history.records[:-1], replace(history.records[-1], left_behind=("due",))])


@wrong("never-stranded")
def _() -> Story:
    story = halfway()
    story.saves("claim", due_at_ms=None)
    return story


@wrong("ends-in-time")
def _() -> Story:
    return halfway()


@wrong("attempts-bounded")
def _() -> Story:
    story = halfway()
    story.calls("s2")
    story.calls("s2")
    return story


@wrong("redone-work-bounded")
def _() -> Story:
    story = crashed()
    story.calls("s1")
    story.calls("s2")
    return story


def crashed_and_finished() -> History:
    story = crashed()
    story.calls("s2")
    story.takes_effect("s2", outcome="deduplicated")
    return finish(story)


def lost_and_repeated() -> History:
    story = halfway()
    story.does("s2")
    story.loses()
    story.at_ms += LEASE_MS
    story.begins(resumed=True)
    story.saves("claim", {"s1": "in_progress", "s2": "pending"}, epoch=2, due_at_ms=2 * LEASE_MS)
    for name in ("s1", "s2"):
        story.calls(name)
        story.takes_effect(name, outcome="deduplicated")
        story.saves(name, {name: "completed"}, (("STEP_COMPLETED", name),))
    story.ends("COMPLETED", ("WORKFLOW_COMPLETED", None))
    return story.settles()


def lost_after_the_end() -> History:
    """The store forgets the end, and the event that told of it."""
    story = halfway()
    story.does("s2")
    ended = (("STEP_COMPLETED", "s2"), ("WORKFLOW_COMPLETED", None))
    before = story.durable
    story.ends("COMPLETED", *ended, steps={"s2": "completed"})
    story.loses()
    story.durable, story.events = before, story.events - 2
    story.shows()
    story.resumes()
    story.calls("s2")
    story.takes_effect("s2", outcome="deduplicated")
    return finish(story)


def superseded() -> History:
    """A frozen process makes its call when another has finished the step."""
    story = halfway()
    story.fault(FaultKind.FROZEN)
    story.resumes()
    story.does("s2")
    story.saves("s2.commit", {"s2": "completed"}, (("STEP_COMPLETED", "s2"),))
    story.calls("s2", life=1)
    story.takes_effect("s2", life=1, outcome="deduplicated")
    story.operation("s2.commit", life=1, epoch=1, changed=False, refused="STALE")
    story.add(LifeEnded, life=1, how="raised", error_code="LEASE_LOST")
    story.ends("COMPLETED", ("WORKFLOW_COMPLETED", None))
    return story.settles()


@pytest.mark.parametrize(
    "tell",
    [chain, crashed_and_finished, lost_and_repeated, lost_after_the_end, superseded],
    ids=lambda one: one.__name__,
)
def test_an_honest_history_violates_nothing(tell: Callable[[], History]) -> None:
    assert ids(CHAIN, tell(), chain()) == []


def test_an_honest_saga_violates_nothing() -> None:
    assert ids(SAGA, saga(), saga()) == []


def test_an_undone_effect_that_comes_late_is_for_its_tool_to_refuse() -> None:
    story = failed()
    story.does("s2", undo=True)
    story.saves("undo", {"s2": undone("s2")}, (("SAGA_STEP_COMPENSATED", "s2"),))
    story.takes_effect("s2", outcome="refused", late=True)
    story.does("s1", undo=True)
    assert ids(SAGA, compensated(story), saga()) == []


@pytest.mark.parametrize("predicate", [one.id for one in (*ASSUMPTIONS, *PREDICATES)])
def test_every_predicate_is_violated_by_a_history_made_for_it(predicate: str) -> None:
    plan, history, reference = WRONG[predicate]()
    assert predicate in ids(plan, history, reference)


def test_every_predicate_is_a_module_and_says_what_it_means() -> None:
    others = {"__init__", "facts", "promises"}
    modules = {path.stem for path in Path(chaos.oracle.__file__).parent.glob("*.py")} - others
    listed = [*ASSUMPTIONS, *PREDICATES]
    assert sorted(one.id.replace("-", "_") for one in listed) == sorted(modules)
    assert set(WRONG) == {one.id for one in listed}
    assert all(one.meaning.endswith(".") for one in listed)


def test_witnesses_are_numbers_of_records() -> None:
    plan, history, reference = WRONG["completed-not-repeated"]()
    (found,) = [
        one for one in judge(history, plan, reference) if one.predicate == "completed-not-repeated"
    ]
    assert [type(history.records[at]).__name__ for at in found.witnesses] == [
        "Checkpoint",
        "Attempt",
    ]


def test_no_conclusion_is_drawn_from_what_is_no_history() -> None:
    assert ids(CHAIN, History([]), chain()) == ["history-well-formed"] * 2
