"""Without these a kind of fault could stop to happen, or a point get lost, and nobody would see."""

from collections import Counter

import pytest

from chaos.case import Case, Judgement
from chaos.explore.singles import points, singles, sites_of
from chaos.fault_id import format_case, parse_case
from chaos.fault_kinds import CATALOGUE
from chaos.history import Settled
from chaos.running import run_case, simulate

# Operations of the store and calls of tools that an undisturbed run passes. Fewer is lost coverage.
POINTS = {
    "chain1": (2, 1),
    "chain2": (3, 2),
    "chain3": (4, 3),
    "diamond": (5, 4),
    "saga": (7, 7),
    "yields": (10, 3),
    "confirmation": (11, 3),
    "long-call": (12, 2),
}


def _final(case: Case) -> Settled:
    record = simulate(case).recorder.history.records[-1]
    assert isinstance(record, Settled)
    return record


@pytest.mark.parametrize("plan", POINTS)
def test_the_points_of_a_plan_are_as_many_as_ever(plan):
    counted = Counter(target for *_, target in sites_of(plan))
    assert (counted["store"], counted["tool"]) == POINTS[plan]


def test_sites_are_named_by_step_and_operation():
    assert [site for _, site, _, _ in sites_of("chain2")] == [
        "begin",
        "s1.tool",
        "s1.commit+s2.intent",
        "s2.tool",
        "s2.commit+finish",
    ]


@pytest.mark.parametrize("retries", [0, 10])
def test_every_single_fault_of_a_chain_fires_and_changes_nothing(retries):
    expected = _final(Case("chain2"))
    for case in singles("chain2", retries=[retries]):
        result = run_case(case)
        assert result.judgement is Judgement.HELD, (format_case(case), result.note)
        assert result.fired == case.faults
        if case.faults[0].kind in ("TE", "TX"):  # a tool that fails fails its step
            continue
        found = _final(case)
        assert (found.status, found.state_hash) == (expected.status, expected.state_hash)
        assert found.in_time and not found.left_behind, format_case(case)


def test_every_kind_that_loses_no_write_is_among_the_singles():
    kinds = {point.kind for point in points(sites_of("chain1"))}
    missing = {fault.kind for fault in CATALOGUE} - kinds
    assert missing == {"CUT", "FAILOVER"}


def test_a_case_can_be_found_again_by_its_id():
    for case in singles("chain1"):
        assert parse_case(format_case(case)) == case
