"""The drawing of two failure rates as text: a wrong scale would show a rise that is none."""

import pytest

from conformance.report_model_failures import RateInterval, Rates
from conformance.reporters.rates_console import drawing, upper_end


def rates(*, unified=(0.02, 0.04, 0.06), margin=0.01, executions=100):
    def interval(name, low, rate, high):
        return RateInterval(
            executor=name,
            source=f"{name}.jsonl",
            executions=executions,
            failures=round(rate * executions),
            rate=rate,
            low=low,
            high=high,
        )

    return Rates(
        margin=margin,
        confidence=0.95,
        difference=0.01,
        bound=0.05,
        p_increase=0.4,
        intervals=(interval("legacy", 0.01, 0.03, 0.05), interval("unified", *unified)),
    )


@pytest.mark.parametrize("width", [40, 100, 120])
def test_a_bar_reaches_from_limit_to_limit_on_one_scale(width):
    lines = drawing(rates(), width=width).plain.splitlines()
    legacy, unified, axis, said = lines
    assert legacy.index("├") < legacy.index("●") < legacy.index("┤")
    assert legacy.index("├") < unified.index("├")
    assert legacy.index("┤") < unified.index("┤")
    assert axis.split() == ["0", "%", "6.30%"]
    assert said.endswith("allowed +1.00%")


def test_what_is_allowed_is_on_the_scale():
    assert upper_end(rates(margin=0.5)) == pytest.approx(0.51 * 1.05)
    assert upper_end(rates(unified=(0.0, 0.5, 1.0))) == 1.0


def test_a_rate_of_nothing_has_no_dot():
    assert "●" not in drawing(rates(executions=0), width=100).plain
