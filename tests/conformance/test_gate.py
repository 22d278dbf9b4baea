"""The gate over handed-in evidence: what is run, what decides, and how faults are reported."""

import dataclasses
import json

import jsonschema
import pytest

from conformance.config import Repository, parse_settings
from conformance.errors import ExitCode, HarnessError, LedgerError, UsageError
from conformance.evidence.scan import Scans
from conformance.gate import CHECKLIST, METRICS, Collectors, run_gate
from conformance.metrics.documentation import DocumentationEvidence, Example, ExampleResult
from conformance.metrics.execution_tests import TestCase, TestEvidence
from conformance.metrics.failures import PairEvidence
from conformance.metrics.frozen import FreezeEvidence
from conformance.metrics.legacy_imports import ScanEvidence
from conformance.metrics.monitoring import AlertTests
from conformance.metrics.size import SizeEvidence, SourceSize
from conformance.report import Finding, GateReport, Verdict, merged
from conformance.reporters import gate_console, gate_json
from conformance.schemas import schema

CLEAN = ScanEvidence(files=5)
SIZE = SourceSize(1, 300, 9, 20, 5)
GOOD = Collectors(
    scan=lambda _: Scans(CLEAN, CLEAN),
    engine_size=lambda _: SizeEvidence("engine/workflow_machine.py", SIZE, {"engine": SIZE}),
    suite=lambda _: TestEvidence((TestCase("tests.chaos", "test_kill", "passed"),), "junit.xml"),
    pairs=lambda _, __: PairEvidence(pairs=9),
    records=lambda _: None,
    documentation=lambda _: DocumentationEvidence(
        readme="README.md",
        text="# Usage\nWords.\n",
        sections=("usage",),
        names=1,
        undocumented=(),
        examples=(ExampleResult(Example("README.md", 1, ""), "ran"),),
    ),
    freeze=lambda _: FreezeEvidence("legacy/frozen.sha256", {"a.py": ("00", "00")}),
    sources=lambda _: {},
    alert_tests=lambda _: AlertTests("passed"),
)


def _raise(error):
    def collect(*_):
        raise error

    return collect


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path, tmp_path / "pyproject.toml", parse_settings({}, "p"))


def _run(repository, profile="pr", only=(), **changes):
    return run_gate(repository, profile, dataclasses.replace(GOOD, **changes), only=only)


def test_good_evidence_passes_and_the_open_checklist_does_not_decide(repository):
    report = _run(repository)
    assert [finding.id for finding in report.metrics] == list(METRICS)
    assert {finding.verdict for finding in report.metrics} == {Verdict.MET}
    assert Verdict.MISSED in {row.verdict for row in report.checklist}
    assert (report.exit_code, report.verdict()) == (ExitCode.PASSED, Verdict.MET)


def test_in_the_release_profile_the_checklist_decides(repository):
    report = _run(repository, profile="release")
    assert (report.exit_code, report.verdict()) == (ExitCode.FAILED, Verdict.MISSED)


@pytest.mark.parametrize(
    ("changes", "metric", "verdict", "code"),
    [
        (
            {"scan": lambda _: Scans(ScanEvidence(5, ("a.py:1",)), CLEAN)},
            "legacy-imports",
            Verdict.MISSED,
            1,
        ),
        (
            {"scan": lambda _: Scans(CLEAN, ScanEvidence(5, ("t.py:1",)))},
            "execution-tests",
            Verdict.MISSED,
            1,
        ),
        ({"suite": lambda _: TestEvidence((), "junit.xml")}, "execution-tests", Verdict.UNKNOWN, 4),
        ({"pairs": lambda _, __: PairEvidence(pairs=0)}, "failures", Verdict.UNKNOWN, 4),
        ({"pairs": _raise(HarnessError("died"))}, "failures", Verdict.UNKNOWN, 3),
        ({"pairs": _raise(LedgerError("stale"))}, "failures", Verdict.UNKNOWN, 5),
        ({"pairs": _raise(ZeroDivisionError("bug"))}, "failures", Verdict.UNKNOWN, 3),
        ({"pairs": _raise(ImportError("No module named 'x'"))}, "failures", Verdict.UNKNOWN, 4),
        ({"freeze": lambda _: None}, "frozen-legacy", Verdict.UNKNOWN, 4),
        (
            {"freeze": lambda _: FreezeEvidence("m", {"a.py": ("00", "11")})},
            "frozen-legacy",
            Verdict.MISSED,
            1,
        ),
        ({"suite": _raise(HarnessError("no pytest"))}, "execution-tests", Verdict.UNKNOWN, 3),
        ({"documentation": _raise(HarnessError("no"))}, "documentation", Verdict.UNKNOWN, 3),
    ],
)
def test_one_fault_decides_and_hides_nothing(repository, changes, metric, verdict, code):
    report = _run(repository, **changes)
    found = {finding.id: finding for finding in report.metrics}
    assert (found[metric].verdict, found[metric].exit_code) == (verdict, code)
    assert found[metric].reason
    assert all(other.verdict is Verdict.MET for name, other in found.items() if name != metric)
    assert report.exit_code == code


