"""Without these a bug that was found once could come back unseen."""

import pytest

from chaos.case import Case
from chaos.oracle import PREDICATES, judge
from chaos.plans import find_plan
from chaos.regressions import Regression, regressions
from chaos.running import simulate


@pytest.mark.parametrize("saved", regressions(), ids=lambda saved: saved.case.plan)
def test_no_bug_has_come_back(saved: Regression) -> None:
    world, reference = simulate(saved.case), simulate(Case(saved.case.plan))
    assert not world.agenda.left
    plan = find_plan(saved.case.plan)
    assert judge(world.recorder.history, plan, reference.recorder.history) == ()


def test_each_says_what_found_it() -> None:
    assert {saved.found_by for saved in regressions()} <= {one.id for one in PREDICATES}
    assert all(saved.what and saved.since <= saved.last_reproduced for saved in regressions())
