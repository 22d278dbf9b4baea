"""What every command does when it is left before it has ended: its reader goes, somebody interrupts."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

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
