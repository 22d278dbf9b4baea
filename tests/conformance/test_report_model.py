"""The report's exit policy, and that it survives its own JSON."""

import json

import jsonschema
import pytest
from pydantic import ValidationError

from conformance.errors import ExitCode
from conformance.report import Verdict
from conformance.report_model import STATUS_CODES, Item, Metric, RunReport, Status
from conformance.schemas import schema


def _item(status, **fields):
    return Item(id=status.value, group="g", status=status, **fields)


def _report(*items, metrics=()):
    return RunReport(
        kind="diff", product_version="1", subject="a and b", items=items, metrics=metrics
    )


@pytest.mark.parametrize("status", Status)
def test_one_item_gives_the_code_of_its_status(status):
    report = _report(
        _item(Status.PASSED), _item(status, role="decides").model_copy(update={"id": "x"})
    )
    assert report.exit_code == STATUS_CODES[status]


def test_the_most_severe_wins():
    report = _report(_item(Status.FAILED), _item(Status.LEDGER_FAULT), _item(Status.UNTESTABLE))
    assert report.exit_code == ExitCode.FAILED
    assert [item.status for item in report.blocking()] == [
        Status.FAILED,
        Status.LEDGER_FAULT,
        Status.UNTESTABLE,
    ]


@pytest.mark.parametrize(("role", "blocks"), [("evidence", True), ("advisory", False)])
def test_evidence_and_advice_do_not_decide(role, blocks):
    metric = Metric(id="m", title="t", verdict=Verdict.MET, figure="1")
    report = _report(_item(Status.FAILED, role=role), metrics=(metric,))
    assert report.exit_code == ExitCode.PASSED
    assert bool(report.blocking()) is blocks


def test_nothing_examined_is_no_pass():
    assert _report().exit_code == ExitCode.VACUOUS
    assert _report(_item(Status.PASSED, role="evidence")).exit_code == ExitCode.VACUOUS


def test_a_metric_knows_a_more_severe_cause():
    metric = Metric(id="m", title="t", verdict=Verdict.UNKNOWN, figure="", cause=ExitCode.HARNESS)
    assert _report(metrics=(metric,)).exit_code == ExitCode.HARNESS


def test_the_json_form_is_read_back_and_fits_the_published_schema():
    report = _report(_item(Status.LEDGERED, entries=("DIV-001",), message="half a pair: \ud800"))
    text = report.to_json()
    assert RunReport.model_validate(json.loads(text)) == report
    document = json.loads(text)
    assert (document["schema"], document["exit_code"]) == ("run/v1", 0)
    jsonschema.validate(document, schema("report"))
    with pytest.raises(ValidationError):
        RunReport.model_validate(document | {"kind": "unknown"})
    with pytest.raises(ValidationError):
        RunReport.model_validate(document | {"more": 1})


@pytest.mark.parametrize("moment", ["today", "2026-13-01T00:00:00Z", "2026-11-29T10:00:00"])
def test_a_moment_has_an_offset(moment):
    with pytest.raises(ValidationError, match="started_at"):
        RunReport(kind="diff", product_version="1", subject="s", started_at=moment)
