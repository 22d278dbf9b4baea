"""`planproof report` as a user sees it, from runs to the merged whole and its trend."""

import json
import webbrowser

import pytest

from conformance.cli import run
from conformance.ledger import DEFAULT_CORPUS

HIDDEN = str(DEFAULT_CORPUS / "false-deadlock-min.json")
PLAIN = str(DEFAULT_CORPUS / "chain-1.json")


@pytest.fixture(autouse=True)
def opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pages = []
    monkeypatch.setattr(webbrowser, "open", lambda page: pages.append(page) or True)
    return pages


@pytest.fixture
def shards(capsys):
    for index in (1, 2):
        arguments = ["--scenarios", HIDDEN, "--scenarios", PLAIN, "--shard", f"{index}/2"]
        assert run(["diff", *arguments, "--report", f"json={index}.json"]) == 0
    capsys.readouterr()
    return ["1.json", "2.json"]


def test_shards_are_merged_and_written_in_any_format(shards, capsys, tmp_path):
    reports = ["--report", "junit=out.xml", "--report", "html=out.html"]
    assert run(["report", "merge", *shards, *reports]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "passed: 1 ledgered, 1 passed (exit 0)"
    assert 'tests="2"' in (tmp_path / "out.xml").read_text()
    assert "<!doctype html>" in (tmp_path / "out.html").read_text()


def test_a_lost_shard_is_no_pass(shards, capsys):
    assert run(["report", "merge", shards[0]]) == 4
    assert "UNTESTABLE part 2 of 2: its report is missing" in capsys.readouterr().out


def test_contradicting_shards_are_one_line_and_exit_code_2(shards, capsys, tmp_path):
    document = json.loads((tmp_path / "1.json").read_text())
    document["run"]["items"][0] |= {"status": "failed"}
    (tmp_path / "2.json").write_text(json.dumps(document))
    assert run(["report", "merge", *shards]) == 2
    err = capsys.readouterr().err
    assert "is failed here and ledgered in 1.json" in err
    assert err.count("\n") == 1


def test_a_report_is_opened_in_a_browser(shards, capsys, tmp_path, opened):
    assert run(["report", "open", "1.json"]) == 0
    assert capsys.readouterr().out == "1.html\n"
    assert opened == [(tmp_path / "1.html").as_uri()]
    assert run(["report", "open", "1.html"]) == 0
    assert run(["report", "open", "1.json", "--output", "2.html", "--no-browser"]) == 0
    assert (tmp_path / "2.html").is_file()
    assert len(opened) == 2


def test_the_trend_of_recorded_runs_is_drawn(shards, capsys):
    arguments = ["diff", "--scenarios", PLAIN, "--history"]
    assert run(arguments) == run(arguments) == 0
    capsys.readouterr()
    assert run(["report", "history", "--add", "1.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("diff legacy unified ") and ": 2 runs, " in line for line in lines)
    assert "  passed  ▁▁  1" in lines
    assert run(["report", "history", "--format", "json", "--limit", "1"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_the_html_report_draws_the_history(capsys, tmp_path):
    arguments = ["diff", "--scenarios", PLAIN, "--history", "h.sqlite", "--report", "html=out.html"]
    assert run(arguments) == run(arguments) == 0
    assert "the newest 2 runs" in (tmp_path / "out.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["merge"], 2, "Missing argument 'FILES...'"),
        (["merge", "absent.json"], 2, "absent.json: No such file or directory"),
        (["open", "absent.json"], 2, "absent.json: No such file or directory"),
        (["open", "absent.html"], 2, "absent.html: No such file or directory"),
        (["history"], 2, "history.sqlite: there is no history (record runs with `--history`)"),
        (["history", "--limit", "0"], 2, "--limit"),
        (["shut"], 2, "No such command 'shut'"),
    ],
)
def test_mistakes_are_one_line_and_an_exit_code(capsys, arguments, code, message):
    assert run(["report", *arguments]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)
