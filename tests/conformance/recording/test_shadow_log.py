"""The router's sink: what a shadow shows must reach the report, and nothing more."""

import json

import jsonschema
import pytest

from conformance.recording import ShadowLog
from conformance.schemas import schema
from engine.shadow import Difference, ShadowReport

REPORT = ShadowReport(
    execution_id="e1",
    verdict="different",
    differences=(
        Difference(path="steps.a.output", legacy={"token": "abcdefg", "n": 1}, unified={"n": 2}),
    ),
)

VALIDATOR = jsonschema.Draft202012Validator(schema("shadow"))


def _line(tmp_path, report):
    ShadowLog(tmp_path / "shadow.jsonl")(report)
    return json.loads((tmp_path / "shadow.jsonl").read_text())


def test_a_line_is_as_its_schema_says_and_begins_with_its_name(tmp_path):
    line = _line(tmp_path, REPORT)
    assert list(VALIDATOR.iter_errors(line)) == []
    assert next(iter(line)) == "schema"


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "shadow/v2"},
        {"verdict": "well"},
        {"differences": [{"path": "end"}]},
        {"unused_answers": "no"},
        {"more": 1},
    ],
)
def test_a_broken_line_is_refused_by_the_schema(tmp_path, change):
    assert not VALIDATOR.is_valid(_line(tmp_path, REPORT) | change)


def test_each_report_is_a_line_without_secrets(tmp_path):
    log = ShadowLog(tmp_path / "shadow.jsonl")
    log(REPORT)
    log(ShadowReport(execution_id="e2", verdict="unknown", reason="no"))
    first, second = map(json.loads, (tmp_path / "shadow.jsonl").read_text().splitlines())
    assert first["schema"] == second["schema"] == "shadow/v1"
    assert first["differences"] == [
        {
            "path": "steps.a.output",
            "legacy": {"token": "[redacted]", "n": 1},
            "unified": {"n": 2},
        }
    ]
    assert (second["verdict"], second["reason"]) == ("unknown", "no")


def test_a_value_that_may_not_be_written_leaves_the_difference(tmp_path):
    log = ShadowLog(tmp_path / "shadow.jsonl")
    log(
        ShadowReport(
            execution_id="e1",
            verdict="different",
            differences=(Difference(path="end", legacy=["x" * 9_000] * 40, unified=1),),
        )
    )
    (line,) = (tmp_path / "shadow.jsonl").read_text().splitlines()
    assert json.loads(line)["differences"][0]["legacy"].startswith("[not recorded: end has")


def test_a_log_that_cannot_be_written_raises_nothing(tmp_path):
    log = ShadowLog(tmp_path / "no" / "shadow.jsonl")
    log(REPORT)
    assert log.file.lost == 1
