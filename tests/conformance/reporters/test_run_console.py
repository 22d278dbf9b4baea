"""The console report of any run: what blocks is shown, the verdict is the last line."""

from conformance.report_model import Status
from conformance.reporters.run_console import MAX_LISTED, render

from .conftest import ITEMS, report_of, scenario


def test_what_blocks_is_shown_and_the_verdict_is_the_last_line(report):
    lines = render(report).splitlines()
    assert lines[0] == "planproof gate: a <repository>, pyproject.toml"
    assert "LEDGER FAULT DIV-003: stale: its example does not diverge any more" in lines
    assert "  unified: completed" in [line.removeprefix("  ") for line in lines]
    assert lines[-1] == (
        "the harness failed: 1 of 3 metrics met, 1 harness_error, 3 failed, 1 nondeterministic, "
        "1 ledger_fault, 1 untestable, 1 ledgered, 1 passed (exit 3)"
    )


def test_colours_are_only_there_where_they_are_wanted(report):
    assert "\x1b[1;31mFAILED" not in render(report)
    assert "\x1b[1;31mFAILED" in render(report, colour=True)


def test_a_green_run_is_short():
    text = render(report_of(metrics=(), items=ITEMS[:1], facts=(), ledger=None))
    assert text.splitlines()[1:] == ["passed: 1 passed (exit 0)"]


def test_a_long_list_is_counted():
    many = tuple(scenario(f"s{number}", Status.FAILED) for number in range(MAX_LISTED + 3))
    assert "and 3 more that block" in render(report_of(items=many))
