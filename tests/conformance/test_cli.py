"""What every command does when it is left before it has ended: its reader goes, somebody interrupts."""

import asyncio
import builtins
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import conformance
from conformance.cli import run

CORPUS = Path(conformance.__file__).parent / "scenarios"
COMMAND = [sys.executable, "-W", "error", "-m", "conformance.cli"]


def _until_first_line(arguments):
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    line = process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    return line, said, process.wait(timeout=60)


def test_a_reader_that_goes_away_in_the_middle_leaves_the_outcome_unknown():
    line, said, code = _until_first_line(["trace", "--executor", "legacy", str(CORPUS)])
    assert line.startswith('{"schema":"trace/v1"')
    assert (said, code) == ("planproof: the reader of the output went away\n", 3)


def test_a_command_that_fails_before_it_speaks_keeps_its_exit_code():
    process = subprocess.Popen(
        [*COMMAND, "schema", "nonsense"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    process.stdout.close()
    assert process.wait(timeout=60) == 2


def test_an_interrupt_while_a_loop_is_set_up_is_an_interrupt(monkeypatch, capsys):
    """asyncio forgets one that comes between its handler and its counter."""
    given, heard = signal.signal, []

    def interrupted(number, handler):
        before = given(number, handler)
        if handler is not signal.default_int_handler and not heard:
            heard.append(number)
            signal.raise_signal(number)
        return before

    previous = given(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(asyncio.runners.signal, "signal", interrupted)
    try:
        assert run(["trace", "--executor", "legacy", str(CORPUS)]) == 3
    finally:
        given(signal.SIGINT, previous)
    assert heard == [signal.SIGINT]
    assert capsys.readouterr().err == "planproof: interrupted\n"


def test_an_interrupt_while_the_program_is_loaded_is_an_interrupt(monkeypatch, capsys):
    given = builtins.__import__

    def interrupted(name, *rest):
        if name == "click":
            raise KeyboardInterrupt
        return given(name, *rest)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    code = run(["schema", "scenario"])
    monkeypatch.undo()
    assert (code, capsys.readouterr().err) == (3, "planproof: interrupted\n")


@pytest.mark.parametrize("words", [[], ["report"], ["record"], ["ledger"], ["baseline"]])
def test_a_command_without_its_subcommand_shows_its_help_as_it_is(words, capsys):
    assert run(words) == 2
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == f"{' '.join(['Usage: planproof', *words])} [OPTIONS] COMMAND [ARGS]..."
    assert "Commands:" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["scan", "NAME"],
        ["codemod", "NAME"],
        ["diff", "--scenarios", "NAME"],
        ["failures", "NAME", "NAME"],
        ["gate", "--config", "NAME"],
        ["report", "open", "NAME"],
        ["certify", "exemplar", "--level", "C0", "--output", "NAME"],
    ],
    ids=lambda words: words[0],
)
def test_a_name_that_no_file_can_have_is_a_wrong_argument(words, capsys):
    name = "n" * 300
    assert run([name if word == "NAME" else word for word in words]) == 2
    assert name in capsys.readouterr().err
