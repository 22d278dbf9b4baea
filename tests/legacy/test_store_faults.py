"""Each store operation and each realtime edge may fail, and each failure has its own consequence."""

import pytest

from conformance.runner import run_scenario
from conformance.scenario_builder import ScenarioBuilder, advance, execute, fails, run, succeeds

OBJECT = "[object Object]"


def _trace(builder):
    return run_scenario(builder.build(), "legacy")


def _letters(trace):
    return "".join(step["status"][0] for step in trace["steps"])


@pytest.mark.parametrize(
    ("op", "kind", "nth", "message"),
    [
        ("setex", "task_state", 1, "Failed to create task state: Error: redis unavailable"),
        ("zadd", "task_queue", 1, "Failed to create task state: Error: redis unavailable"),
        ("get", "execution_state", 1, "Failed to retrieve memory entry: Error: redis unavailable"),
        ("setex", "execution_state", 1, "Failed to store memory entry: Error: redis unavailable"),
    ],
)
def test_a_fault_before_the_loop_throws_a_plain_object(op, kind, nth, message):
    trace = _trace(ScenarioBuilder("early").chain("a").fault(op, kind, nth=nth))
    (segment,) = trace["segments"]
    assert segment["threw"] == message
    assert segment["threw_name"] == "object"
    assert trace["calls"] == []
    assert trace["status"] is None
    assert trace["persisted_steps"] is None


def test_what_each_early_fault_leaves_behind():
    unwritten = _trace(ScenarioBuilder("x").chain("a").fault("setex", "task_state", nth=1))
    assert unwritten["task"] is None
    assert [entry["op"] for entry in unwritten["writes"]] == ["get", "setex"]
    unqueued = _trace(ScenarioBuilder("x").chain("a").fault("zadd", "task_queue", nth=1))
    assert unqueued["task"]["status"] == "pending"
    unsaved = _trace(ScenarioBuilder("x").chain("a").fault("setex", "execution_state", nth=1))
    assert unsaved["task"]["status"] == "in_progress"


def test_a_task_record_that_cannot_be_read_or_moved_is_no_obstacle():
    unread = _trace(ScenarioBuilder("x").chain("a").fault("get", "task_state", nth=1, times=9))
    assert unread["status"] == "COMPLETED"
    assert unread["task"]["status"] == "pending"
    unmoved = _trace(ScenarioBuilder("x").chain("a").fault("setex", "task_state", nth=3))
    assert unmoved["status"] == "COMPLETED"
    assert unmoved["task"]["status"] == "in_progress"
    assert unmoved["task"]["completed"] is False


def test_a_failing_claim_fails_the_step_with_the_errors_own_message():
    trace = _trace(
        ScenarioBuilder("x").chain("a", "b").idempotent().fault("set", "idempotency", nth=2)
    )
    assert _letters(trace) == "cf"
    assert trace["steps"][1]["error_message"] == "redis unavailable"
    assert trace["steps"][1]["error_code"] == "STEP_EXECUTION_FAILED"
    assert trace["step_updates"][-1]["message"] == "Error: redis unavailable"
    claims = [entry["detail"] for entry in trace["writes"] if entry["key_kind"] == "idempotency"]
    assert claims == [{"index": 0, "duplicate": False}, {"index": 1, "duplicate": False}]
    again = _trace(
        ScenarioBuilder("x")
        .chain("a")
        .intent()
        .idempotent()
        .drive(run(), run())
        .fault("set", "idempotency", nth=2)
    )
    assert [entry["detail"]["duplicate"] for entry in again["writes"] if entry["op"] == "set"] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("op", "kind", "nth", "message", "scheduled"),
    [
        ("setex", "task_queue_item", 1, OBJECT, 0),
        ("zadd", "task_queue_scheduled", 1, OBJECT, 0),
        ("sign", "CONTINUE_EXECUTION", 1, "realtime unavailable", 1),
        ("publish", "CONTINUE_EXECUTION", 1, "realtime unavailable", 1),
    ],
)
def test_a_fault_after_the_checkpoint_ends_the_run_as_failed(op, kind, nth, message, scheduled):
    trace = _trace(ScenarioBuilder("x").chain("a", "b").latencies(a=7000).fault(op, kind, nth=nth))
    (segment,) = trace["segments"]
    assert segment["error_code"] == "EXECUTION_FAILED"
    assert segment["error_message"] == message
    assert segment["execution_time_ms"] == 7000
    assert trace["status"] == "FAILED"
    assert trace["task"]["context"]["checkpoint_status"] == "EXECUTING"
    assert trace["task"]["transitions"][-1] == [
        "in_progress",
        "failed",
        f"Execution error: {message}",
    ]
    assert len(trace["scheduled"]) == scheduled
    assert trace["events"] == []


