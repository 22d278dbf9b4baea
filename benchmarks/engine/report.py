"""The figures as plain data and as text, and the targets that are set for the engine. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.engine.contenders import FLOOR, LEGACY, OURS
from benchmarks.engine.measurement import Figures, Series

SCHEMA_VERSION = "benchmark-engine/v1"
SPARE_ROUND_TRIPS = 3
BYTES_TOLERANCE = 0.10
RATIO_ALONE = 0.5
RATIO_AT_ONCE = 0.7
OVER_LEGACY = {"100 steps": 5.0, "1000 steps": 30.0}


def document(
    figures: Mapping[str, Figures],
    listed: Sequence[Series],
    unmeasured: Mapping[str, str],
) -> dict[str, Any]:
    """Return everything that was measured, rounded."""
    return {
        "benchmark": "engine",
        "schema_version": SCHEMA_VERSION,
        "floor": FLOOR,
        "contenders": {name: _contender(name, item, listed) for name, item in figures.items()},
        "not_measured": dict(unmeasured),
        "targets": judged(figures, listed),
    }


def _contender(name: str, item: Figures, listed: Sequence[Series]) -> dict[str, Any]:
    series = {
        one.name: {
            "steps_per_second": round(item.median(one.name, "steps_per_s")),
            "over_floor": round(item.median(one.name, "ratio"), 4),
            "over_floor_cpu": round(item.median(one.name, "cpu_ratio"), 4),
            "over_floor_each": [round(sample.ratio, 4) for sample in item.samples[one.name]],
            "workflows": one.load_of(name).workflows * len(item.samples[one.name]),
            "at_once": one.load_of(name).at_once,
        }
        for one in listed
        if one.name in item.samples
    }
    sent = {
        steps: {"bytes_per_step": round(one.bytes_per_step, 1), "round_trips": one.round_trips}
        for steps, one in item.sent.items()
    }
    return {
        "series": series,
        "sent": sent,
        "peak_mb": round(item.peak_mb, 1),
        "import_cpu_ms": round(item.import_ms),
    }


def judged(figures: Mapping[str, Figures], listed: Sequence[Series]) -> list[dict[str, Any]]:
    """Return the targets with what was reached; those that were not measured are left out."""
    ours = figures[OURS]
    found = [
        _target(
            f"round trips, {steps} steps", sent.round_trips, at_most=int(steps) + SPARE_ROUND_TRIPS
        )
        for steps, sent in ours.sent.items()
    ]
    if {"100", "1000"} <= ours.sent.keys():
        growth = ours.sent["1000"].bytes_per_step / ours.sent["100"].bytes_per_step
        found.append(
            _target("bytes a step, 1000 steps over 100", growth, at_most=1 + BYTES_TOLERANCE)
        )
    for series in listed:
        least = RATIO_ALONE if series.load.at_once == 1 else RATIO_AT_ONCE
        reached = ours.median(series.name, "ratio")
        found.append(_target(f"over the floor, {series.name}", reached, at_least=least))
    for name, least in OVER_LEGACY.items():
        if LEGACY in figures and name in figures[LEGACY].samples:
            reached = lead(figures, LEGACY, name)
            found.append(_target(f"over the {LEGACY}, {name}", reached, at_least=least))
    for peer in figures:
        if peer not in (FLOOR, OURS, LEGACY):
            found += [
                _target(f"over {peer}, {one.name}", lead(figures, peer, one.name), at_least=1.0)
                for one in listed
            ]
    return found


def lead(figures: Mapping[str, Figures], other: str, series: str) -> float:
    """Return how many times as fast as `other` the engine is: median of the ratios by round."""
    pairs = zip(figures[OURS].samples[series], figures[other].samples[series], strict=False)
    return statistics.median(ours.ratio / its.ratio for ours, its in pairs)


def _target(figure: str, value: float | None, **limit: float) -> dict[str, Any]:
    (kind, bound), *_ = limit.items()
    met = value is not None and (value >= bound if kind == "at_least" else value <= bound)
    shown = value if value is None or isinstance(value, int) else round(value, 3)
    return {"figure": figure, kind: round(bound, 3), "value": shown, "met": met}


def table(found: Mapping[str, Any], listed: Sequence[Series]) -> str:
    """Return the figures as text."""
    names = [one.name for one in listed]
    lines = [
        "steps a second as a ratio to the floor: wall time (processor time)",
        f"{'':30}" + "".join(f"{name:>18}" for name in names),
    ]
    for name, item in found["contenders"].items():
        cells = (item["series"].get(one) for one in names)
        lines.append(f"{name:30}" + "".join(f"{_ratio(cell):>18}" for cell in cells))
    lengths = list(found["contenders"][OURS]["sent"])
    lines += [
        "",
        "bytes a step, and round trips of a workflow",
        f"{'':30}"
        + "".join(f"{length + ' steps':>18}" for length in lengths)
        + f"{'peak MB':>9}{'import ms':>11}",
    ]
    for name, item in found["contenders"].items():
        cells = (item["sent"].get(length) for length in lengths)
        lines.append(
            f"{name:30}"
            + "".join(f"{_sent(cell):>18}" for cell in cells)
            + f"{item['peak_mb']:>9.0f}{item['import_cpu_ms']:>11}"
        )
    lines.append("")
    for name, reason in found["not_measured"].items():
        lines.append(f"not measured: {name}: {reason}")
    for item in found["targets"]:
        kind = "at most" if "at_most" in item else "at least"
        bound = item.get("at_most", item.get("at_least"))
        word = "met" if item["met"] else "MISSED"
        lines.append(f"{word}: {item['figure']}: {item['value']}, {kind} {bound}")
    return "\n".join(lines)


def _ratio(cell: Mapping[str, Any] | None) -> str:
    return "-" if cell is None else f"{cell['over_floor']:.3f} ({cell['over_floor_cpu']:.3f})"


def _sent(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "-"
    trips = "-" if cell["round_trips"] is None else cell["round_trips"]
    return f"{cell['bytes_per_step']:.0f} / {trips}"
