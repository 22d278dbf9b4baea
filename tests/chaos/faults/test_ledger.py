"""Without these the outside world could forgive an executor what no callee would."""

import pytest

from chaos.faults.ledger import Ledger
from chaos.plans import ToolScript
from chaos.port import CallRequest
from engine import EffectSemantics

UNDO = ToolScript(compensates="book")


def request(key: str = "k", *, tool: str = "book", compensation: bool = False) -> CallRequest:
    return CallRequest("s1", tool, key, 1, {"of": "s1"}, compensation)


@pytest.mark.parametrize(
    ("effects", "second", "left"),
    [
        (EffectSemantics.KEYED, "deduplicated", 1),
        (EffectSemantics.UNKEYED, "applied", 2),
        (EffectSemantics.AT_MOST_ONCE, "applied", 2),
        (EffectSemantics.QUERYABLE, "applied", 2),
        (EffectSemantics.READ_ONLY, None, 0),
    ],
)
def test_only_a_keyed_callee_knows_a_call_again(effects, second, left):
    ledger, script = Ledger(), ToolScript(effects)
    ledger.apply(request(), script)
    assert ledger.apply(request(), script) == second
    assert sum(ledger.effects.values()) == left


def test_what_was_undone_refuses_a_late_effect():
    ledger = Ledger()
    ledger.apply(request(), ToolScript())
    undo = request("k:undo", tool="unbook", compensation=True)
    assert [ledger.apply(undo, UNDO) for _ in range(2)] == ["applied", "deduplicated"]
    assert ledger.apply(request("late"), ToolScript()) == "refused"


def test_undoing_what_never_happened_is_told_apart():
    assert Ledger().apply(request("k:undo", tool="unbook", compensation=True), UNDO) == "empty"


def test_outcomes_come_in_turn_and_the_last_one_stays():
    ledger, script = Ledger(), ToolScript(outcomes=("fail", "raise", "ok"))
    assert [ledger.reach(request(), script) for _ in range(4)] == ["fail", "raise", "ok", "ok"]


def test_a_copy_has_a_life_of_its_own():
    ledger = Ledger()
    copy = ledger.copy()
    ledger.apply(request(), ToolScript())
    assert copy == Ledger() != ledger
