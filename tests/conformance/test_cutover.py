"""Without these an execution could be lost, or repeat its work, while it changes hands."""

from collections import Counter

import pytest

from chaos.case import Judgement
from chaos.fault_id import format_case, parse_case
from conformance import chaos_cutover
from conformance.cutover import (
    Outcome,
    cutover_facts,
    cutover_units,
    first_deaths,
    replay_cutover,
    run_unit,
    sweep,
)
from conformance.errors import UsageError
from engine.adopted_state import AdoptedState
from engine.errors import AdoptionRefusedError

UNDER_WAY = "at-most-once/L1@s2.tool#1:TA/subject=legacy-adopted"
BETWEEN = "chain2/L1@s2.intent#1:A/L2@adopt#1:A/subject=legacy-adopted"


def test_whoever_dies_in_a_plan_of_one_step_somebody_ends_it():
    found = sweep("chain1")
    assert (found.legacy_points, found.places, found.adopter_points) == (13, 7, 53)
    assert found.outcomes == Counter({Outcome.FINISHED: 114, Outcome.REPEATED: 18})
    assert found.failures == []


def test_the_legacy_executor_dies_at_its_operations_and_at_its_calls():
    assert {str(point.kind) for point in first_deaths("chain1")} == {"B", "A", "TB", "TA"}


def test_a_call_that_cannot_be_repeated_is_left_to_a_person():
    result, history = replay_cutover(parse_case(UNDER_WAY))
    assert result.judgement is Judgement.HELD
    calls = [one.step for one in history.records if type(one).__name__ == "Attempt"]
    assert calls == ["s1", "s2"]


def test_a_replay_has_the_same_history():
    first, again = (replay_cutover(parse_case(BETWEEN))[0] for _ in range(2))
    assert format_case(first.case) == BETWEEN
    assert (first.digest, first.judgement) == (again.digest, Judgement.HELD)
    assert [str(point.kind) for point in first.fired] == ["A", "A"]


def test_an_adopter_that_forgets_results_is_found_out(monkeypatch):
    monkeypatch.setattr(AdoptedState, "_steps", lambda _self, _state: {})
    result, _ = replay_cutover(parse_case("chain2/L1@s1.commit#1:A/subject=legacy-adopted"))
    assert result.judgement is Judgement.VIOLATED
    broken = {violation.predicate for violation in result.violations}
    assert "never-called-again" in broken


def test_a_refusal_with_a_code_is_an_end(monkeypatch):
    async def refuse(execution_id, **_):
        raise AdoptionRefusedError(f"execution {execution_id} is not wanted")

    monkeypatch.setattr(chaos_cutover, "adopt", refuse)
    found = sweep("chain1")
    assert (found.outcomes[Outcome.REFUSED], found.outcomes[Outcome.BROKEN]) == (36, 0)


def test_an_adoption_that_fails_without_a_code_is_broken(monkeypatch):
    async def fail(_execution_id, **_):
        raise KeyError("head")

    monkeypatch.setattr(chaos_cutover, "adopt", fail)
    result, _ = replay_cutover(parse_case("chain1/L1@s1.intent#1:A/subject=legacy-adopted"))
    assert result.judgement is Judgement.VIOLATED


def test_a_unit_tells_how_executions_ended():
    (unit,) = cutover_units(["chain1"])
    result = run_unit(unit)
    assert result.cases == sum(tally.cases for tally in result.tallies) == 132
    facts = dict(cutover_facts(result.tallies))
    assert facts["cutover: finished"] == "114 of 132"
    assert facts["cutover: broken"] == "0 of 132"


def test_a_plan_that_the_legacy_executor_cannot_begin_is_told():
    with pytest.raises(UsageError, match="cannot begin plan confirmation"):
        list(cutover_units(["confirmation"]))
