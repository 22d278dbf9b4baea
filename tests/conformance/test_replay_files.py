"""Without these a failure could be seen once, and never again."""

import re
import shlex
import subprocess
import sys

import pytest

from chaos.campaign.tallying import failure_of
from chaos.fault_id import parse_case
from conformance.cli import run
from conformance.commands.chaos_replay import run_again, smallest_like
from conformance.replay_files import ReplayFileError, read_replay, write_replays

FAILING = "chain3/L1@s2.tool#1:TA/subject=legacy-restarted"


def _failure(text):
    result, _ = run_again(parse_case(text))
    return failure_of(result, "singles")


def test_a_failure_leaves_a_file_with_the_smallest_case(tmp_path):
    (file,) = write_replays([_failure(FAILING)], smallest_like, tmp_path)
    saved = read_replay(file)
    assert saved.case == FAILING
    assert saved.predicates
    assert saved.smallest is not None
    small = parse_case(saved.smallest)
    assert len(small.faults) <= 1
    assert small.plan == "chain1"


def test_without_time_the_file_is_written_all_the_same(tmp_path):
    (file,) = write_replays([_failure(FAILING)], smallest_like, tmp_path, budget_s=0)
    assert read_replay(file).smallest is None


def test_a_fresh_process_sees_what_the_file_says(tmp_path):
    (file,) = write_replays([_failure(FAILING)], smallest_like, tmp_path, budget_s=0)
    command = [sys.executable, "-m", "conformance.cli", "chaos", "--replay", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "a second run has the same history, bit for bit" in done.stdout
    assert "the failure had the same history" in done.stdout


@pytest.mark.parametrize("text", ["{", "{}", '{"case": 1}'])
def test_what_is_no_replay_file_is_told_in_one_line(text, tmp_path, capsys):
    file = tmp_path / "broken.json"
    file.write_text(text, "utf-8")
    with pytest.raises(ReplayFileError):
        read_replay(file)
    assert run(["chaos", "--replay", str(file)]) == 2
    assert capsys.readouterr().err.count("\n") <= 1
    assert run(["chaos", "--replay", str(tmp_path / "none.json")]) == 2


@pytest.mark.slow
def test_a_planted_bug_is_replayed_by_the_command_that_is_printed(tmp_path, monkeypatch, capsys):
    """Failure, printed line, replay in a fresh process: the same history every time."""
    monkeypatch.chdir(tmp_path)
    assert run(["chaos", "--mutants", "done-before-call", "--jobs", "1"]) == 0
    printed = re.search(r"planproof chaos --mutants \S+ --replay '[^']+'", capsys.readouterr().out)
    assert printed is not None
    words = shlex.split(printed[0])[1:]
    seen = []
    for _ in range(2):
        command = [sys.executable, "-m", "conformance.cli", *words]
        seen.append(subprocess.run(command, capture_output=True, text=True, check=False))
    assert [done.returncode for done in seen] == [1, 1]
    assert seen[0].stdout == seen[1].stdout
    assert "bit for bit" in seen[0].stdout
