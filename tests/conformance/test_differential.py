"""Judging pairs of traces: who is wrong, and what a ledger may and may not accept."""

import copy
from datetime import date

import pytest

from conformance import differential, runner
from conformance.comparator import Layer
from conformance.differential import Options, examine, examine_all, judge, settle
from conformance.errors import ExitCode, HarnessError, UsageError
from conformance.ledger import Ledger, read_ledger
from conformance.reference_model import predict
from conformance.reference_trace import reference_trace
from conformance.scenario_builder import ScenarioBuilder, execute, fails, succeeds
from conformance.verdict import Attribution, Verdict, worst_verdict

HIDDEN = ScenarioBuilder("hidden").step("a").step("b", after=["a"]).step("c").build()
ENTRY = """
schema = "ledger/v1"
[[divergence]]
id = "DIV-001"
title = "t"
layer = "L0"
when = 'legacy.end == "deadlock"'
legacy = "l"
unified = "u"
reason = "r"
decision = "fix"
owner = "o"
since = 2026-11-22
expires = 2027-11-22
example = "hidden"
max_share = 1.0
"""


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "ledger.toml"
    path.write_text(ENTRY)
    return read_ledger(path, today=date(2026, 11, 22))


def _right(scenario=HIDDEN):
    return reference_trace(predict(scenario), scenario)


def _deadlocked():
    """Return what legacy shows of a plan whose second step it hides from itself."""
    trace = copy.deepcopy(_right()) | {"executor": "legacy", "status": "FAILED"}
    trace["persisted_status"], trace["persisted_steps"] = "FAILED", "cpc"
    trace["calls"] = [call for call in trace["calls"] if call["tool"] != "b"]
    trace["steps"][1] |= {"status": "pending", "output": None, "attempts": 0}
    trace["segments"][0] |= {
        "success": False,
        "completed_steps": 2,
        "error_message": "Execution deadlock: 1 pending steps, none ready",
    }
    return trace


def test_two_runs_that_agree_with_the_model_pass():
    result = judge(HIDDEN, _right() | {"executor": "legacy"}, _right())
    assert (result.verdict, result.attribution) == (Verdict.PASS, Attribution.NONE)
    assert all(result.layers.values())


def test_a_divergence_is_attributed_and_primary_is_the_lowest_layer():
    result = judge(HIDDEN, _deadlocked(), _right())
    assert (result.verdict, result.attribution) == (Verdict.REGRESSION, Attribution.LEFT_WRONG)
    assert (result.primary.layer, result.primary.path) == (Layer.L0, "terminal")
    assert {layer for layer, agrees in result.layers.items() if not agrees} >= {
        Layer.L0,
        Layer.L1,
        Layer.L2,
        Layer.L3,
    }
    assert result.facts["legacy"]["end"] == "deadlock"


def test_an_accepted_divergence_is_green(ledger):
    result, use = settle(judge(HIDDEN, _deadlocked(), _right()), ledger)
    assert (result.verdict, result.entry, use.entries) == (
        Verdict.LEDGERED,
        "DIV-001",
        ("DIV-001",),
    )


def test_without_an_entry_it_is_a_regression():
    result, use = settle(judge(HIDDEN, _deadlocked(), _right()), Ledger())
    assert (result.verdict, result.entry, use.entries) == (Verdict.REGRESSION, None, ())


@pytest.mark.parametrize(
    "plant",
    [
        lambda t: t["calls"].append(t["calls"][0]),
        lambda t: t["calls"].pop(),
        lambda t: t["steps"][1].update(output={"x": 1}),
        lambda t: t["steps"][0].update(attempts=2),
        lambda t: t.update(persisted_steps="cpc"),
        lambda t: t["calls"][2].update(at_ms=3),
    ],
)
def test_a_defect_behind_an_accepted_divergence_is_a_regression(ledger, plant):
    trace = _right()
    plant(trace)
    result, use = settle(judge(HIDDEN, _deadlocked(), trace), ledger)
    assert use.entries == ("DIV-001",)
    assert (result.verdict, result.attribution) == (Verdict.REGRESSION, Attribution.BOTH_WRONG)
    assert result.reference


def test_where_legacy_is_right_the_unified_engine_is_wrong():
    trace = _right()
    trace["calls"].append(trace["calls"][0])
    result = judge(HIDDEN, _right() | {"executor": "legacy"}, trace)
    assert (result.verdict, result.attribution) == (Verdict.REGRESSION, Attribution.RIGHT_WRONG)


def test_two_executors_that_agree_against_the_model_are_red(ledger):
    left, right = _right() | {"executor": "legacy"}, _right()
    for trace in (left, right):
        trace["calls"] = [*trace["calls"], trace["calls"][0]]
    result, _ = settle(judge(HIDDEN, left, right), ledger)
    assert (result.verdict, result.attribution) == (
        Verdict.REGRESSION,
        Attribution.ORACLE_DISAGREES,
    )
    assert result.primary is None
    assert result.shown.layer is Layer.L2