@pytest.mark.parametrize("op", ["get", "setex"])
def test_a_checkpoint_that_is_not_stored_is_announced_all_the_same(op):
    trace = _trace(
        ScenarioBuilder("x").chain("a", "b").latencies(a=7000).fault(op, "task_state", nth=3)
    )
    partial, resumed = trace["segments"]
    assert partial["is_partial"]
    assert len(trace["scheduled"]) == len(trace["events"]) == 1
    assert resumed["threw"].startswith("No checkpoint found for execution ")
    assert resumed["threw_name"] == "Error"


def test_a_failing_reflecting_save_turns_into_failed():
    trace = _trace(
        ScenarioBuilder("x")
        .chain("a")
        .tool("a", fails("no"))
        .fault("setex", "execution_state", nth=4)
    )
    assert trace["status"] == "FAILED"
    assert trace["segments"][0]["failed_steps"] == 1
    assert trace["task"]["transitions"][-1] == ["in_progress", "failed", "Step execution failed"]


def test_two_failing_saves_in_a_row_throw_out_of_the_call():
    trace = _trace(
        ScenarioBuilder("x").chain("a").fault("setex", "execution_state", nth=3, times=2)
    )
    (segment,) = trace["segments"]
    assert segment["threw"] == "Failed to store memory entry: Error: redis unavailable"
    assert segment["threw_name"] == "object"
    assert trace["persisted_steps"] == "i"
    assert trace["task"]["status"] == "in_progress"


def test_a_channel_that_refuses_updates_is_ignored():
    trace = _trace(
        ScenarioBuilder("x").chain("a").fault("publish", "ExecutionStepUpdate", nth=1, times=99)
    )
    assert trace["status"] == "COMPLETED"
    assert trace["step_updates"] == []


def test_an_update_that_cannot_be_signed_fails_its_step_and_not_its_siblings():
    trace = _trace(
        ScenarioBuilder("x")
        .step("a")
        .step("b")
        .step("c")
        .fault("sign", "ExecutionStepUpdate", nth=2)
    )
    assert _letters(trace) == "cfc"
    assert [call["tool"] for call in trace["calls"]] == ["a", "c"]
    assert trace["steps"][1]["error_message"] == "realtime unavailable"


def test_a_fault_without_a_kind_counts_every_operation_of_its_name():
    scenario = ScenarioBuilder("x").chain("a")
    document = scenario.document() | {"faults": [{"op": "get", "nth": 3}]}
    from conformance.scenario import parse_scenario

    trace = run_scenario(parse_scenario(document, "x"), "legacy")
    assert trace["segments"][0]["threw_name"] == "object"  # the third get reads the state


def test_times_makes_a_fault_last():
    trace = _trace(
        ScenarioBuilder("x")
        .chain("a", "b")
        .tool("a", succeeds(latency_ms=7000))
        .drive(execute(), advance(1), execute())
        .fault("get", "execution_state", nth=1, times=2)
    )
    assert [segment["threw_name"] for segment in trace["segments"]] == ["object", "object"]
