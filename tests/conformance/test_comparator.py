"""Observations, normalisation and the comparison in layers, on traces of a perfect executor."""

import copy

import pytest

from conformance.comparator import (
    GATING_LAYERS,
    Layer,
    canonical,
    compare,
    compare_with_reference,
    first_difference,
    primary,
    same,
)
from conformance.errors import HarnessError
from conformance.normalisation import RULES, IdBinding, Normaliser, stale_rules
from conformance.observation import Terminal, crash_times, expected, observe
from conformance.reference_model import predict
from conformance.reference_trace import reference_trace
from conformance.scenario_builder import (
    PlanBuilder,
    ScenarioBuilder,
    execute,
    fails,
    reference,
    run,
    step_id,
    succeeds,
)


def _scenario():
    builder = ScenarioBuilder("s").step("a").step("b", after=["a"]).step("c")
    builder.tool("a", succeeds({"v": 1}, latency_ms=40))
    return builder.build()


def _trace(scenario=None):
    scenario = scenario or _scenario()
    return reference_trace(predict(scenario), scenario)


def _differences(change, scenario=None):
    scenario = scenario or _scenario()
    left, right = _trace(scenario), copy.deepcopy(_trace(scenario))
    change(right)
    return compare(observe(left, scenario), observe(right, scenario), scenario)


def _set(path, value):
    def change(trace):
        holder = trace
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = value

    return change


def test_equal_traces_have_no_divergence():
    assert _differences(lambda trace: None) == ()


@pytest.mark.parametrize(
    ("change", "layer", "path"),
    [
        (_set(["status"], "FAILED"), Layer.L0, "terminal"),
        (_set(["segments", 0, "success"], False), Layer.L0, "success"),
        (_set(["steps", 1, "status"], "failed"), Layer.L1, "steps[step#2].status"),
        (_set(["steps", 0, "output"], {"v": 2}), Layer.L1, "steps[step#1].output"),
        (_set(["steps", 0, "output"], {"v": True}), Layer.L1, "steps[step#1].output"),
        (_set(["calls", 0, "parameters"], {"x": 1}), Layer.L2, "calls[a {}]"),
        (lambda t: t["calls"].append(t["calls"][0]), Layer.L2, "calls[a {}]"),
        (lambda t: t["calls"].pop(), Layer.L2, "calls[b {}]"),
        (_set(["calls", 2, "at_ms"], 39), Layer.L2, "order[step#2 after step#1]"),
        (_set(["steps", 0, "attempts"], 2), Layer.L3, "steps[step#1].attempts"),
        (_set(["steps", 0, "error_code"], "X"), Layer.L3, "steps[step#1].error_code"),
        (_set(["steps", 0, "error_message"], "x"), Layer.L3, "steps[step#1].error_message"),
        (_set(["persisted_status"], "EXECUTING"), Layer.L4, "durable"),
        (_set(["persisted_steps"], "cci"), Layer.L4, "durable"),
    ],
)
def test_each_layer_sees_its_own_differences_and_no_other(change, layer, path):
    found = _differences(change)
    assert {divergence.layer for divergence in found} <= {layer, Layer.L4, Layer.L5}
    assert found[0].path == path
    assert primary(found).layer is layer


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["events"].append({"name": "X"}),
        lambda t: t["step_updates"].append({"step_index": 0, "status": "s", "message": "m"}),
        _set(["segments", 0, "total_steps"], 4),
    ],
)
def test_the_process_gates_in_strict_runs_only(change):
    found = _differences(change)
    assert [divergence.layer for divergence in found] == [Layer.L5]
    assert primary(found) is None
    assert primary(found, strict=True) is found[0]
    assert Layer.L5 not in GATING_LAYERS


def test_calls_of_one_batch_may_come_in_any_order():
    def swap(trace):
        trace["calls"][0], trace["calls"][1] = trace["calls"][1], trace["calls"][0]

    assert _differences(swap) == ()


def test_a_call_too_early_is_seen_although_all_calls_are_there():
    scenario = _scenario()
    prediction = predict(scenario)
    trace = _trace(scenario)
    trace["calls"][2]["at_ms"] = 39
    (found,) = compare_with_reference(
        expected(prediction, scenario),
        observe(trace, scenario),
        scenario,
        calls=prediction.calls,
        at_least_once=False,
    )
    assert found.layer is Layer.L2
    assert (found.left, found.right) == ("from 40 ms on", "at 39 ms")


