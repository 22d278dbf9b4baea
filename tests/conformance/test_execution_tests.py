"""A run without tests is no pass, and neither is one that was cut short."""

import pytest

from conformance.errors import HarnessError
from conformance.metrics.execution_tests import TestCase, TestEvidence, judge, read_junit
from conformance.metrics.legacy_imports import ScanEvidence
from conformance.report import Verdict

CLEAN = ScanEvidence(files=4)
PASSED = TestCase("tests.a", "test_x", "passed")
FAILED = TestCase("tests.a", "test_y", "failed")
ERROR = TestCase("", "tests.b", "error")
SKIPPED = TestCase("tests.a", "test_z", "skipped")

JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1">
<testcase classname="tests.a" name="test_x" time="0.1" />
<testcase classname="tests.a" name="test_y"><failure message="no">trace</failure></testcase>
<testcase classname="" name="tests.b"><error message="collection failure">trace</error></testcase>
<testcase classname="tests.a" name="test_z"><skipped type="pytest.skip">why</skipped></testcase>
</testsuite></testsuites>
"""


def test_junit_is_read(tmp_path):
    file = tmp_path / "junit.xml"
    file.write_text(JUNIT)
    assert read_junit(file) == (PASSED, FAILED, ERROR, SKIPPED)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (JUNIT[:200], "is not XML"),
        ("", "is not XML"),
        ("<html/>", "is not JUnit XML: the root is <html>"),
    ],
)
def test_a_broken_file_is_a_fault_of_the_harness(tmp_path, text, message):
    file = tmp_path / "junit.xml"
    file.write_text(text)
    with pytest.raises(HarnessError, match=message):
        read_junit(file)


@pytest.mark.parametrize(
    ("cases", "scan", "verdict", "reason"),
    [
        ((PASSED,), CLEAN, Verdict.MET, ""),
        ((PASSED, SKIPPED), CLEAN, Verdict.MET, ""),
        ((PASSED, FAILED), CLEAN, Verdict.MISSED, "tests.a::test_y"),
        ((PASSED, ERROR), CLEAN, Verdict.MISSED, "tests.b"),
        ((), CLEAN, Verdict.UNKNOWN, "no test ran to a pass"),
        ((SKIPPED,), CLEAN, Verdict.UNKNOWN, "no test ran to a pass"),
        ((PASSED,), None, Verdict.UNKNOWN, "not examined"),
        ((PASSED,), ScanEvidence(files=0), Verdict.UNKNOWN, "not examined"),
        ((PASSED,), ScanEvidence(files=2, unexamined=("a",)), Verdict.UNKNOWN, "1 candidates"),
        ((PASSED,), ScanEvidence(files=2, undecided=("a",)), Verdict.UNKNOWN, "1 candidates"),
        ((PASSED,), ScanEvidence(files=2, occurrences=("t.py:3",)), Verdict.MISSED, "1 uses"),
    ],
)
def test_verdicts(cases, scan, verdict, reason):
    finding = judge(TestEvidence(cases, "junit.xml", scan=scan))
    assert finding.verdict is verdict
    assert reason in finding.reason


def test_results_that_are_not_there_are_unknown_with_the_reason():
    finding = judge(TestEvidence((), "pyproject.toml", unavailable="no test command", scan=CLEAN))
    assert (finding.verdict, finding.reason) == (Verdict.UNKNOWN, "no test command")


def test_many_failures_are_counted_and_the_first_are_named():
    failed = tuple(TestCase("t", f"test_{number}", "failed") for number in range(9))
    finding = judge(TestEvidence(failed, "junit.xml", scan=CLEAN))
    assert finding.reason.endswith("t::test_4 and 4 more")
    assert len(finding.details["failed"]) == 9
