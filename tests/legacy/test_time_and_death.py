"""Instants that coincide, TTLs that run out, and processes that die at a numbered write."""

import pytest

from conformance.runner import run_scenario
from conformance.scenario_builder import (
    ScenarioBuilder,
    advance,
    execute,
    fails,
    patch_state,
    raises,
    resume,
    run,
    step_id,
    succeeds,
)

DAY_MS = 86_400_000


def _trace(builder):
    return run_scenario(builder.build(), "legacy")


def _calls(trace):
    return [(call["tool"], call["at_ms"]) for call in trace["calls"]]


@pytest.mark.parametrize(
    ("latency_ms", "status", "ended_ms"),
    [(8499, "completed", 8499), (8500, "failed", 8500), (8501, "failed", 8500)],
)
def test_at_exactly_8500_the_abort_wins(latency_ms, status, ended_ms):
    trace = _trace(ScenarioBuilder("x").chain("a").latencies(a=latency_ms))
    assert trace["steps"][0]["status"] == status
    assert trace["steps"][0]["completed_at_ms"] == ended_ms
    if status == "failed":
        assert trace["steps"][0]["error_message"] == "AbortError: cancelled"
        assert trace["trace_entries"][0]["event"] == "step_error"


def test_a_deaf_tool_is_awaited():
    trace = _trace(
        ScenarioBuilder("x")
        .chain("a")
        .tool("a", succeeds({"v": 1}, latency_ms=60_000, ignore_abort=True))
    )
    assert trace["steps"][0]["output"] == {"v": 1}
    assert trace["segments"][0]["is_partial"]
    assert trace["segments"][0]["ended_at_ms"] == 60_000


@pytest.mark.parametrize(("latency_ms", "partial"), [(6999, False), (7000, True)])
def test_the_threshold_is_at_exactly_7000(latency_ms, partial):
    trace = _trace(ScenarioBuilder("x").chain("a").latencies(a=latency_ms))
    assert trace["segments"][0]["is_partial"] is partial


def test_calls_that_end_together_are_handled_in_call_order():
    trace = _trace(
        ScenarioBuilder("x")
        .step("a")
        .step("b")
        .step("c")
        .tool("a", fails("503 Server", latency_ms=100), succeeds(latency_ms=5))
        .tool("b", fails("503 Server", latency_ms=100), succeeds(latency_ms=5))
        .latencies(c=100)
        .llm(
            '{"action":"retry_modified","modifiedParams":{"n":1}}',
            '{"action":"retry_modified","modifiedParams":{"n":2}}',
        )
    )
    retries = [(call["tool"], call["parameters"]) for call in trace["calls"][3:]]
    assert retries == [("a", {"n": 1}), ("b", {"n": 2})]
    assert [call["signal"] for call in trace["calls"]] == [True, True, True, False, False]
    assert [step["latency_ms"] for step in trace["steps"]] == [100, 100, 100]


# Writes of one step: task, queue, task, state, [claim], state (i), state (c), state (C), task.
@pytest.mark.parametrize(
    ("nth", "persisted", "task", "calls"),
    [
        (1, None, "pending", 0),
        (2, None, "pending", 0),
        (3, None, "in_progress", 0),
        (4, "p", "in_progress", 0),
        (5, "i", "in_progress", 0),
        (6, "c", "in_progress", 1),
        (7, "c", "in_progress", 1),
        (8, "c", "completed", 1),
    ],
)
def test_death_right_after_the_nth_write(nth, persisted, task, calls):
    trace = _trace(ScenarioBuilder("x").chain("a").drive(execute(crash_after_write=nth)))
    (segment,) = trace["segments"]
    assert segment["crashed"] is True
    assert trace["persisted_steps"] == persisted
    assert trace["task"]["status"] == task
    assert len(trace["calls"]) == calls
    writes = [entry for entry in trace["writes"] if entry["op"] != "get"]
    assert len(writes) == nth


def test_a_death_that_never_comes():
    trace = _trace(
        ScenarioBuilder("x").chain("a").drive(execute(crash_after_write=9, crash_after_ms=11))
    )
    assert "crashed" not in trace["segments"][0]
    assert trace["segments"][0]["ended_at_ms"] == 10


