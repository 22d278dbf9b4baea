"""Without this the simulated world, in which nearly everything runs, could be another world."""

from collections import Counter

import pytest

from chaos.agreement import agreement
from chaos.case import Case
from chaos.explore.singles import singles
from chaos.fault_id import parse_case
from chaos.fault_kinds import BY_KIND

SIGKILLS_MIN = 40
PLANS = ("chain2", "chain3+comp", "retry", "confirmation", "at-most-once", "queryable")
EVERY = 5


@pytest.mark.redis
@pytest.mark.slow
def test_real_kills_come_to_the_same_in_both_worlds(process_world):
    cases = [case for plan in PLANS for case in _kills(plan)]
    report = agreement(cases)
    assert report.agrees, report.disagreements
    assert report.sigkills >= SIGKILLS_MIN
    assert report.held == report.cases == len(cases)
    assert not report.left_out
    assert len(Counter(case.faults[0].kind for case in cases)) == 6, "a way to die is missing"


def _kills(plan: str) -> list[Case]:
    every = [case for case in singles(plan) if BY_KIND[case.faults[0].kind].ends_life]
    return every[::EVERY]


@pytest.mark.redis
def test_faults_of_one_world_only_are_left_out_and_an_empty_comparison_agrees_with_nothing(
    process_world,
):
    report = agreement([parse_case("chain1/L1@begin#1:JUMP+")])
    assert report.left_out == ("chain1/L1@begin#1:JUMP+",)
    assert not report.agrees