def test_what_the_model_cannot_predict_is_never_accepted(ledger):
    scenario = HIDDEN.model_copy(update={"tags": ("js",)})
    result, use = settle(judge(scenario, _deadlocked(), _right()), ledger)
    assert (result.verdict, use.entries) == (Verdict.UNTESTABLE, ("DIV-001",))
    assert result.attribution is Attribution.UNATTRIBUTED
    agreed = judge(scenario, _right() | {"executor": "legacy"}, _right())
    assert (agreed.verdict, agreed.reason) == (
        Verdict.PASS,
        "depends on the JavaScript runtime",
    )


def test_a_numbered_crash_is_judged_by_where_it_fell():
    builder = ScenarioBuilder("s").chain("a", "b").tool("b", succeeds({"v": 1}), succeeds({"v": 2}))
    scenario = builder.drive(execute(crash_after_write=3), execute()).build()
    trace = _right(ScenarioBuilder("s").chain("a", "b").tool("b", succeeds({"v": 2})).build())
    crashed = {"op": "execute", "crashed": True, "started_at_ms": 0, "ended_at_ms": 10}
    trace["segments"] = [crashed, trace["segments"][0] | {"started_at_ms": 10}]
    trace["calls"].append(trace["calls"][1] | {"at_ms": 30_000})
    trace["steps"][1]["attempts"] = 2
    same = judge(scenario, trace | {"executor": "legacy"}, trace)
    assert (same.verdict, same.reason) == (Verdict.PASS, "")
    trace["calls"].append(trace["calls"][0])
    wrong = judge(scenario, trace | {"executor": "legacy"}, trace)
    assert wrong.reason == "a repeated call takes another scripted outcome"


def _patched(monkeypatch, run):
    monkeypatch.setattr(runner, "run_scenario", run)


def test_an_executor_that_differs_from_itself_is_nondeterministic(monkeypatch):
    count = iter(range(100))

    def run(scenario, subject, *, store):
        trace = _right() | {"executor": subject}
        return trace | ({"noise": next(count)} if subject == "unified" else {})

    _patched(monkeypatch, run)
    result = examine(HIDDEN, Options())
    assert (result.verdict, result.reason) == (
        Verdict.NONDETERMINISTIC,
        "two runs of unified differ",
    )


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (HarnessError("the store died"), Verdict.HARNESS_ERROR),
        (UsageError("cannot simulate this"), Verdict.UNTESTABLE),
        (ZeroDivisionError("oops"), Verdict.HARNESS_ERROR),
    ],
)
def test_what_could_not_be_run_has_its_own_verdict(monkeypatch, error, verdict):
    def run(scenario, subject, *, store):
        raise error

    _patched(monkeypatch, run)
    result, use = settle(examine(HIDDEN, Options()), Ledger())
    assert result.verdict is verdict
    assert str(error) in result.reason
    assert not use.judged


def test_an_unknown_status_is_a_fault_of_the_harness(monkeypatch):
    _patched(monkeypatch, lambda *_, **__: _right() | {"status": "DANCING"})
    assert examine(HIDDEN, Options()).verdict is Verdict.HARNESS_ERROR


def test_results_come_in_the_order_of_the_scenarios(monkeypatch):
    names = [f"s{number}" for number in range(5)]
    scenarios = [HIDDEN.model_copy(update={"name": name}) for name in names]
    found = examine_all(
        scenarios, Options(), examiner=lambda s, _: judge(s, _deadlocked(), _right())
    )
    assert [result.scenario for result in found] == names


@pytest.mark.slow
def test_worker_processes_give_the_same_results():
    count = differential.MIN_PARALLEL
    scenarios = [HIDDEN.model_copy(update={"name": f"s{number}"}) for number in range(count)]
    found = list(examine_all(scenarios, Options(), jobs=2))
    assert [result.scenario for result in found] == [s.name for s in scenarios]
    assert {result.attribution for result in found} == {Attribution.LEFT_WRONG}


def test_both_executors_really_run_and_unified_agrees_with_the_model():
    scenario = ScenarioBuilder("real").chain("a", "b", "c")
    scenario.tool("a", succeeds(undo="undo")).tool("c", fails("no"))
    result = examine(scenario.build(), Options())
    assert (result.attribution, result.primary.path) == (
        Attribution.LEFT_WRONG,
        "calls[undo {}]",
    )


def test_verdicts_are_ordered_and_have_exit_codes():
    assert worst_verdict([Verdict.LEDGERED, Verdict.REGRESSION, Verdict.PASS]) is Verdict.REGRESSION
    with pytest.raises(ValueError, match="empty"):
        worst_verdict([])
    assert Verdict.UNTESTABLE.exit_code is ExitCode.VACUOUS
    assert {verdict for verdict in Verdict if verdict.is_green} == {Verdict.PASS, Verdict.LEDGERED}
    assert all((v.exit_code is ExitCode.PASSED) == v.is_green for v in Verdict)