def test_death_in_a_batch_follows_all_claims():
    trace = _trace(
        ScenarioBuilder("x").step("a").step("b").idempotent().drive(execute(crash_after_write=6))
    )
    assert [e["op"] for e in trace["writes"]][-2:] == ["set", "set"]
    assert trace["persisted_steps"] == "pp"


def test_death_precedes_everything_else_of_its_instant():
    trace = _trace(ScenarioBuilder("x").chain("a", "b").drive(execute(crash_after_ms=10)))
    assert _calls(trace) == [("a", 0)]
    assert trace["persisted_steps"] == "ip"
    assert [update["message"] for update in trace["step_updates"]] == ["Starting Run a..."]
    assert trace["trace_entries"] == []


def test_a_dead_call_never_returns_and_its_tool_does_not_fire_later():
    trace = _trace(
        ScenarioBuilder("x")
        .chain("a")
        .latencies(a=100)
        .drive(execute(crash_after_ms=50), advance(1000), execute())
    )
    assert _calls(trace) == [("a", 0)]
    assert [segment["op"] for segment in trace["segments"]] == ["execute", "execute"]
    assert trace["segments"][1]["threw"].startswith("State transition failed")
    assert trace["segments"][1]["started_at_ms"] == 1050


@pytest.mark.parametrize(("pause_ms", "started_over"), [(DAY_MS - 1, False), (DAY_MS, True)])
def test_a_state_is_gone_exactly_when_its_ttl_is_over(pause_ms, started_over):
    trace = _trace(ScenarioBuilder("x").chain("a").drive(execute(), advance(pause_ms), execute()))
    assert len(trace["calls"]) == (2 if started_over else 1)
    assert ("threw" in trace["segments"][1]) is not started_over


def test_every_write_renews_the_ttl_and_a_claim_is_never_renewed():
    trace = _trace(
        ScenarioBuilder("x")
        .chain("a")
        .intent()
        .idempotent()
        .drive(execute(), advance(DAY_MS // 2), execute(), advance(DAY_MS // 2 - 10), execute())
    )
    claims = [e["detail"]["duplicate"] for e in trace["writes"] if e["op"] == "set"]
    assert claims == [False, True, False]
    # The state is written by every run. The record of the task, completed at 10 ms, is not, and is
    # gone a day later: at the very instant at which the third run ends.
    assert trace["persisted_status"] == "COMPLETED"
    assert trace["segments"][-1]["ended_at_ms"] == DAY_MS + 10
    assert trace["task"] is None


def test_everything_expired_leaves_nothing():
    trace = _trace(ScenarioBuilder("x").chain("a").drive(execute(), advance(DAY_MS + 10)))
    assert trace["task"] is None
    assert trace["persisted_status"] is None
    assert trace["status"] == "COMPLETED"


def test_a_scheduled_item_is_not_what_a_resume_reads():
    trace = _trace(
        ScenarioBuilder("x")
        .chain("a", "b")
        .latencies(a=7000)
        .drive(execute(), advance(3_600_001), resume(assist=True))
    )
    assert trace["segments"][1]["success"]


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        ("STARTED", None),
        ("AWAITING_CONFIRMATION", None),
        ("REFLECTING", None),
        ("RECEIVED", "Allowed transitions: PARSING, CANCELLED"),
        ("PLANNING", "Allowed transitions: PLANNED, REJECTED, TIMEOUT, FAILED"),
        ("COMPLETED", "Cannot transition from terminal state 'COMPLETED'"),
        ("CANCELLED", "Cannot transition from terminal state 'CANCELLED'"),
    ],
)
def test_which_statuses_a_resume_can_start_from(status, refusal):
    trace = _trace(
        ScenarioBuilder("x")
        .chain("a", "b")
        .latencies(a=7000)
        .drive(run(assist=True, assist_status=status))
    )
    resumed = trace["segments"][1]
    assert trace["task"]["context"]["checkpoint_status"] == status
    if refusal is None:
        assert resumed["success"]
        assert _calls(trace) == [("a", 0), ("b", 9000)]
    else:
        assert resumed["threw"].endswith(refusal)


