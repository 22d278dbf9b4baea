"""Without these a pair of factors could never meet, or a swarm keep to what it has seen."""

from collections import Counter
from itertools import islice

from chaos.explore.sampling import cell_of, coverage, pairwise, reachable, site_class, swarm
from chaos.fault_id import format_case
from chaos.fault_kinds import FaultKind

PLANS = ("chain2", "chain3+comp")


def test_all_kinds_and_policies_meet_all_plans():
    cases = pairwise(PLANS)
    met = {(case.plan, point.kind) for case in cases for point in case.faults[-1:]}
    assert met == {(plan, kind) for plan in PLANS for kind in FaultKind}
    assert {(case.policy, case.retries) for case in cases if case.policy != "always"} == {
        (policy, retries) for policy in ("everysec", "off", "failover") for retries in (0, 10)
    }


def test_the_same_seed_draws_the_same_cases():
    first, again = (list(islice(swarm(PLANS, seed=3), 60)) for _ in range(2))
    assert list(map(format_case, first)) == list(map(format_case, again))


def test_a_swarm_seeks_cells_that_nobody_has_met():
    cells = reachable(["chain2"])
    known = Counter(dict.fromkeys(cells, 50))
    del known["begin", "B"]
    found = coverage(islice(swarm(["chain2"], covered=known), 100))
    assert found["begin", "B"] > 1


def test_a_site_is_classed_without_its_steps():
    assert site_class("s1.commit+s2.intent") == "commit+intent"
    assert {site for site, _ in reachable(["chain1"])} == {
        "begin",
        "tool",
        "commit+finish",
    }
    assert cell_of(pairwise(["chain1"])[0].faults[-1])