def test_an_undo_before_that_of_a_dependant_is_seen():
    builder = ScenarioBuilder("s").chain("a", "b", "c").tool("c", fails("no"))
    builder.tool("a", succeeds(undo="undo_a")).tool("b", succeeds(undo="undo_b"))
    scenario = builder.build()
    prediction = predict(scenario)

    def against(change):
        trace = reference_trace(prediction, scenario)
        change(trace)
        return compare_with_reference(
            expected(prediction, scenario),
            observe(trace, scenario),
            scenario,
            calls=prediction.calls,
            at_least_once=False,
        )

    assert against(lambda trace: None) == ()
    (found,) = against(_set(["calls", 4, "at_ms"], 39))
    assert found.path == "order[undo of step#1 after undo of step#2]"


def test_after_a_crash_calls_may_repeat_but_none_may_be_missing_or_new():
    scenario = ScenarioBuilder("s").chain("a", "b").drive(execute(crash_after_write=3), run())
    scenario = scenario.build()
    prediction = predict(scenario)
    assert prediction.at_least_once

    def against(change):
        trace = reference_trace(prediction, scenario)
        change(trace)
        return compare_with_reference(
            expected(prediction, scenario),
            observe(trace, scenario),
            scenario,
            calls=prediction.calls,
            at_least_once=True,
        )

    assert against(lambda t: t["calls"].append(t["calls"][0])) == ()
    assert against(_set(["steps", 0, "attempts"], 2)) == ()
    assert against(_set(["steps", 0, "attempts"], 0))
    assert against(lambda t: t["calls"].pop())
    assert against(lambda t: t["calls"].append({**t["calls"][0], "tool": "x"}))


def test_an_executor_that_tells_what_it_does_not_hold_is_wrong_by_itself():
    scenario = _scenario()
    prediction = predict(scenario)
    trace = _trace(scenario) | {"persisted_steps": "ccp"}
    (found,) = compare_with_reference(
        expected(prediction, scenario),
        observe(trace, scenario),
        scenario,
        calls=prediction.calls,
        at_least_once=False,
    )
    assert found.layer is Layer.L4


def test_the_first_differing_event_comes_with_its_context():
    scenario = _scenario()
    left, right = _trace(scenario), _trace(scenario)
    right["calls"][2]["parameters"] = {"x": 1}
    difference = first_difference(observe(left, scenario), observe(right, scenario))
    assert difference.before == ("call a {}", "call c {}")
    assert difference.left[0] == "call b {}"
    assert difference.right[0] == 'call b {"x":1}'
    assert len(difference.left) == 4
    assert first_difference(observe(left, scenario), observe(left, scenario)) is None


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ({"a": [1, {"b": 0}]}, {"a": [1.0, {"b": 0}]}, True),
        ({"a": [0]}, {"a": [False]}, False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ([1], [1, 2], False),
        (None, 0, False),
    ],
)
def test_json_equality(left, right, equal):
    assert same(left, right) is equal
    assert (canonical(left) == canonical(right)) is equal


def test_ids_are_bound_one_to_one_and_never_meet_a_text_that_looks_bound():
    scenario = _scenario()
    binding = IdBinding(scenario)
    assert binding.text(f"x {step_id('b')} y") == "x step#2 y"
    assert binding.text(scenario.execution_id) == "execution#1"
    assert binding.text("see step#2") == "see step#2".replace("#", "##")
    assert binding.text("room #b") == "room #b"
    unknown = "00000000-0000-4000-8000-000000000001"
    assert binding.text(unknown) == unknown


def test_ids_of_second_plans_are_bound_too():
    other = PlanBuilder("other").step("x").document()
    scenario = ScenarioBuilder("s").step("a").drive(run(), run(plan=other)).build()
    binding = IdBinding(scenario)
    assert binding.text(step_id("x")) == "step#2"
    assert binding.text(other["id"]) == "plan#2"


