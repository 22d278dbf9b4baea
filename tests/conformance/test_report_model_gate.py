"""The gate's findings as a report: the same exit code, a scale for every figure that is a number."""

import json

import pytest

from conformance.cli import run
from conformance.config import ProfileName
from conformance.errors import ExitCode
from conformance.report import Finding, GateReport, Verdict
from conformance.report_model import Item, RunReport, Status
from conformance.report_model_gate import metric, run_report


def _finding(name, verdict=Verdict.MET, **fields):
    return Finding(id=name, title=name, verdict=verdict, figure="f", target="t", **fields)


def _gate(*metrics, checklist=(), profile: ProfileName = "pr"):
    return GateReport(
        product_version="1",
        profile=profile,
        repository="/repo",
        configuration="/repo/pyproject.toml",
        metrics=metrics,
        checklist=checklist,
    )


@pytest.mark.parametrize(
    ("name", "details", "value", "goal"),
    [
        (
            "engine-size",
            {"machine_lines": 600, "baseline_lines": 1000, "target_reduction": 0.2},
            40,
            20,
        ),
        ("execution-tests", {"passed": 9, "ran": 10}, 90, 100),
        ("legacy-imports", {"occurrences": ["a", "b"]}, 2, 0),
        ("failures", {"pairs": 5, "increased": ["x"], "unexplained": []}, 1, 0),
        ("documentation", {"gaps": 3}, 3, 0),
    ],
)
def test_a_figure_is_on_a_scale(name, details, value, goal):
    gauge = metric(_finding(name, details=details)).gauge
    assert (gauge.value, gauge.goal) == (value, goal)
    assert gauge.low <= gauge.value <= gauge.high


@pytest.mark.parametrize("name", ["engine-size", "execution-tests", "failures", "frozen-legacy"])
def test_what_was_not_measured_has_no_scale(name):
    assert metric(_finding(name, Verdict.UNKNOWN)).gauge is None


def test_the_exit_code_is_the_gate_s():
    rows = (_finding("row", Verdict.MISSED, evidence=("engine/x.py:12 is missing",)),)
    for profile in ("pr", "release"):
        gate = _gate(_finding("m"), checklist=rows, profile=profile)
        report = run_report(gate)
        assert report.exit_code == gate.exit_code
        assert report.items[0].place.shown == "engine/x.py:12"
    assert report.exit_code == ExitCode.FAILED


def test_evidence_is_shown_and_its_metric_decides():
    item = Item(id="s", group="scenarios", status=Status.FAILED, role="evidence")
    gate = _gate(_finding("m", Verdict.UNKNOWN, cause=ExitCode.LEDGER))
    report = run_report(gate, evidence=(item,))
    assert report.exit_code == gate.exit_code == ExitCode.LEDGER
    assert report.blocking() == (item,)


def test_the_command_shows_scenarios_and_uses(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.planproof.profile.pr]\ngenerated = 0\n")
    (tmp_path / "app.py").write_text("import durable_execution\n")
    arguments = ["gate", "--only", "failures", "--only", "legacy-imports", "--format", "json"]
    assert run(arguments) == 1
    document = json.loads(capsys.readouterr().out)
    report = RunReport.model_validate(document["run"])
    assert report.exit_code == document["exit_code"] == 1
    use = next(item for item in report.items if item.id.startswith("app.py"))
    assert (use.status, use.role, use.place.line) == (Status.FAILED, "evidence", 1)
    scenarios = [item for item in report.items if item.group == "scenarios"]
    assert len(scenarios) > 100
    assert any(item.timeline for item in scenarios)
    assert report.executors == ("legacy", "unified")
    assert sum(row.used for row in report.ledger.rows) > 0
