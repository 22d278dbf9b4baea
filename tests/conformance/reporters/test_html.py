"""The HTML report: whole, escaped, without a request, and small for a large run."""

import re
from html.parser import HTMLParser

import pytest

from conformance.report_model import Status, Timeline
from conformance.reporters.html import render

from .conftest import CHAOS, CODEMOD, DIVERGENCE, NASTY, report_of, scenario

LIMIT_BYTES = 3_000_000
VOID = {"meta", "link", "input", "br"}


class _Page(HTMLParser):
    """Checks that elements close in order, and keeps ids, links and headings."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.sources = [], [], [], []
        self.labels = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        self.sources += [given[name] for name in ("src", "data", "action") if name in given]
        if tag == "link":
            self.sources.append(given["href"])
        if tag == "svg":
            self.labels.append(given["aria-label"])

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def page(report):
    return render(report.model_copy(update={"chaos": CHAOS, "codemod": CODEMOD}), [])


def test_the_verdict_comes_first(page):
    text = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL)
    order = [
        "The harness failed",
        "workflow_machine is smaller",
        "Findings",
        "Ledger",
        "Chaos",
        "Codemod",
    ]
    positions = [text.index(f"{part}", text.index("<h1")) for part in order]
    assert positions[0] == min(positions)
    assert "<title>the harness failed · planproof gate</title>" in page


def test_elements_close_and_links_lead_somewhere(page):
    parsed = _Page(page)
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert parsed.links
    assert {link.removeprefix("#") for link in parsed.links} <= set(parsed.ids)


def test_nothing_is_loaded(page):
    parsed = _Page(page)
    assert parsed.sources == ["data:,"]
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|https?://", page)


def test_drawings_say_what_they_show(page):
    assert _Page(page).labels == ["37.6%, goal at least 20%", "1 pairs, goal at most 0 pairs"]


def test_a_text_of_the_report_is_text(report):
    hostile = scenario(NASTY, Status.FAILED, message=NASTY)
    text = render(
        report_of(items=(hostile,), subject=NASTY, source=NASTY, facts=((NASTY, NASTY),)), []
    )
    _Page(text)
    assert "<b>&" not in text
    assert text.count("</script>") == 2


def test_a_section_is_there_only_where_there_is_something_to_show(report):
    text = render(report_of(metrics=(), ledger=None), [])
    assert {"metrics", "ledger", "chaos", "codemod", "history"} & set(_Page(text).ids) == set()
    assert {"items", "run"} <= set(_Page(text).ids)
    assert "items" not in _Page(render(report_of(items=()), [])).ids


def test_a_run_of_two_thousand_scenarios_stays_below_its_limit():
    def timeline(number):
        lines = tuple(
            f"call tool-{number}-{step} {{'value': {number * step}}}" for step in range(30)
        )
        return Timeline(left=lines, right=(*lines[:10], *lines[12:]), differs_at=10)

    items = tuple(
        scenario(
            f"generated-{number}",
            Status.LEDGERED,
            message="accepted by DIV-001",
            divergence=DIVERGENCE,
            timeline=timeline(number),
        )
        for number in range(2000)
    )
    text = render(report_of(items=items), [])
    assert 1_500_000 < len(text.encode()) < LIMIT_BYTES
