"""`planproof trace` prints a line for each scenario, and one line for each mistake."""

import io
import json

import pytest

from conformance.cli import run
from conformance.runner import run_scenario
from conformance.scenario_builder import ScenarioBuilder, execute
from conformance.tool_scripts import ScriptedTools


@pytest.fixture
def corpus(tmp_path):
    lines = [json.dumps(ScenarioBuilder(name).chain("a", "b").build().document()) for name in "xyz"]
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def _fails(capsys, code, *arguments):
    assert run(["trace", *map(str, arguments)]) == code
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("planproof: ")
    return captured.err, captured.out


def test_lines_in_input_order_and_the_same_bytes_twice(corpus, capsys):
    outputs = []
    for _ in range(2):
        assert run(["trace", "--executor", "legacy", str(corpus)]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    traces = [json.loads(line) for line in outputs[0].splitlines()]
    assert [trace["scenario"] for trace in traces] == ["x", "y", "z"]
    assert {trace["executor"] for trace in traces} == {"legacy"}


def test_output_goes_to_a_file(corpus, tmp_path, capsys):
    output = tmp_path / "out.jsonl"
    assert run(["trace", "--executor", "legacy", "--output", str(output), str(corpus)]) == 0
    assert capsys.readouterr() == ("", "")
    assert len(output.read_text().splitlines()) == 3


def test_a_terminal_sees_progress_and_standard_output_stays_clean(corpus, capsys, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert run(["trace", "--executor", "legacy", str(corpus)]) == 0
    assert "3/3" in terminal.getvalue()
    assert len([json.loads(line) for line in capsys.readouterr().out.splitlines()]) == 3


def test_an_invalid_plan_has_a_trace_all_the_same(tmp_path, capsys):
    documents = []
    for name, plan in {
        "cycle": ScenarioBuilder("c").step("a", after=["a"]).plan.document(),
        "empty": {},
        "shape": {"steps": [{}]},
        "nonsense": {"steps": 5},
    }.items():
        document = ScenarioBuilder(name).step("a").build().document()
        documents.append(document | {"name": name, "plan": plan})
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join(map(json.dumps, documents)))
    assert run(["trace", "--executor", "legacy", str(path)]) == 0
    traces = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [trace["segments"][0]["threw_name"] for trace in traces]
    assert names == ["ZodError", "TypeError", "ZodError", "TypeError"]


def test_strings_that_have_no_utf8_form_are_escaped(tmp_path, capsys):
    document = ScenarioBuilder("x").step("a", parameters={"p": "\ud800", "q": "ü"}).document()
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps(document))
    assert run(["trace", "--executor", "legacy", str(path)]) == 0
    (call,) = json.loads(capsys.readouterr().out)["calls"]
    assert call["parameters"] == {"p": "\ud800", "q": "ü"}


def test_unknown_executor(corpus, capsys):
    err, _ = _fails(capsys, 2, "--executor", "legcy", corpus)
    assert "did you mean 'legacy'" in err


def test_missing_file(tmp_path, capsys):
    err, _ = _fails(capsys, 2, "--executor", "legacy", tmp_path / "none.jsonl")
    assert "none.jsonl" in err


def test_truncated_line_and_unknown_field(corpus, capsys):
    text = corpus.read_text()
    corpus.write_text(text[:-40])
    err, _ = _fails(capsys, 2, "--executor", "legacy", corpus)
    assert "corpus.jsonl:3" in err
    corpus.write_text(text.replace('"outcomes"', '"outcome"', 1))
    err, _ = _fails(capsys, 2, "--executor", "legacy", corpus)
    assert "corpus.jsonl:1" in err
    assert "did you mean 'outcomes'" in err


def test_nothing_to_run(tmp_path, capsys):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n\n")
    err, _ = _fails(capsys, 4, "--executor", "legacy", empty)
    assert "empty.jsonl" in err


def test_an_output_that_cannot_be_written(corpus, tmp_path, capsys):
    _fails(capsys, 2, "--executor", "legacy", "--output", tmp_path / "no" / "x", corpus)


def test_a_wrong_url(corpus, capsys):
    _fails(capsys, 2, "--executor", "legacy", "--store", "postgres://h/1", corpus)


def test_a_refused_connection_names_the_url_without_its_password(corpus, capsys):
    url = "redis://user:secret@127.0.0.1:1/0"
    err, out = _fails(capsys, 3, "--executor", "legacy", "--store", url, corpus)
    assert "redis://127.0.0.1:1/0" in err
    assert "secret" not in err
    assert out == ""


@pytest.mark.redis
def test_a_database_that_holds_keys(corpus, redis_server, capsys):
    redis_server.command("SET mine 1")
    err, _ = _fails(capsys, 2, "--executor", "legacy", "--store", redis_server.url, corpus)
    assert "empty database" in err
    assert b"mine" in redis_server.command("KEYS *")


@pytest.mark.redis
def test_a_store_that_goes_away_keeps_the_lines_before(corpus, redis_server, capsys, monkeypatch):
    real_call = ScriptedTools.call
    calls = []

    async def call(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 4:  # the second call of the second scenario
            redis_server.stop()
        return await real_call(self, *arguments, **options)

    monkeypatch.setattr(ScriptedTools, "call", call)
    err, out = _fails(capsys, 3, "--executor", "legacy", "--store", redis_server.url, corpus)
    assert err.startswith("planproof: y: the store at redis://127.0.0.1:")
    assert [json.loads(line)["scenario"] for line in out.splitlines()] == ["x"]
    assert len(calls) == 4


def test_a_crash_does_not_leak(corpus):
    scenario = ScenarioBuilder("x").step("a").step("b").drive(execute(crash_after_ms=5)).build()
    for _ in range(3):
        trace = run_scenario(scenario, "legacy")
    assert trace["segments"] == [
        {"op": "execute", "started_at_ms": 0, "ended_at_ms": 5, "crashed": True}
    ]


def test_an_invalid_plan_is_named_unless_it_is_meant(tmp_path, capsys):
    document = ScenarioBuilder("c").step("a").build().document()
    document["plan"] = ScenarioBuilder("c").step("a", after=["a"]).plan.document()
    for tags, code in (([], 2), (["schema"], 0)):
        path = tmp_path / "c.json"
        path.write_text(json.dumps(document | {"tags": tags}))
        assert run(["trace", "--executor", "unified", str(path)]) == code
        shown = capsys.readouterr()
        assert json.loads(shown.out)["segments"][0]["threw_name"] == "INVALID_PLAN"
        assert ("plan.steps[0].dependencies[0]" in shown.err) == (code == 2)
        assert shown.err.count("\n") == (code == 2)


def test_a_document_that_is_no_object_is_no_scenario(tmp_path, capsys):
    file = tmp_path / "list.json"
    file.write_text("[]")
    assert run(["trace", "--executor", "unified", str(file)]) == 2
    said = f"planproof: {file}: is no scenario: a JSON object is needed\n"
    assert capsys.readouterr().err == said
