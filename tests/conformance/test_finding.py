"""Findings: the smallest scenario, the file, the command that replays it, the draft of an entry."""

import tomllib
from datetime import date
from pathlib import Path

from conformance.differential import Options, PairResult, judge
from conformance.finding import MAX_SHRUNK, collect, kind, propose
from conformance.ledger import Ledger, inspect_ledger
from conformance.reference_model import predict
from conformance.reference_trace import reference_trace
from conformance.scenario import read_corpus
from conformance.scenario_builder import (
    ScenarioBuilder,
    advance,
    execute,
    fails,
    reference,
    run,
    succeeds,
)
from conformance.shrinking import shrink
from conformance.verdict import Attribution, Verdict

TODAY = date(2026, 11, 22)


def _big():
    builder = ScenarioBuilder("big").intent().llm("nothing")
    for key in ("a", "b", "c", "d", "e", "f"):
        builder.step(key, retry_policy={"max_attempts": 2})
    builder.step("g", after=["a", "f"], parameters={"x": reference("a", "v"), "y": 1})
    builder.tool("a", succeeds({"v": 1}, latency_ms=700))
    builder.tool("g", fails("no"), succeeds())
    return builder.drive(run(), advance(1000), run()).build()


def _uses(scenario, tool):
    return any(step["tool_name"] == tool for step in scenario.plan["steps"])


def test_what_does_not_matter_is_dropped():
    small = shrink(_big(), lambda candidate: _uses(candidate, "g"))
    (step,) = small.plan["steps"]
    assert (step["tool_name"], step["step_number"]) == ("g", 0)
    assert (step["dependencies"], step["parameters"]) == ([], {})
    assert "retry_policy" not in step
    assert (small.intent, small.llm, small.outcomes) == (None, (), {})
    assert len(small.driver) == 1


def test_what_matters_stays_and_candidates_are_sound():
    asked = []

    def shows(candidate):
        asked.append(candidate)
        return {"a", "g"} <= {step["tool_name"] for step in candidate.plan["steps"]}

    small = shrink(_big(), shows)
    assert [step["tool_name"] for step in small.plan["steps"]] == ["a", "g"]
    assert [step["step_number"] for step in small.plan["steps"]] == [0, 1]
    assert all(predict(candidate).end != "refused" for candidate in asked)


def test_shrinking_is_bounded_and_keeps_what_nothing_smaller_shows():
    asked = []

    def never(candidate):
        asked.append(candidate)
        return False

    assert shrink(_big(), never, questions=7) == _big()
    assert len(asked) == 7
    assert shrink(_big(), lambda _: False) == _big()


def _examiner(scenario, _options):
    """Compare a perfect executor with one that never calls the tool `g`."""
    right = reference_trace(predict(scenario), scenario)
    broken = dict(right)
    broken["calls"] = [call for call in right["calls"] if call["tool"] != "g"]
    return judge(scenario, right | {"executor": "perfect"}, broken)


def test_a_finding_is_a_file_and_the_command_that_replays_it(tmp_path):
    scenario = _big()
    result = _examiner(scenario, Options())
    (found,) = collect(
        [(scenario, result)],
        options=Options(strict=True, store="redis://h"),
        ledger=Ledger(path=Path("own.toml")),
        folder=tmp_path / "findings",
        today=TODAY,
        examiner=_examiner,
    )
    assert found.path == tmp_path / "findings" / "big.json"
    (replayed,) = read_corpus([found.path])
    assert replayed == found.minimal
    assert len(replayed.plan["steps"]) == 1 < found.steps_before
    assert kind(_examiner(replayed, Options())) == kind(result)
    assert found.command == (
        f"planproof diff --scenarios {found.path} --store redis://h --strict --ledger own.toml"
    )


def test_only_the_first_of_a_kind_is_shrunk(tmp_path):
    first = _big()
    others = [first.model_copy(update={"name": f"other/{n}"}) for n in range(MAX_SHRUNK)]
    pairs = [(item, _examiner(item, Options())) for item in (first, *others)]
    found = collect(
        pairs,
        options=Options(),
        ledger=Ledger(),
        folder=tmp_path,
        today=TODAY,
        examiner=_examiner,
    )
    assert [len(item.minimal.plan["steps"]) for item in found] == [1, *[7] * MAX_SHRUNK]
    assert found[1].path.name == "other-0.json"


def test_a_proposal_is_toml_that_loads_only_after_somebody_has_decided(tmp_path):
    scenario = _big()
    text = propose(_examiner(scenario, Options()), Ledger(), today=TODAY)
    (entry,) = tomllib.loads(text)["divergence"]
    assert (entry["id"], entry["layer"], entry["expires"]) == ("DIV-001", "L2", date(2027, 11, 22))
    path = tmp_path / "ledger.toml"
    path.write_text('schema = "ledger/v1"\n' + text)
    (fault,) = inspect_ledger(path, today=TODAY)[1]
    assert "Decision" in fault.message
    decided = text.replace("TODO: fix | option | representation", "fix")
    path.write_text('schema = "ledger/v1"\n' + decided.replace(".json", ""))
    assert inspect_ledger(path, today=TODAY)[1] == []


def test_nothing_is_proposed_where_the_executors_agree():
    result = PairResult("s", Verdict.REGRESSION, Attribution.ORACLE_DISAGREES)
    assert propose(result, Ledger(), today=TODAY) == ""


def test_operations_lose_their_options_one_by_one():
    builder = ScenarioBuilder("s").step("a").drive(execute(assist=True, crash_after_ms=5), run())
    small = shrink(builder.build(), lambda candidate: candidate.driver[0].op == "execute")
    assert [operation.op for operation in small.driver] == ["execute"]
    assert small.driver[0].crash_after_ms is None
