"""Without these a campaign could pass with nothing in it, or print a replay that shows something else."""

import json

import jsonschema
import pytest

from conformance.cli import run
from conformance.schemas import schema

LOST = "chain2/L1@s1.tool#1:TA"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_plan_is_broken_everywhere_and_holds(capsys, tmp_path):
    junit = tmp_path / "out.xml"
    code = run(
        ["chaos", "--plan", "chain1", "--jobs", "1", "--format", "json", f"--report=junit={junit}"]
    )
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    jsonschema.validate(document, schema("chaos"))
    assert document["complete"]
    assert document["cases"] > 150
    (tmp_path / "chaos.json").write_text(json.dumps(document), "utf-8")
    assert run(["report", "open", "chaos.json", "--no-browser"]) == 0, "it holds a run/v1 report"
    assert (tmp_path / "chaos.html").is_file()
    assert 'name="chain1 A"' in junit.read_text("utf-8")
    assert not list(tmp_path.glob(".planproof/chaos/*.jsonl"))


def test_a_plan_is_not_judged_by_the_coverage_of_a_profile(capsys):
    words = ["chaos", "--profile", "pr", "--plan", "chain1", "--jobs", "1", "--format", "json"]
    assert run(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["profile"] == "plan"
    assert document["command"] == "planproof chaos --profile pr --plan chain1 --seed 0"


@pytest.mark.parametrize(
    ("url", "code"),
    [("redis://127.0.0.1:1/0", 3), ("http://here", 2), ("redis://here:port/0", 2)],
)
def test_a_server_that_does_not_answer_is_not_a_wrong_url(url, code, capsys):
    assert run(["chaos", "--plan", "chain1", "--jobs", "1", "--store", url]) == code
    assert capsys.readouterr().err.startswith("planproof: the server that was named: ")


def test_too_short_a_time_is_no_pass(capsys):
    assert run(["chaos", "--plan", "chain1", "--jobs", "1", "--budget", "0.001s"]) == 4
    assert "time was up" in capsys.readouterr().out


def test_a_replay_shows_the_timeline_and_the_same_history_twice(capsys):
    assert run(["chaos", "--replay", LOST]) == 0
    first = capsys.readouterr().out
    assert "FAULT  TA at s1.tool" in first
    assert "bit for bit" in first
    assert run(["chaos", "--replay", LOST]) == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--replay", "chain2/nonsense"], 2, "'nonsense' is no fault"),
        (["--replay", "chian2"], 2, "no plan 'chian2'"),
        (["--replay", "chain2/L1@s9.tool#1:TA"], 4, ""),
        (["--shrink", "chain2/nonsense"], 2, "'nonsense' is no fault"),
        (["--shrink", LOST], 4, "nothing to shrink"),
        (["--plan", "chian2"], 2, "no plan 'chian2'"),
        (["--budget", "soon"], 2, "'soon' is no time"),
        (["--mutants", "nobody"], 2, "there is no mutant 'nobody'"),
    ],
)
def test_bad_input_is_told_in_one_line(arguments, code, said, capsys):
    assert run(["chaos", *arguments]) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") <= 1


@pytest.mark.slow
def test_a_mutant_is_found_out(capsys):
    assert run(["chaos", "--mutants", "done-before-call", "--jobs", "1"]) == 0
    assert "mutants killed: 1 of 1" in capsys.readouterr().out
