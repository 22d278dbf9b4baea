"""The items of a report as compact data for the page's script: every text once, rows as lists.

The script builds what is looked at, when it is looked at; so a page of thousands of scenarios opens
as quickly as one of ten.
"""

import json
from collections.abc import Iterable
from typing import Any

from conformance.report_model import LEDGER_GROUP, SEVERITIES, Item, RunReport, Status, Timeline
from conformance.reporters.wording import CONTEXT, names, value

# Bytes of all timelines of a page together; beyond it a page shows the events around the first
# difference only, and says so. The JSON report has all of them.
MAX_TIMELINE_BYTES = 1_800_000
MAX_TEXT = 4_000  # characters of one text; a longer one is cut


def to_data(report: RunReport) -> dict[str, Any]:
    """Return what the script reads; rows are in the order in which they are shown."""
    strings = _Strings()
    budget = _Budget(MAX_TIMELINE_BYTES)
    ordered = sorted(
        report.items,
        key=lambda item: (not item.is_blocking, SEVERITIES.index(item.status), item.key),
    )
    rows = [_row(item, strings, budget) for item in ordered]
    return {
        "names": list(names(report)),
        "statuses": [status.value for status in SEVERITIES],
        "strings": strings.texts,
        "rows": rows,
    }


def embedded(data: Any) -> str:
    """Return JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(data, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


class _Strings:
    """Texts by number; a text that occurs twice is kept once."""

    def __init__(self) -> None:
        self.texts: list[str] = [""]
        self._numbers: dict[str, int] = {"": 0}
        self.size = 0

    def number(self, text: str) -> int:
        text = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
            self.size += len(json.dumps(text)) + 1
        return self._numbers[text]

    def numbers(self, texts: Iterable[str]) -> list[int]:
        return [self.number(text) for text in texts]


class _Budget:
    """How many bytes timelines may still take."""

    def __init__(self, left: int) -> None:
        self._left = left

    @property
    def is_spent(self) -> bool:
        return self._left <= 0

    def spend(self, size: int) -> None:
        self._left -= size


def _row(item: Item, strings: _Strings, budget: _Budget) -> list[Any]:
    """Return one item; the script's `row` names the columns in this order."""
    number = strings.number
    found = item.divergence
    divergence: Any = 0
    if found is not None:
        where = f"{found.layer} {found.subject}: {found.path}"
        divergence = strings.numbers((where, value(found.left), value(found.right)))
    row = [
        number(item.id),
        number(item.group),
        SEVERITIES.index(item.status),
        int(item.is_blocking),
        number(_label(item)),
        number(item.title),
        number(item.message),
        strings.numbers(item.entries),
        strings.numbers(item.layers),
        number(item.place.shown if item.place is not None else ""),
        strings.numbers(item.evidence),
        number(item.replay),
        number(item.proposal),
        divergence,
        0 if item.timeline is None else _timeline(item.timeline, strings, budget),
    ]
    while row[-1] in (0, []):  # what is missing at the end reads as nothing
        row.pop()
    return row


def _label(item: Item) -> str:
    if item.role == "advisory" and not item.status.is_green:
        return "advisory"
    if item.status is Status.LEDGER_FAULT and item.group == LEDGER_GROUP:
        return f"ledger {item.kind}"
    return item.status.value.replace("_", " ")


def _timeline(timeline: Timeline, strings: _Strings, budget: _Budget) -> list[Any]:
    """Return `[left, right, first difference, events left out before]`."""
    left, right, out = timeline.left, timeline.right, 0
    if budget.is_spent:
        out = max(0, timeline.differs_at - CONTEXT)
        end = timeline.differs_at + CONTEXT
        left, right = left[out:end], right[out:end]
    before = strings.size
    found = [strings.numbers(left), strings.numbers(right), timeline.differs_at - out, out]
    budget.spend(strings.size - before + 6 * (len(left) + len(right)))
    return found
