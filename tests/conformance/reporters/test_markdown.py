"""Markdown of a step summary: what blocks comes first, and the size has a bound."""

from conformance.report_model import Status
from conformance.reporters.markdown import MAX_BYTES, render

from .conftest import ITEMS, NASTY, report_of, scenario


def test_the_verdict_leads_and_what_blocks_follows_the_metrics(report):
    text = render(report)
    assert text.startswith("## ❌ planproof gate: the harness failed (exit 3)\n")
    order = [
        "| metric |",
        "### Blocking: 6",
        "harness error: crashed",
        "failed: broken",
        "that do not decide",
    ]
    positions = [text.index(part) for part in order]
    assert positions == sorted(positions)
    assert "DIV-001 legacy hides a step from itself | 1 |" in text
    assert "Again: `planproof gate --profile pr`" in text


def test_a_green_run_says_so():
    green = report_of(metrics=(), items=ITEMS[:2])
    assert render(green).startswith("## ✅ planproof gate: passed (exit 0)\n")


def test_a_text_of_the_report_is_no_markup(report):
    line = next(line for line in render(report).splitlines() if line.startswith("L0 terminal"))
    assert "\\</script\\>\\<b\\>" in line
    assert "\\|" in line


def test_a_fence_is_longer_than_any_in_the_text():
    item = scenario("x", Status.FAILED, evidence=("````", NASTY))
    assert "\n`````text\n" in render(report_of(items=(item,)))


def test_the_summary_stays_below_its_limit_and_counts_what_is_left_out():
    many = tuple(
        scenario(f"s{number}", Status.FAILED, evidence=("é" * 1000,)) for number in range(2000)
    )
    text = render(report_of(items=many))
    assert 900_000 < len(text.encode()) <= MAX_BYTES
    assert "further parts are left out" in text.splitlines()[-1]
    assert "### Blocking: 2000" in text
