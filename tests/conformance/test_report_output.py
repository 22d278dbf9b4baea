"""Options of reports: where they go, and what happens when they cannot go there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.cli import run
from conformance.ledger import DEFAULT_CORPUS

PLAIN = str(DEFAULT_CORPUS / "chain-1.json")
DIFF = ["diff", "--scenarios", PLAIN]
FULL = Path("/dev/full")
COMMAND = [sys.executable, "-W", "error", "-m", "conformance.cli", *DIFF]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_several_reports_are_written_at_once(tmp_path, capsys):
    names = {
        "junit": "o.xml",
        "sarif": "o.sarif",
        "ctrf": "o.ctrf",
        "markdown": "o.md",
        "html": "o.html",
        "json": "o.json",
    }
    reports = [word for form, name in names.items() for word in ("--report", f"{form}={name}")]
    assert run([*DIFF, *reports]) == 0
    assert "every divergence is explained" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == set(names.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--report", "o.xml"], "'o.xml' is not FORMAT=FILE"),
        (["--report", "pdf=o.pdf"], "'pdf=o.pdf' is not FORMAT=FILE"),
        (["--report", "junit="], "'junit=' is not FORMAT=FILE"),
        (
            ["--report", "junit=no/such/o.xml"],
            "no/such/o.xml: cannot be written: its folder does not exist",
        ),
        (["--report", "junit=o", "--report", "ctrf=o"], "two reports would be written to one file"),
        (["--format", "junit", "--output", "o", "--report", "ctrf=./o"], "two reports"),
    ],
)
def test_a_wrong_destination_is_found_before_the_run(capsys, tmp_path, arguments, message):
    assert run([*DIFF, *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line_and_exit_code_3(capsys):
    assert run([*DIFF, "--report", f"html={FULL}"]) == 3
    captured = capsys.readouterr()
    assert captured.err == "planproof: /dev/full: No space left on device; no report was written\n"


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk_behind_standard_output_is_one_line_and_exit_code_3():
    with FULL.open("w") as full:
        done = subprocess.run(COMMAND, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.stderr, done.returncode) == ("planproof: No space left on device\n", 3)


def test_a_closed_pipe_is_one_line_and_exit_code_3():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(COMMAND, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode == 3
    assert done.stderr == "planproof: the reader of the output went away\n"
