"""The README of recordings: its example runs, and its commands have the options that it names."""

import re
import shlex
from pathlib import Path

import pytest

import conformance.recording
from conformance.cli import run
from conformance.evidence.documentation import run_example
from conformance.metrics.documentation import examples

FILE = Path(conformance.recording.__file__).parent / "README.md"
TEXT = FILE.read_text("utf-8")
COMMANDS = re.findall(r"^    planproof (.*)$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("example", list(examples(TEXT, str(FILE))), ids=lambda each: each.place)
def test_every_example_runs(example):
    result = run_example(example, timeout_s=60)
    assert result.outcome == "ran", result.message


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_one_of_its_command(command, capsys):
    words = shlex.split(command)
    named = [word for word in words if word.startswith("--")]
    depth = 2 if words[0] == "record" else 1
    assert run([*words[:depth], "--help"]) == 0
    said = capsys.readouterr().out
    assert [option for option in named if option not in said] == []


def test_there_are_commands():
    assert len(COMMANDS) == 5
