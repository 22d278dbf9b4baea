"""The geometry of gauges and trends: where the low and the high end are, and no line of one point."""

import pytest

from conformance.report import Verdict
from conformance.report_history import PastMetric, PastRun
from conformance.report_model import Gauge, Metric
from conformance.reporters.html_charts import HEIGHT, MARGIN, WIDTH, colour_class, dial, trend


def _gauge(value, goal=0.0, **fields):
    return Gauge(value=value, goal=goal, low=0, high=100, better="higher", unit="%", **fields)


def _metric(value):
    return Metric(id="m", title="t", verdict=Verdict.MET, figure="f", gauge=_gauge(value))


def _past(moment, value):
    metric = PastMetric("missed", value, 0.0, "%", "f")
    return PastRun("s", moment, "1", 1, {}, {"m": metric})


@pytest.mark.parametrize(
    ("value", "end"), [(50, "0.0 -50.0"), (100, "50.0 -0.0"), (200, "50.0 -0.0")]
)
def test_a_dial_is_filled_from_the_left(value, end):
    assert dial(_gauge(value)).fill.endswith(end)


def test_nothing_is_filled_at_the_low_end_and_the_goal_has_its_mark():
    shown = dial(_gauge(0, goal=50))
    assert shown.fill == ""
    assert shown.goal == (0.0, -41.0, 0.0, -59.0)
    assert shown.label == "0%, goal at least 50%"


def test_a_scale_without_a_length_is_no_division_by_zero():
    assert dial(Gauge(value=3, goal=3, low=3, high=3, better="lower", unit="uses")).fill == ""


def test_a_trend_goes_from_the_oldest_to_this_run():
    line = trend(_metric(30), [_past("2026-11-01", 10), _past("2026-11-02", None)], "2026-11-03")
    assert [point.verdict for point in line.points] == ["missed", "met"]
    assert (line.points[0].x, line.points[0].y) == (MARGIN, HEIGHT - MARGIN)
    assert (line.points[1].x, line.points[1].y) == (WIDTH - MARGIN, MARGIN)
    assert line.label == "2 runs, from 10 to 30"


def test_this_run_is_not_drawn_twice_and_one_run_is_no_line():
    assert trend(_metric(30), [_past("now", 30)], "now") is None


def test_a_flat_line_is_in_the_middle():
    line = trend(_metric(10), [_past("2026-11-01", 10)], "now")
    assert {point.y for point in line.points} == {HEIGHT / 2}


def test_every_verdict_has_a_style():
    assert [colour_class(verdict) for verdict in Verdict] == ["good", "bad", "unsure"]
