"""Without these a closure of a plan with retries would never come to its end."""

from chaos.explore.closure import CRASHES, Bounds, closure


def test_attempts_that_make_no_difference_make_no_states() -> None:
    report = closure("dag1+transient", Bounds(kinds=CRASHES, nodes=50, audited_share=0))
    assert report.complete
    assert report.failed == []
    assert report.states < 20
