"""The router's sink: what a shadow shows must reach the report, and nothing more."""

import json

from conformance.recording import ShadowLog
from engine.shadow import Difference, ShadowReport

REPORT = ShadowReport(
    execution_id="e1",
    verdict="different",
    differences=(
        Difference(path="steps.a.output", legacy={"token": "abcdefg", "n": 1}, unified={"n": 2}),
    ),
)


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
