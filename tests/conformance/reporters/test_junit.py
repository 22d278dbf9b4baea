"""JUnit XML: valid, and what a viewer with four outcomes shows of eight."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema

from conformance.reporters.junit import render

from .conftest import report_of

SCHEMA = xmlschema.XMLSchema(Path(__file__).parents[2] / "fixtures" / "reports" / "junit.xsd")


@pytest.fixture
def root(report):
    text = render(report)
    SCHEMA.validate(text)
    return ET.fromstring(text)  # noqa: S314 - our own text


def _outcomes(root):
    return {
        case.get("name"): (case[0].tag, case[0].get("type")) if len(case) else None
        for case in root.iter("testcase")
    }


def test_every_status_has_an_outcome_and_a_type_of_its_own(root):
    assert _outcomes(root) == {
        "engine-size": None,
        "failures": ("failure", "failed"),
        "documentation": ("error", "harness_error"),
        "fine": None,
        "accepted": ("skipped", "ledgered"),
        "broken": ("failure", "failed"),
        "noisy": ("failure", "nondeterministic"),
        "refused": ("error", "untestable"),
        "crashed": ("error", "harness_error"),
        "DIV-003: stale": ("failure", "ledger.stale"),
        "rollout": ("skipped", "advisory"),
        "src/a b.py:3:6 DE002": ("failure", "failed"),
    }


def test_the_message_begins_with_the_type_for_viewers_that_show_nothing_else(root):
    for case in root.iter("testcase"):
        if len(case) and case.get("classname") != "planproof.gate.legacy.unified.metrics":
            assert case[0].get("message").startswith(case[0].get("type"))


def test_the_counts_are_those_of_the_cases(root):
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == [
        "12",
        "5",
        "3",
        "2",
    ]
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        assert suite.get("failures") == str(sum(case.find("failure") is not None for case in cases))


def test_a_failure_says_where_and_how_to_see_it_again(root):
    broken = next(case for case in root.iter("testcase") if case.get("name") == "broken")
    text = broken[0].text
    assert "first differing event (number 3):" in text
    assert "  unified: call b {}" in text
    assert "replay: planproof diff --scenarios .planproof/findings/broken.json" in text
    assert (broken.get("file"), broken.get("line")) == (".planproof/findings/broken.json", "1")


def test_what_xml_cannot_hold_is_written_out(root):
    broken = next(case for case in root.iter("testcase") if case.get("name") == "broken")
    message = broken[0].get("message")
    assert "\\x00\\x1b[31m\\xd800" in message
    assert "</script>" in message


def test_an_empty_run_is_a_document_too():
    text = render(report_of(metrics=(), items=()))
    SCHEMA.validate(text)
    assert 'tests="0"' in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name="fine"', 'name="noisy"'),
        ('tests="12"', 'tests="many"'),
        ("<failure ", "<failed "),
        (' type="failed"', ""),
        ('time="0.000"', 'time="-1"'),
    ],
)
def test_the_schema_refuses(report, old, new):
    text = render(report)
    assert old in text
    changed = text.replace(old, new, 1).replace("</failure>", "</failed>", "failed " in new)
    with pytest.raises((xmlschema.XMLSchemaException, ET.ParseError)):
        SCHEMA.validate(changed)
