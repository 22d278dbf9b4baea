"""Without this the simulated world, in which nearly everything runs, could be another world."""

from collections import Counter
from dataclasses import replace

import pytest

from chaos.campaign import working
from chaos.campaign.working import examine
from chaos.case import Case, Judgement
from chaos.explore.singles import singles
from chaos.fault_id import format_case
from chaos.fault_kinds import BY_KIND, FaultKind
from chaos.running import PROCESS, simulate

SIGKILLS_MIN = 40
PLANS = ("chain2", "chain3+comp", "retry", "confirmation", "at-most-once", "queryable")
EVERY = 5


@pytest.mark.redis
@pytest.mark.slow
def test_real_kills_come_to_the_same_in_both_worlds(process_world):
    cases = [case for plan in PLANS for case in _kills(plan)]
    examined = [examine(case) for case in cases]
    assert [one.disagreement for one in examined if one.disagreement] == []
    assert Counter(one.result.judgement for one in examined) == {Judgement.HELD: len(cases)}
    assert sum(one.sigkills for one in examined) >= SIGKILLS_MIN
    assert len(Counter(case.faults[0].kind for case in cases)) == 6, "a way to die is missing"


def _kills(plan: str) -> list[Case]:
    every = [
        case for case in singles(plan, world=PROCESS) if BY_KIND[case.faults[0].kind].ends_life
    ]
    return every[::EVERY]


@pytest.mark.redis
def test_a_simulation_that_comes_to_something_else_is_found_out(process_world, monkeypatch):
    case = next(iter(singles("chain2", world=PROCESS)))
    assert examine(case).disagreement is None
    monkeypatch.setattr(working, "simulate", lambda _: simulate(Case("chain3")))
    said = examine(case).disagreement
    assert said is not None
    assert format_case(case) in said


def test_what_real_processes_cannot_meet_is_left_out():
    left_out = Counter(
        case.faults[0].kind for case in singles("chain1") if case not in _in_sim("chain1")
    )
    assert set(left_out) == {FaultKind.CLOCK_FORWARD, FaultKind.CLOCK_BACK}


def _in_sim(plan: str) -> list[Case]:
    return [replace(case, world="sim") for case in singles(plan, world=PROCESS)]