def test_each_rule_counts_what_it_touched_and_is_stale_when_it_touched_nothing():
    scenario = _scenario()
    normaliser = Normaliser(scenario)
    assert stale_rules(normaliser.touched) == list(RULES)
    normaliser.ids({"k": [step_id("a"), "plain"]})
    assert normaliser.order([30, 10, 30]) == [1, 0, 1]
    normaliser.status("DONE", {"DONE": "completed"})
    normaliser.refusal("long text")
    assert dict(normaliser.touched) == {"ids@1": 1, "times@1": 3, "status@1": 1, "refusal@1": 1}
    assert stale_rules(normaliser.touched) == []


@pytest.mark.parametrize(
    ("segment", "status", "terminal", "end"),
    [
        ({"threw": "...", "threw_name": "ZodError"}, None, Terminal.REFUSED, "refused"),
        (
            {"threw": "Invalid transition from 'EXECUTING' to 'EXECUTING'."},
            "EXECUTING",
            Terminal.STUCK,
            "stuck",
        ),
        (
            {"threw": "Cannot transition from terminal state 'COMPLETED'"},
            "COMPLETED",
            Terminal.THREW,
            "threw_terminal",
        ),
        ({"threw": "No checkpoint found for x"}, "COMPLETED", Terminal.THREW, "no_checkpoint"),
        ({"threw": "No checkpoint found for ID"}, "EXECUTING", Terminal.STUCK, "no_checkpoint"),
        ({"threw": "Failed to store memory entry: x"}, None, Terminal.THREW, "threw_memory"),
        ({"threw": "else"}, None, Terminal.THREW, "threw"),
        ({"crashed": True}, "EXECUTING", Terminal.NONE, "crashed"),
    ],
)
def test_how_a_run_without_a_last_result_ended(segment, status, terminal, end):
    scenario = _scenario()
    if "threw" in segment:
        segment = segment | {"threw": segment["threw"].replace("ID", scenario.execution_id)}
    trace = _trace() | {"executor": "legacy", "segments": [segment], "status": status}
    seen = observe(trace, scenario)
    assert (seen.terminal, seen.end, seen.success) == (terminal, end, None)


@pytest.mark.parametrize(
    ("message", "end"),
    [
        ("Execution deadlock: 2 pending steps, none ready", "deadlock"),
        ("Execution deadlock: -1 pending steps, none ready", "negative_deadlock"),
        ("[object Object]", "memory_error"),
        ("realtime unavailable", "event_error"),
        ("Cannot read properties of undefined (reading 'length')", "type_error"),
        ("else", "failed"),
    ],
)
def test_how_a_failed_legacy_run_ended(message, end):
    trace = _trace() | {"executor": "legacy", "status": "FAILED"}
    trace["segments"][0] |= {"success": False, "error_message": message}
    assert observe(trace, _scenario()).end == end


def test_success_with_a_step_that_is_not_completed_is_a_false_one():
    trace = _trace()
    trace["steps"][0]["status"] = "failed"
    assert observe(trace, _scenario()).end == "false_success"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("steps"), "lacks steps"),
        (_set(["status"], "DANCING"), "'DANCING'"),
        (_set(["steps", 0, "status"], "dancing"), "'dancing'"),
    ],
)
def test_a_trace_that_cannot_be_read_is_a_fault_of_the_harness(change, message):
    trace = _trace()
    change(trace)
    with pytest.raises(HarnessError, match=message):
        observe(trace, _scenario())


def test_where_crashes_fell_is_read_from_the_segments():
    scenario = ScenarioBuilder("s").step("a").tool("a", fails("no"))
    scenario = scenario.drive(run(crash_after_write=2), execute(), execute(crash_after_write=9))
    partial = {"is_partial": True, "started_at_ms": 10, "ended_at_ms": 20}
    crashed = {"crashed": True, "started_at_ms": 30, "ended_at_ms": 45}
    done = {"is_partial": False, "started_at_ms": 50, "ended_at_ms": 60}
    trace = {"segments": [partial, crashed, done, done]}
    assert crash_times(scenario.build(), trace) == {0: 35}


def test_references_to_ids_in_parameters_compare_by_their_names():
    builder = ScenarioBuilder("s").step("a").step("b", parameters={"x": reference("a", "v")})
    scenario = builder.build()
    calls = observe(_trace(scenario), scenario).calls
    assert calls[1].parameters == {"x": "$step#1.v"}
