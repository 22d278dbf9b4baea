"""The README says what is so: its commands run, its example runs, its tables are complete."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.cli import COMMANDS, run
from conformance.errors import SEVERITY, ExitCode
from conformance.evidence.documentation import run_example
from conformance.evidence.suite import INSIDE_GATE
from conformance.metrics.documentation import examples
from conformance.report import PROFILES_GATED_BY_CHECKLIST

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
LINES_MAX = 180  # the rest is linked
INSTALL = ("python3 -m venv .venv", ".venv/bin/pip install --quiet '.[all,dev]'")


def _commands():
    blocks = re.findall(r"^```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_two_commands_do_everything():
    *commands, _consumer = [line.split(" && ") for line in _commands()]
    assert [tuple(parts[:2]) for parts in commands] == [INSTALL, INSTALL]
    assert [parts[2:] for parts in commands] == [
        [".venv/bin/planproof gate"],
        [".venv/bin/python -m pytest -n 2"],
    ]


def test_the_third_command_judges_the_example_consumer(monkeypatch, capsys):
    folder, calls = _commands()[2].split(" && ")
    scan, gate = (shlex.split(call) for call in calls.split(" ; "))
    monkeypatch.chdir(ROOT / folder.removeprefix("cd "))
    for words in (scan, gate):
        assert words[0] == "../../../.venv/bin/planproof"
    assert run(scan[1:]) == ExitCode.FAILED
    assert run([*gate[1:], "--only", "legacy-imports"]) == ExitCode.FAILED
    assert "15 use" in capsys.readouterr().out


@pytest.mark.slow
def test_the_first_command_ends_in_a_verdict_for_each_metric(monkeypatch, capsys, tmp_path):
    words = shlex.split(_commands()[0].split(" && ")[2])
    assert Path(words[0]).name == "planproof"
    monkeypatch.chdir(ROOT)
    # The tests that the gate would run are the ones that are running: their metric stays open.
    monkeypatch.setenv(INSIDE_GATE, "1")
    report = tmp_path / "report.json"
    code = run([*words[1:], "--format", "json", "--output", str(report)])
    document = json.loads(report.read_text("utf-8"))
    verdicts = {metric["id"]: metric["verdict"] for metric in document["metrics"]}
    reasons = {metric["id"]: metric["reason"] for metric in document["metrics"]}
    verdicts.pop("execution-tests")
    assert set(verdicts.values()) == {"met"}, reasons
    assert capsys.readouterr().out.startswith(("UNKNOWN: 5 met", "MET: 6 met"))
    assert code in {ExitCode.PASSED, ExitCode.VACUOUS}


def test_the_second_command_finds_tests():
    words = shlex.split(_commands()[1].split(" && ")[2])
    assert Path(words[0]).name == "python"
    done = subprocess.run(
        [sys.executable, *words[1:], "--collect-only", "-q", "tests/architecture"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ tests collected", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    "example", list(examples(README, "README.md")), ids=lambda each: each.place
)
def test_every_example_runs(example):
    result = run_example(example, timeout_s=60)
    assert result.outcome == "ran", result.message


def test_every_command_has_its_row():
    assert sorted(re.findall(r"^\| `planproof (\w+)`", README, re.MULTILINE)) == sorted(COMMANDS)


def test_every_exit_code_has_its_row_and_the_order_is_the_real_one():
    assert [int(code) for code in re.findall(r"^\| (\d) \|", README, re.MULTILINE)] == list(
        ExitCode
    )
    order = re.search(r"in the order ([\d, ]+)\:", README).group(1)
    assert [int(code) for code in order.split(", ")] == [*SEVERITY[:-1]]


def test_the_readme_names_the_profiles_that_the_checklist_decides():
    assert set(PROFILES_GATED_BY_CHECKLIST) == {"release"}
    assert "`planproof gate --profile release` also lets the checklist decide" in README


def test_it_stays_short():
    assert len(README.splitlines()) <= LINES_MAX
