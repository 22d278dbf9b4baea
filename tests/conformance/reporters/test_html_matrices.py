"""The matrices of a chaos campaign: what was not run is not what passed."""

from conformance.report_model_chaos import Chaos
from conformance.reporters.html_matrices import coverage, kills

from .conftest import CHAOS


def test_coverage_tells_not_run_from_not_fired_from_violated():
    matrix = coverage(CHAOS)
    assert matrix.columns == ("A", "B", "TA")
    styles = {name: [cell.style for cell in cells] for name, cells in matrix.rows}
    assert styles == {
        "charge.commit": ["good", "bad", "none"],
        "charge.tool": ["none", "none", "unsure"],
    }
    assert matrix.summary == "2 of 6 cells covered, 1 with violations"


def test_a_harmless_mutant_must_survive():
    matrix = kills(CHAOS)
    assert matrix.summary == "1 of 1 mutants killed, 0 of 1 harmless ones flagged"
    assert [cells[0].text for _, cells in matrix.rows] == ["killed", "survived"]
    flagged = CHAOS.kills[1].model_copy(update={"killed": True})
    matrix = kills(CHAOS.model_copy(update={"kills": (flagged,)}))
    assert matrix.rows[1][1][0].style == "bad"
    assert matrix.summary == "0 of 1 mutants killed, 1 of 1 harmless ones flagged"


def test_a_campaign_without_them_has_none():
    assert coverage(Chaos()) is None
    assert kills(Chaos()) is None