def test_the_worst_of_several_wins(repository):
    pairs = _raise(LedgerError("stale"))
    report = _run(repository, pairs=pairs, freeze=lambda _: None)
    assert report.exit_code == ExitCode.LEDGER
    report = _run(repository, pairs=pairs, suite=_raise(HarnessError("x")), freeze=lambda _: None)
    assert report.exit_code == ExitCode.HARNESS


def test_a_mistake_in_the_configuration_stops_the_gate(repository):
    with pytest.raises(UsageError):
        _run(repository, engine_size=_raise(UsageError("no such module")))


@pytest.mark.parametrize("metric", METRICS)
def test_only_one_metric(repository, metric):
    report = _run(repository, only=(metric,))
    assert [finding.id for finding in report.metrics] == [metric]
    assert report.checklist == ()


def test_only_the_checklist_has_nothing_that_decides(repository):
    report = _run(repository, only=(CHECKLIST,))
    assert report.metrics == ()
    assert len(report.checklist) == 9
    assert report.exit_code == ExitCode.VACUOUS


def test_shared_evidence_is_collected_once(repository):
    calls = []

    def scan(_):
        calls.append("scan")
        raise HarnessError("once")

    report = _run(repository, scan=scan)
    assert calls == ["scan"]
    assert [f.verdict for f in report.metrics if f.id in {"legacy-imports", "execution-tests"}] == [
        Verdict.UNKNOWN,
        Verdict.UNKNOWN,
    ]


def test_an_attested_row_needs_its_evidence(tmp_path):
    row = {"verdict": "met", "reason": "seen in the dashboard", "evidence": "monitoring.md"}
    settings = parse_settings({"checklist": {"resume-monitoring": row}}, "p")
    repository = Repository(tmp_path, tmp_path / "pyproject.toml", settings)
    with pytest.raises(UsageError, match=r"there is no 'monitoring\.md'"):
        _run(repository)
    (tmp_path / "monitoring.md").write_text("Look here.\n")
    rows = {row.id: row for row in _run(repository).checklist}
    assert rows["resume-monitoring"].verdict is Verdict.MET
    assert rows["resume-monitoring"].figure == "attested"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], Verdict.UNKNOWN),
        ([Verdict.MET], Verdict.MET),
        ([Verdict.MET, Verdict.UNKNOWN], Verdict.UNKNOWN),
        ([Verdict.MISSED, Verdict.UNKNOWN, Verdict.MET], Verdict.MISSED),
    ],
)
def test_merged_verdicts(verdicts, expected):
    assert merged(verdicts) is expected


def test_the_json_form_is_valid_by_the_published_schema(repository):
    document = json.loads(gate_json.render(_run(repository)))
    jsonschema.Draft202012Validator(schema("report")).validate(document)
    assert document["schema_version"] == "report/v1"
    assert document["exit_code"] == 0


def test_the_schema_of_the_report_refuses_a_verdict_that_does_not_exist(repository):
    document = json.loads(gate_json.render(_run(repository)))
    document["metrics"][0]["verdict"] = "fine"
    assert list(jsonschema.Draft202012Validator(schema("report")).iter_errors(document))


def test_the_console_form_fits_80_columns_without_colour(repository):
    text = gate_console.render(_run(repository, pairs=_raise(LedgerError("a reason " * 30))))
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    for metric in METRICS:
        assert f"[{metric}]" in text
    assert text.splitlines()[-1].startswith("UNKNOWN: 5 met, 0 missed, 1 unknown; exit 5, ")


def test_the_console_form_has_colour_when_asked(repository):
    assert "\x1b[" in gate_console.render(_run(repository), colour=True)


def test_markup_in_a_reason_is_shown_as_it_is(repository):
    text = gate_console.render(_run(repository, pairs=_raise(HarnessError("[bold]list[0][/bold]"))))
    assert "[bold]list[0][/bold]" in text


def test_the_verdict_line_says_what_was_left_out(repository):
    line = gate_console.verdict_line(_run(repository, only=("engine-size",)))
    assert line == "MET (only engine-size): 1 met, 0 missed, 0 unknown; exit 0, passed"


def test_a_finding_is_a_frozen_record():
    finding = Finding(id="a", title="A", verdict=Verdict.MET, figure="1", target="1")
    with pytest.raises(ValueError, match="frozen"):
        finding.verdict = Verdict.MISSED
    assert GateReport.model_fields["metrics"].is_required()
