"""What several renderers say of an item in the same words."""

import json
from collections.abc import Iterator
from typing import Any

from conformance.report_model import Item, RunReport, Timeline

CONTEXT = 3  # events before and after the first one that differs
MAX_VALUE = 400  # characters of one value; the JSON report has all of it


def detail_lines(item: Item, report: RunReport) -> Iterator[str]:
    """Return what is known of an item, a line each: where it differs, how to see it again."""
    if item.title:
        yield item.title
    if item.place is not None:
        yield f"at {item.place.shown}"
    if item.divergence is not None:
        found = item.divergence
        yield f"{found.layer} {found.subject}: {found.path}"
        left, right = names(report)
        yield f"  {left}: {value(found.left)}"
        yield f"  {right}: {value(found.right)}"
    if item.layers:
        yield f"layers that differ: {', '.join(item.layers)}"
    if item.timeline is not None:
        yield from window(item.timeline, report)
    yield from item.evidence
    if item.replay:
        yield f"replay: {item.replay}"


def window(timeline: Timeline, report: RunReport) -> Iterator[str]:
    """Return the events around the first one in which two runs differ."""
    first = timeline.differs_at
    yield f"first differing event (number {first + 1}):"
    yield from (f"  both: {line}" for line in timeline.left[max(0, first - CONTEXT) : first])
    for name, lines in zip(names(report), (timeline.left, timeline.right), strict=True):
        shown = lines[first : first + CONTEXT] or ("(no further event)",)
        yield from (f"  {name}: {value(line)}" for line in shown)


def names(report: RunReport) -> tuple[str, str]:
    """Return the names of the two executors."""
    left, right = (
        (*report.executors, "left", "right")[:2] if report.executors else ("left", "right")
    )
    return left, right


def value(found: Any) -> str:
    """Return a value as text, shortened."""
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
