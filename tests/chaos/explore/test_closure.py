"""Without these the closure could stop early, or take two places for one, and still look complete."""

import pytest

from chaos.explore.closure import CRASHES, KILLS, SURVIVED, Bounds, closure
from chaos.fault_kinds import CATALOGUE, FaultKind, Target

# Distinct places between two lives, and lives with a crash that lead from one to another.
CRASH_GRAPH = {"chain1": (8, 52), "chain2": (18, 156), "chain3": (38, 372), "diamond": (58, 604)}


@pytest.mark.parametrize(
    "plan",
    [
        "chain1",
        *(pytest.param(plan, marks=pytest.mark.slow) for plan in ("chain2", "chain3", "diamond")),
    ],
)
def test_any_number_of_crashes_leads_to_as_many_places_as_ever(plan):
    report = closure(plan, Bounds(kinds=CRASHES))
    assert report.complete and report.failed == []
    assert (report.states, report.edges) == CRASH_GRAPH[plan]


def test_what_is_pruned_behaves_like_what_it_is_taken_for():
    report = closure("chain1", Bounds(kinds=CRASHES, audited_share=1))
    assert report.audited > 5 and report.disagreed == []


def test_a_closure_that_is_cut_short_says_so():
    assert not closure("chain2", Bounds(kinds=CRASHES, nodes=3)).complete


def test_every_way_to_fail_of_operations_and_calls_is_met_or_told_like_another():
    told_alike = {FaultKind.READ_ONLY, FaultKind.BUSY, FaultKind.NO_REPLICAS}
    targets = (Target.STORE, Target.TOOL)
    assert {fault.kind for fault in CATALOGUE if fault.target in targets} == (
        KILLS | SURVIVED | told_alike
    )
