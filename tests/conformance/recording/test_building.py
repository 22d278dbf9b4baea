"""The way from a run to its replay: an invented fact would prove something that never was."""

import asyncio
import json

import pytest

from conformance.cli import run
from conformance.recording.building import Untestable, build
from conformance.recording.recorded import read_recordings
from conformance.runner import run_scenario
from conformance.scenario import Scenario, read_scenarios
from conformance.scenario_builder import ScenarioBuilder, succeeds
from conformance.scenario_builder import run as driven

from .conftest import REFUSED, Shop, record_legacy, record_unified, scenario_of


def _built(path):
    (found,) = read_recordings([path]).executions.values()
    return build(found)


def _calls(trace):
    return [(call["tool"], call["parameters"]) for call in trace["calls"]]


def _outputs(trace):
    return {step["id"]: (step["status"], step["output"]) for step in trace["steps"]}


@pytest.mark.parametrize("charge", [None, REFUSED])
def test_a_run_on_legacy_is_replayed_with_its_calls_and_outputs(tmp_path, capsys, charge):
    path, out = tmp_path / "recording.jsonl", tmp_path / "scenarios.jsonl"
    first = record_legacy(path, scenario_of("legacy-run", charge=charge), redaction=_open())
    assert run(["record", "build", str(path), "--out", str(out)]) == 0
    assert "1 scenarios" in capsys.readouterr().out
    (scenario,) = read_scenarios(out)
    again = run_scenario(scenario, "legacy")
    assert (_calls(again), _outputs(again)) == (_calls(first), _outputs(first))
    found = tmp_path / "found"
    assert run(["diff", "--scenarios", str(out), "--findings", str(found)]) == 0


def test_a_run_on_unified_is_replayed_with_its_calls_and_outputs(tmp_path, capsys):
    path, out = tmp_path / "recording.jsonl", tmp_path / "scenarios.jsonl"
    shop = Shop()
    result = asyncio.run(record_unified(path, scenario_of("unified-run"), shop, redaction=_open()))
    assert run(["record", "build", str(path), "--out", str(out)]) == 0
    (scenario,) = read_scenarios(out)
    again = run_scenario(scenario, "unified")
    assert sorted(map(str, _calls(again))) == sorted(map(str, shop.calls))
    assert _outputs(again) == {step.id: (str(step.status), step.output) for step in result.steps}
    assert run(["diff", "--scenarios", str(out), "--findings", str(tmp_path / "found")]) == 0
    assert "1 pass" in capsys.readouterr().out


def test_what_was_undone_is_replayed_too(tmp_path):
    path = tmp_path / "recording.jsonl"
    shop = Shop(is_paying=False)
    asyncio.run(record_unified(path, scenario_of("undone"), shop, redaction=_open()))
    assert ("cancel", {"id": "B-1"}) in shop.calls
    scenario = _built(path)
    assert isinstance(scenario, Scenario)
    again = _calls(run_scenario(scenario, "unified"))
    assert sorted(map(str, again)) == sorted(map(str, shop.calls))


def test_secrets_are_nowhere_and_the_replay_holds_all_the_same(tmp_path):
    path = tmp_path / "recording.jsonl"
    asyncio.run(record_unified(path, scenario_of("secret"), Shop(is_paying=False)))
    assert "s3cret" not in path.read_text()
    scenario = _built(path)
    assert isinstance(scenario, Scenario)
    assert "redacted" in scenario.tags


def _open():
    from conformance.recording import Redaction

    return Redaction(keys=())


def _edited(path, edit):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in edit(lines)))


def _without(event, number=0):
    def edit(lines):
        found = [line for line in lines if line["event"] == event]
        return [line for line in lines if line is not found[number]]

    return edit


def _pair_gone(lines):
    """Leave out the last call with its answer: as if another process had made it, unrecorded."""
    last = [line["call"] for line in lines if line["event"] == "call"][-1]
    return [line for line in lines if line.get("call") != last]


def _unwritable(lines):
    """Let nothing be known of the last call but that it was made."""
    last = [line for line in lines if line["event"] == "call"][-1]
    for name in ("tool", "aliases", "parameters", "at_ms", "timeout_ms"):
        last.pop(name, None)
    last["missing"] = "RecursionError"
    return lines


def _partial(lines):
    return [line | {"is_partial": True} if line["event"] == "end" else line for line in lines]


