"""The page's drawings as numbers and paths: gauges and trends. Pure geometry, no markup."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.report import Verdict
from conformance.report_history import PastRun
from conformance.report_model import Gauge, Metric

RADIUS = 50.0
WIDTH, HEIGHT, MARGIN = 160.0, 36.0, 4.0


@dataclass(frozen=True)
class Dial:
    """A half circle of radius `RADIUS` around the origin: the filled arc and the goal's mark."""

    track: str
    fill: str
    goal: tuple[float, float, float, float]
    value: str
    label: str


@dataclass(frozen=True)
class Point:
    """One run in a trend: where it is drawn, and what it says."""

    x: float
    y: float
    text: str
    verdict: str


@dataclass(frozen=True)
class Trend:
    """A line through past values and this run's, the newest at the right."""

    line: str
    points: tuple[Point, ...]
    label: str


def dial(gauge: Gauge) -> Dial:
    """Return a gauge as a dial from left (low) to right (high)."""
    span = gauge.high - gauge.low
    share = (gauge.value - gauge.low) / span if span else 0.0
    goal = (gauge.goal - gauge.low) / span if span else 0.0
    inner, outer = _at(goal, RADIUS - 9), _at(goal, RADIUS + 9)
    unit = gauge.unit if gauge.unit == "%" else f" {gauge.unit}"
    bound = "at least" if gauge.better == "higher" else "at most"
    return Dial(
        track=_arc(0, 1),
        fill=_arc(0, share) if share > 0 else "",
        goal=(*inner, *outer),
        value=f"{_number(gauge.value)}{unit if gauge.unit == '%' else ''}",
        label=f"{_number(gauge.value)}{unit}, goal {bound} {_number(gauge.goal)}{unit}",
    )


def trend(metric: Metric, past: Sequence[PastRun], now: str) -> Trend | None:
    """Return a metric's values over past runs and this one; None where there is no line."""
    values = [
        (run.started_at, found.value, found.verdict)
        for run in past
        if run.started_at != now
        and (found := run.metrics.get(metric.id)) is not None
        and found.value is not None
    ]
    if metric.gauge is not None:
        values.append((now or "this run", metric.gauge.value, metric.verdict.value))
    if len(values) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    numbers = [value for _, value, _ in values]
    low, high = min(numbers), max(numbers)
    points = tuple(
        Point(
            x=round(MARGIN + (WIDTH - 2 * MARGIN) * index / (len(numbers) - 1), 1),
            y=round(_height(number, low, high), 1),
            text=f"{moment[:16].replace('T', ' ')}: {_number(number)}",
            verdict=verdict,
        )
        for index, ((moment, _, verdict), number) in enumerate(zip(values, numbers, strict=True))
    )
    return Trend(
        line=" ".join(f"{point.x},{point.y}" for point in points),
        points=points,
        label=f"{len(points)} runs, from {_number(numbers[0])} to {_number(numbers[-1])}",
    )


def colour_class(verdict: Verdict | str) -> str:
    """Return the style of a verdict; its word stands beside it always."""
    return {"met": "good", "missed": "bad"}.get(str(verdict), "unsure")


def _height(number: float, low: float, high: float) -> float:
    share = (number - low) / (high - low) if high > low else 0.5
    return HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN)


def _at(share: float, radius: float) -> tuple[float, float]:
    angle = math.pi * (1 - min(max(share, 0.0), 1.0))
    return round(radius * math.cos(angle), 2), round(-radius * math.sin(angle), 2)


def _arc(start: float, end: float) -> str:
    (x0, y0), (x1, y1) = _at(start, RADIUS), _at(end, RADIUS)
    return f"M{x0} {y0}A{RADIUS:g} {RADIUS:g} 0 0 1 {x1} {y1}"


def _number(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
