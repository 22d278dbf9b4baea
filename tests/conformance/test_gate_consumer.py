"""The gate in the example consumer repository, as the README shows it."""

import json
import shutil
from pathlib import Path

import pytest

from conformance.cli import run

CONSUMER = Path(__file__).parents[1] / "fixtures" / "consumer"


@pytest.fixture
def consumer(tmp_path, monkeypatch):
    copy = tmp_path / "consumer"
    shutil.copytree(CONSUMER, copy)
    monkeypatch.chdir(copy)
    return copy


def test_the_scan_fails_and_names_production_code(consumer, capsys):
    assert run(["scan", "."]) == 1
    shown = capsys.readouterr().out
    assert "src/orders/api/execute.py" in shown
    assert "production: 15 use" in shown


def test_the_gate_fails_for_the_imports_that_are_left(consumer, capsys):
    arguments = ["--only", "legacy-imports", "--only", "engine-size", "--format", "json"]
    assert run(["gate", *arguments]) == 1
    report = json.loads(capsys.readouterr().out)
    metrics = {metric["id"]: metric for metric in report["metrics"]}
    assert metrics["legacy-imports"]["verdict"] == "missed"
    assert metrics["legacy-imports"]["figure"].startswith("15 uses")
    assert metrics["engine-size"]["verdict"] == "met"