def _cancelled(lines):
    """Let the last answer be a cancellation, with no end that tells what came of it."""
    *_, last = [line for line in lines if line["event"] == "answer"]
    del last["outcome"]
    last["cancelled"] = True
    return [line for line in lines if line["event"] != "end"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_without("execution"), "its plan was not recorded"),
        (_without("answer", 1), "call 2, of hold: its answer was not recorded"),
        (_without("call", 1), "the answer to a call that was not recorded"),
        (_pair_gone, "made in a replay, but not recorded: pay"),
        (_unwritable, ": a call: RecursionError"),
        (_partial, "its end was not recorded: the last segment yielded"),
        (_cancelled, "of pay: was cancelled, and no end follows"),
    ],
)
def test_a_missing_fact_is_named_and_nothing_is_made_up(tmp_path, capsys, edit, said):
    path, out = tmp_path / "recording.jsonl", tmp_path / "scenarios.jsonl"
    asyncio.run(record_unified(path, scenario_of("gap"), Shop(), redaction=_open()))
    _edited(path, edit)
    assert run(["record", "build", str(path), "--out", str(out)]) == 4
    assert said in capsys.readouterr().out
    assert not out.exists()


def test_a_plan_that_production_refuses_is_untestable(tmp_path):
    path = tmp_path / "recording.jsonl"
    scenario = scenario_of("foreign").model_copy(update={"execution_id": "evening"})
    asyncio.run(record_unified(path, scenario, Shop(), redaction=_open()))
    found = _built(path)
    assert isinstance(found, Untestable)
    assert "execution_id: must be an id" in found.line()


def test_a_torn_line_is_told_and_the_rest_is_built(tmp_path, capsys):
    path, out = tmp_path / "recording.jsonl", tmp_path / "scenarios.jsonl"
    record_legacy(path, scenario_of("torn"))
    with path.open("a") as file:
        file.write('{"schema":"recording/v1","event":"ca')
    assert run(["record", "build", str(path), "--out", str(out)]) == 4
    said = capsys.readouterr().out
    assert f"unreadable line: {path}:" in said
    assert len(list(read_scenarios(out))) == 1


def test_nothing_recorded_is_no_pass(tmp_path, capsys):
    path = tmp_path / "empty.jsonl"
    path.write_text("")
    assert run(["record", "build", str(path), "--out", str(tmp_path / "out.jsonl")]) == 4
    assert "there is no execution" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema":"trace/v1"}\n', "is no recording/v1 line"),
        ('{"schema":"recording/v1","event":"x","execution_id":"1"}\n', "no known event"),
        ('{"schema":"recording/v1","event":"call","execution_id":"1"}\n', "is no call line"),
    ],
)
def test_what_is_no_recording_is_a_fault_of_usage(tmp_path, capsys, text, said):
    path = tmp_path / "else.jsonl"
    path.write_text(text)
    assert run(["record", "build", str(path), "--out", str(tmp_path / "out.jsonl")]) == 2
    error = capsys.readouterr().err
    assert f"{path}:1: " in error
    assert said in error


def test_a_missing_file_is_a_fault_of_usage(tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    assert run(["record", "build", str(tmp_path / "no.jsonl"), "--out", str(out)]) == 2
    assert "No such file" in capsys.readouterr().err


def test_calls_of_one_tool_keep_their_order_over_several_files(tmp_path):
    path, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    scenario = scenario_of("two-files", charge=succeeds({"paid": 1}))
    record_legacy(path, scenario, redaction=_open())
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]))
    other.write_text("".join(lines[2:]))
    (found,) = read_recordings([other, path]).executions.values()
    assert [call.tool for call in found.ordered_calls()] == ["look", "hold", "pay"]
    assert isinstance(build(found), Scenario)


def test_a_long_run_on_legacy_that_its_consumer_resumes_is_replayed(tmp_path):
    long = ScenarioBuilder("long").chain("a", "b", "c").latencies(a=5_000, b=5_000, c=9)
    scenario = long.drive(driven(assist=True)).build()
    path = tmp_path / "recording.jsonl"
    first = record_legacy(path, scenario)
    assert len(first["segments"]) > 1
    built = _built(path)
    assert isinstance(built, Scenario)
    assert _calls(run_scenario(built, "legacy")) == _calls(first)
    assert built.driver[0].assist
