"""The command around the gate: options, outputs and mistakes, in a consumer's repository."""

import json

import pytest

from conformance.cli import run


@pytest.fixture
def consumer(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.planproof]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_outside_a_repository_the_error_says_what_to_write(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["gate"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"planproof: {tmp_path}: no pyproject.toml here or above")
    assert "`planproof init` writes it: `[tool.planproof]` in pyproject.toml" in captured.err
    assert captured.err.count("\n") == 1


def test_a_consumer_measures_the_installed_engine(consumer, capsys):
    assert run(["gate", "--only", "engine-size"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "MET (only engine-size): 1 met, 0 missed, 0 unknown; exit 0, passed"
    assert any("engine/workflow_machine.py" in line for line in lines)


def test_the_profile_is_named_in_the_report(consumer, capsys):
    code = run(["gate", "--only", "frozen-legacy", "--profile", "nightly", "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert (document["profile"], document["exit_code"], code) == ("nightly", 0, 0)
    assert document["configuration"] == str(consumer / "pyproject.toml")


@pytest.mark.parametrize("format_", ["json", "console"])
def test_the_report_goes_to_the_file_and_the_verdict_to_the_screen(consumer, capsys, format_):
    arguments = ["gate", "--only", "engine-size", "--format", format_, "--output", "report"]
    assert run(arguments) == 0
    assert capsys.readouterr().out.startswith("MET (only engine-size): 1 met")
    text = (consumer / "report").read_text()
    if format_ == "json":
        assert json.loads(text)["metrics"][0]["verdict"] == "met"
    else:
        assert "workflow_machine is smaller" in text


def test_a_configuration_file_may_be_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.toml").write_text("[tool.planproof.size]\nbaseline_lines = 10\n")
    assert run(["gate", "--config", "settings.toml", "--only", "engine-size"]) == 1
    assert "target: at most 8 lines (-20% of 10)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "speed"], "'speed' is not one of 'legacy-imports', 'engine-size'"),
        (["--profile", "weekly"], "'weekly' is not one of 'pr', 'nightly', 'release'"),
        (["--format", "xml"], "'xml' is not one of 'console', 'json'"),
        (["--output", "absent/report.json"], "absent/report.json: cannot be written"),
        (["--output", "."], "cannot be written: it is a folder"),
        (["--config", "absent.toml"], "absent.toml: No such file or directory"),
        (["extra"], "unexpected extra argument"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(consumer, capsys, arguments, message):
    assert run(["gate", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)


def test_a_wrong_machine_stops_the_gate_before_anything_is_judged(consumer, capsys):
    (consumer / "pyproject.toml").write_text(
        '[tool.planproof.size]\nworkflow_machine = "engine.nowhere"\n'
    )
    assert run(["gate", "--only", "engine-size"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "tool.planproof.size.workflow_machine: there is no module or file" in captured.err
