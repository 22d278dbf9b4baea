"""Without these the engine's documentation could promise what no campaign has shown."""

from pathlib import Path

import pytest

import engine
from chaos.campaign.guarantees import BEGIN, END, cells, markdown, recorded, recorded_cells
from chaos.campaign.planning import singles_units
from chaos.campaign.tallying import Tallying
from chaos.campaign.working import work
from chaos.case import StorePolicy
from chaos.oracle.promises import Disturbance
from engine import EffectSemantics

README = Path(engine.__file__).parent / "README.md"


def test_the_documentation_shows_what_was_measured():
    _, _, rest = README.read_text("utf-8").partition(BEGIN)
    shown, end, _ = rest.partition(END)
    assert end
    assert shown.strip() == markdown(recorded())


def test_nothing_that_was_measured_breaks_a_promise():
    found = list(cells(recorded_cells()))
    assert not [cell for cell in found if cell.holds is False]
    measured = {(cell.tool_class, cell.disturbance) for cell in found if cell.holds}
    wanted = {
        (str(effects), disturbance)
        for effects in EffectSemantics
        for disturbance in Disturbance
        if effects is not EffectSemantics.READ_ONLY and disturbance is not Disturbance.NONE
    }
    assert wanted <= measured
    assert {cell.policy for cell in found if cell.holds} == set(StorePolicy)


@pytest.mark.parametrize("plan", ["unkeyed", "queryable"])
def test_a_sample_measures_the_same(plan):
    tally = Tallying()
    for unit in list(singles_units(plan))[::3]:
        tally.merge(work(unit))
    known = {(one.tool_class, one.disturbance, one.policy): one for one in recorded_cells()}
    assert tally.measured
    for key, cell in tally.measured.items():
        assert not cell.broken
        assert cell.most_ever <= known[key].most_ever
        assert cell.completed == 0 or known[key].least <= cell.least


def test_a_broken_promise_is_shown():
    document = recorded() | {
        "measured": [
            {**one, "broken": 3} if one["tool_class"] == "keyed" else one
            for one in recorded()["measured"]
        ]
    }
    assert "BROKEN in 3" in markdown(document)