def test_segment_and_index_of_the_first_caller_stay_in_the_record():
    trace = _trace(
        ScenarioBuilder("x")
        .chain("a", "b", "c")
        .latencies(a=1, b=7000)
        .drive(run(assist=True, start_step_index=0, segment_number=3))
    )
    first, second = trace["segments"]
    assert first["segment_number"] == 3
    assert second["success"]
    assert trace["task"]["segment_number"] == 3
    assert trace["task"]["context"]["priority"] == 3
    assert trace["task"]["transitions"][1][2] == "Segment 3 starting"
    assert trace["events"][0]["segment_number"] == 4
    assert trace["scheduled"][0]["priority"] == 4
    assert trace["writes"][2]["detail"] == {"score": 3}


def test_a_start_index_hides_earlier_steps():
    trace = _trace(ScenarioBuilder("x").step("a").step("b").drive(execute(start_step_index=1)))
    assert _calls(trace) == [("b", 0)]
    assert (
        trace["segments"][0]["error_message"] == "Execution deadlock: 1 pending steps, none ready"
    )
    assert trace["task"]["current_step_index"] == 1


def test_a_crash_leaves_traces_that_a_patched_run_keeps():
    trace = _trace(
        ScenarioBuilder("x")
        .chain("a")
        .drive(
            execute(crash_after_ms=5),
            patch_state(status="PLANNED", reset_in_progress=True),
            execute(),
        )
    )
    (step,) = trace["steps"]
    assert step["attempts"] == 2
    assert step["has_input"] and step["has_started_at"]
    assert trace["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("options", "claims"),
    [({"initial": "fresh"}, 2), ({"initial": "none"}, 0), ({}, 0)],
)
def test_which_start_passes_a_state(options, claims):
    trace = _trace(ScenarioBuilder("x").chain("a").drive(execute(**options), execute(**options)))
    reads = [e for e in trace["writes"] if e["key_kind"] == "execution_state" and e["op"] == "get"]
    assert len(reads) == 2 - claims
    assert ("threw" in trace["segments"][1]) is (claims == 0)


def test_no_state_is_passed_when_the_scenario_says_none_despite_an_intent():
    trace = _trace(ScenarioBuilder("x").chain("a").intent().drive(execute(initial="none")))
    assert trace["task"]["intent_id"] is None


def test_an_invalid_plan_leaves_a_task_or_nothing_at_all():
    without = _trace(ScenarioBuilder("x").step("a", after=["a"]))
    assert without["segments"][0]["threw_name"] == "ZodError"
    assert without["task"]["status"] == "in_progress"
    assert without["status"] is None
    with_state = _trace(ScenarioBuilder("x").step("a", after=["a"]).intent())
    assert with_state["segments"][0]["threw_name"] == "ZodError"
    assert with_state["writes"] == []
    bad_id = _trace(ScenarioBuilder("x").chain("a").execution_id("run-1"))
    assert bad_id["segments"][0]["threw_name"] == "ZodError"
    assert bad_id["task"]["status"] == "in_progress"


def test_two_executions_of_one_intent_share_claims_and_others_do_not():
    other = step_id("another execution")
    shared = _trace(
        ScenarioBuilder("x")
        .chain("a")
        .intent()
        .idempotent()
        .drive(execute(), execute(execution_id=other))
    )
    assert len(shared["calls"]) == 1
    own = _trace(
        ScenarioBuilder("x").chain("a").idempotent().drive(execute(), execute(execution_id=other))
    )
    assert len(own["calls"]) == 2


def test_what_a_raise_leaves():
    trace = _trace(ScenarioBuilder("x").chain("a").tool("a", raises("500 Server Error")).llm("{}"))
    assert trace["llm_calls"] == []
    assert trace["steps"][0]["error_code"] == "STEP_EXECUTION_FAILED"
    assert trace["step_updates"][-1]["message"] == "Error: 500 Server Error"
