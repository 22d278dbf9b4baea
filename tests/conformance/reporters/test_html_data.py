"""The page's data: every text once, nothing that ends its element, a bound on what it weighs."""

import json

import pytest

from conformance.report_model import Status, Timeline
from conformance.reporters import html_data
from conformance.reporters.html_data import embedded, to_data

from .conftest import TIMELINE, report_of, scenario


def test_what_blocks_comes_first_and_texts_are_kept_once(report):
    data = to_data(report)
    first = [data["strings"][row[0]] for row in data["rows"]]
    assert first[:2] == ["crashed", "src/a b.py:3:6 DE002"]
    assert first[-1] == "fine"
    assert len(set(data["strings"])) == len(data["strings"])
    assert len(data["rows"]) == len(report.items)


def test_a_timeline_is_numbers_of_texts(report):
    data = to_data(report)
    row = next(row for row in data["rows"] if data["strings"][row[0]] == "accepted")
    left, right, first, out = row[14]
    assert tuple(data["strings"][number] for number in left) == TIMELINE.left
    assert tuple(data["strings"][number] for number in right) == TIMELINE.right
    assert (first, out) == (2, 0)


def test_an_item_of_which_little_is_known_is_short(report):
    data = to_data(report)
    row = next(row for row in data["rows"] if data["strings"][row[0]] == "fine")
    assert len(row) == 5


def test_beyond_the_budget_only_the_window_around_the_difference_is_kept(monkeypatch):
    monkeypatch.setattr(html_data, "MAX_TIMELINE_BYTES", 10)
    lines = tuple(f"event {number}" for number in range(40))
    long = Timeline(left=lines, right=(*lines[:20], "other"), differs_at=20)
    items = tuple(scenario(name, Status.LEDGERED, timeline=long) for name in ("a", "b"))
    whole, window = (row[14] for row in to_data(report_of(items=items))["rows"])
    assert (len(whole[0]), whole[2:]) == (40, [20, 0])
    assert (len(window[0]), len(window[1]), window[2:]) == (6, 4, [3, 17])


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "&amp;", "\u2028", "\ud800"])
def test_no_text_can_end_the_element(text):
    shown = embedded({"a": text})
    assert not set("<>&") & set(shown)
    assert shown.isascii()
    assert json.loads(shown) == {"a": text}
