"""Two failure rates and their exact limits as numbers of a drawing. Pure geometry, no markup."""

from dataclasses import dataclass

from conformance.report_model_failures import RateInterval, Rates
from conformance.reporters.rates_console import figures, statement, upper_end

LEFT, RIGHT = 80.0, 620.0  # where the scale begins and ends in a drawing that is 640 wide
ROWS = {"legacy": 30.0, "unified": 80.0}


@dataclass(frozen=True)
class Bar:
    """One executor's interval: from `x1` to `x2`, the observed rate at `x`."""

    name: str
    y: float
    x1: float
    x2: float
    x: float | None
    text: str


@dataclass(frozen=True)
class Drawing:
    """The whole picture.

    `allowed` is where the upper limit of the unified rate has to end: the lower limit of the legacy
    rate and the margin.
    """

    bars: tuple[Bar, ...]
    start: float
    allowed: float
    ticks: tuple[tuple[float, str], ...]
    label: str


def drawing(rates: Rates) -> Drawing:
    """Return the picture of `rates`."""
    scale = upper_end(rates)

    def at(rate: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * min(rate / scale, 1.0), 1)

    def bar(interval: RateInterval) -> Bar:
        return Bar(
            name=interval.executor,
            y=ROWS[interval.executor],
            x1=at(interval.low),
            x2=at(interval.high),
            x=at(interval.rate) if interval.executions else None,
            text=figures(interval),
        )

    low = rates.intervals[0].low
    return Drawing(
        bars=tuple(bar(interval) for interval in rates.intervals),
        start=at(low),
        allowed=at(low + rates.margin),
        ticks=tuple((at(scale * part / 4), f"{scale * part / 4:.2%}") for part in range(5)),
        label=statement(rates),
    )
