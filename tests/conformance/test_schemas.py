"""The published schemas accept what the product writes and refuse what it would refuse."""

import json
import tomllib
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from conformance.cli import run
from conformance.diff_report import DiffReport
from conformance.differential import Options, judge
from conformance.errors import LedgerError
from conformance.finding import Finding
from conformance.ledger import DEFAULT_LEDGER, FaultKind, LedgerFault, read_ledger
from conformance.reporters import diff_json
from conformance.scenario import parse_scenario
from conformance.schemas import FORMATS, schema

TRACES = Path(__file__).parents[1] / "fixtures" / "legacy" / "traces.jsonl"
SCENARIOS = TRACES.with_name("scenarios.jsonl")

ENTRY = {
    "id": "DIV-001",
    "title": "t",
    "layer": ["L0"],
    "when": 'divergence.layer == "L0"',
    "legacy": "l",
    "unified": "u",
    "reason": "r",
    "decision": "fix",
    "owner": "o",
    "since": "2026-01-01",
    "expires": "2027-01-01",
    "example": "x.json",
    "max_share": 0.5,
}


VALIDATORS = {
    name: jsonschema.Draft202012Validator(
        schema(name), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    for name in FORMATS
}


def _errors(name, document):
    return list(VALIDATORS[name].iter_errors(document))


@pytest.mark.parametrize("name", FORMATS)
def test_every_schema_is_a_schema_and_is_printed(name, capsys):
    assert run(["schema", name]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == schema(name)
    assert printed["$id"] == f"urn:planproof:schema:{name}"
    jsonschema.Draft202012Validator.check_schema(printed)


def test_a_format_that_does_not_exist_is_a_usage_error(capsys):
    assert run(["schema", "plan"]) == 2
    assert "'scenario', 'trace', 'report', 'ledger'" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "file"), [("trace", TRACES), ("scenario", SCENARIOS)])
def test_recorded_documents_are_accepted(name, file):
    lines = file.read_text("utf-8").splitlines()
    assert len(lines) > 100
    for line in lines:
        document = json.loads(line)
        assert _errors(name, document) == [], document.get("scenario") or document.get("name")


def test_the_report_of_a_comparison_is_accepted(tmp_path):
    scenario = parse_scenario(json.loads(SCENARIOS.read_text("utf-8").split("\n", 1)[0]), "s")
    left = json.loads(TRACES.read_text("utf-8").split("\n", 1)[0])
    assert left["scenario"] == scenario.name
    right = {**left, "executor": "unified", "status": "FAILED"}
    right["segments"] = [{**left["segments"][-1], "success": False}]
    result = judge(scenario, left, right)
    finding = Finding(result, scenario, 1, tmp_path, "planproof diff", "[[divergence]]")
    fault = LedgerFault("DIV-001", FaultKind.STALE, "agrees now")
    report = DiffReport(
        options=Options(),
        source="here",
        complete=True,
        ledger="divergences.toml",
        results=(result,),
        findings=(finding,),
        ledger_faults=(fault,),
        usage={"DIV-001": 1},
    )
    document = json.loads(diff_json.render(report))
    assert document["findings"]
    assert document["verdicts"] == {"regression": 1}
    assert _errors("report", document) == []
    assert _errors("report", {**document, "verdicts": {"fine": 1}})


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "trace/v2"},
        {"segments": [{"success": True}]},
        {"calls": [{"tool": "t"}]},
        {"steps": None},
        {"writes": [{"op": "set"}]},
    ],
)
def test_a_broken_trace_is_refused(change):
    document = json.loads(TRACES.read_text("utf-8").split("\n", 1)[0])
    assert _errors("trace", document) == []
    assert _errors("trace", {**document, **change})


def test_the_shipped_ledger_is_accepted():
    text = DEFAULT_LEDGER.read_text("utf-8")
    document = json.loads(json.dumps(tomllib.loads(text), default=str))
    assert document["divergence"]
    assert _errors("ledger", document) == []


@pytest.mark.parametrize("key", ENTRY)
def test_every_key_of_an_entry_is_required_by_the_schema_and_by_the_ledger(key, tmp_path):
    assert _errors("ledger", {"schema": "ledger/v1", "divergence": [ENTRY]}) == []
    shorter = {name: value for name, value in ENTRY.items() if name != key}
    assert _errors("ledger", {"schema": "ledger/v1", "divergence": [shorter]})
    file = tmp_path / "divergences.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in shorter.items()]
    file.write_text("\n".join(['schema = "ledger/v1"', "[[divergence]]", *lines]))
    with pytest.raises(LedgerError, match=key):
        read_ledger(file, today=date(2026, 6, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "DIV-1"},
        {"layer": []},
        {"layer": "L9"},
        {"decision": "maybe"},
        {"expires": "soon"},
        {"max_share": 0},
        {"max_share": 1.5},
        {"reason": "  "},
        {"extra": 1},
    ],
)
def test_a_broken_entry_is_refused(change):
    assert _errors("ledger", {"schema": "ledger/v1", "divergence": [{**ENTRY, **change}]})
