"""Without these a kind of fault could stop to fire somewhere, and nobody would see it."""

import pytest

from chaos.campaign.coverage import (
    covering_cases,
    gaps,
    reachable_cells,
    row_of,
    site_points,
    unreachable,
)
from chaos.campaign.profile import PR_PLANS
from chaos.campaign.result import Cell
from chaos.campaign.working import examine
from chaos.explore.sampling import reachable, site_class
from chaos.explore.singles import sites_of
from chaos.fault_kinds import FaultKind
from chaos.plans import named_plans, shape_plans


def struck(cells):
    return [Cell(site=site, kind=kind, runs=1, fired=1) for site, kind in cells]


SITES = [one.site for one in site_points()]


def test_every_kind_is_reachable_somewhere_and_every_declaration_holds_somewhere():
    assert {kind for _, kind in reachable_cells()} == set(map(str, FaultKind))
    cells = [(site, str(kind)) for site in SITES for kind in FaultKind]
    for declared in unreachable():
        assert declared.reason
        assert any(declared.holds(*cell) for cell in cells)


def test_what_singles_can_reach_is_not_declared_to_be_unreachable():
    assert reachable(PR_PLANS) <= reachable_cells()


@pytest.mark.slow
def test_each_class_of_call_sites_has_a_case_that_is_struck_there():
    for case in list(covering_cases(PR_PLANS))[::12]:
        result = examine(case).result
        assert result.judgement == "held", result
        assert result.fired == case.faults
        assert {row_of(site) for _, site, *_ in result.sites} <= set(SITES)


def test_every_class_of_call_sites_that_a_plan_passes_is_listed():
    passed = {
        site_class(site)
        for plan in (*named_plans(), *shape_plans())
        for _, site, *_ in sites_of(plan)
    }
    assert passed - set(SITES) == set()


def test_a_cell_that_is_not_struck_is_a_gap():
    assert not list(gaps(struck(reachable_cells()), SITES))
    missing = reachable_cells() - {("commit", "A")}
    (gap,) = gaps(struck(missing), SITES)
    assert gap.subject == "commit A"
    assert not gap.stale


def test_a_declaration_that_is_refuted_is_stale():
    (gap,) = gaps(struck(reachable_cells() | {("tool", "A")}), SITES)
    assert gap.stale
    (gap,) = gaps(struck(reachable_cells()), [*SITES, "shrug"])
    assert gap.stale
    assert "no call site" in gap.message
