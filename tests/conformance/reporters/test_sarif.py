"""SARIF: valid, everything with a line and nothing else, the same alert after lines have moved."""

import json
from pathlib import Path

import jsonschema
import pytest

from conformance.report_model import Place, Status
from conformance.reporters.sarif import FINGERPRINT, render, to_document

from .conftest import report_of, scenario

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "reports" / "sarif-2.1.0.json").read_text("utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def _run(report):
    text = render(report)
    assert text.isascii()
    document = json.loads(text)
    assert list(VALIDATOR.iter_errors(document)) == []
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    return run


def _where(result):
    (place,) = result["locations"]
    location = place["physicalLocation"]
    return location["artifactLocation"]["uri"], location["region"]["startLine"]


def test_what_has_a_file_and_a_line_is_a_result(report):
    run = _run(report)
    found = {result["ruleId"]: (_where(result), result["level"]) for result in run["results"]}
    assert found == {
        "scenario/regression": ((".planproof/findings/broken.json", 1), "error"),
        "ledger/stale": (("divergences.toml", 7), "error"),
        "DE002": (("src/a%20b.py", 3), "error"),
    }
    assert run["originalUriBaseIds"] == {"%SRCROOT%": {"uri": "file:///repo/"}}
    assert run["invocations"] == [{"executionSuccessful": False}]


def test_an_alert_is_the_same_after_its_line_has_moved(report):
    def moved(item):
        if item.place is None:
            return item
        return item.model_copy(
            update={"place": item.place.model_copy(update={"line": item.place.line + 40})}
        )

    later = report.model_copy(update={"items": tuple(moved(item) for item in report.items)})
    first, second = (_prints(each) for each in (report, later))
    assert first == second
    assert len(set(first)) == len(first)


def test_equal_lines_have_fingerprints_of_their_own():
    items = tuple(
        scenario(name, Status.FAILED, kind="DE001", place=Place(path="a.py", line=line, text="x"))
        for name, line in (("one", 1), ("two", 5))
    )
    first, second = _prints(report_of(items=items))
    assert second == f"{first}:2"


def _prints(report):
    return [result["partialFingerprints"][FINGERPRINT] for result in _run(report)["results"]]


def test_advisory_items_are_notes_and_absolute_paths_are_uris():
    item = scenario("x", Status.FAILED, role="advisory", place=Place(path="/abs/é.py", line=2))
    (result,) = _run(report_of(items=(item,)))["results"]
    assert result["level"] == "note"
    assert _where(result)[0] == "file:///abs/%C3%A9.py"


def test_no_result_is_a_report_too():
    assert _run(report_of(items=()))["results"] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), "2.0.0"),
        (("runs", 0, "results", 0, "level"), "fatal"),
        (("runs", 0, "results", 0, "message"), {}),
        (("runs", 0, "results", 0, "locations", 0, "physicalLocation", "region", "startLine"), 0),
    ],
)
def test_the_schema_refuses(report, path, value):
    document = to_document(report)
    owner = document
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    assert list(VALIDATOR.iter_errors(document))
