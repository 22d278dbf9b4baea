"""Without these a failure would be told in words that only its finder understands."""

from chaos.fault_id import parse_case
from chaos.running import replay
from conformance.chaos_legacy import RestartedLegacyPort
from conformance.report_model_timeline import case_timeline, story

CASE = "chain2/L1@s1.tool#1:TA/subject=legacy-restarted"


def test_a_failure_is_drawn_in_lanes_with_its_fault_and_its_witnesses():
    result, history = replay(CASE, port_factory=RestartedLegacyPort)
    drawn = case_timeline(result, history, "again")
    assert drawn.case == CASE
    assert {row.lane for row in drawn.rows} == {"worker", "store", "ledger"}
    (fault,) = [row for row in drawn.rows if row.fault]
    assert "killed after the effect" in fault.text
    twice = [row for row in drawn.rows if "effects-as-promised" in row.witness_of]
    assert [row.lane for row in twice] == ["ledger", "ledger"]
    broken = {one.id: one for one in drawn.broken}
    assert "2 effects" in broken["effects-as-promised"].message
    assert broken["effects-as-promised"].meaning


def test_what_was_done_is_told_in_a_sentence():
    assert story(parse_case("chain2")).endswith("nothing was done to it.")
    assert "killed after the effect" in story(parse_case(CASE))
