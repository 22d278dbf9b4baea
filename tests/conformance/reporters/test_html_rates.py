"""The drawing of two failure rates in the page: geometry that a reader takes for the verdict."""

from conformance.reporters.html_rates import LEFT, RIGHT, drawing

from .test_rates_console import rates


def test_all_of_it_is_within_the_picture_and_in_order():
    picture = drawing(rates())
    legacy, unified = picture.bars
    for bar in picture.bars:
        assert LEFT <= bar.x1 <= bar.x <= bar.x2 <= RIGHT
    assert legacy.x1 == picture.start < picture.allowed
    assert unified.x2 > picture.allowed, "more than the margin above the lower limit of legacy"
    assert picture.ticks[0][0] == LEFT
    assert picture.ticks[-1][0] == RIGHT


def test_a_rate_of_nothing_has_no_dot():
    assert [bar.x for bar in drawing(rates(executions=0)).bars] == [None, None]
