"""The reference model, held against outcomes that were worked out by hand."""

import pytest

from conformance.reference_model import Unpredictable, predict, predictions
from conformance.reference_rules import StepPrediction as Step
from conformance.reference_rules import advised, http_code, is_booking, reference
from conformance.reference_run import Prediction
from conformance.scenario_builder import (
    PlanBuilder,
    ScenarioBuilder,
    advance,
    execute,
    fails,
    raises,
    resume,
    run,
    step_id,
    succeeds,
)

UNDO = {"undo": "undo", "undo_parameters": {"id": 1}}


def _predict(builder) -> Prediction:
    prediction = predict(builder.build())
    assert isinstance(prediction, Prediction)
    return prediction


def _calls(prediction):
    return [(call.tool, call.at_ms) for call in prediction.calls]


def _statuses(prediction):
    return "".join(step.status[0] for step in prediction.steps.values())


def test_batches_are_layers_in_list_order_and_wait_for_all():
    builder = ScenarioBuilder("s").step("a").step("b", after=["a"]).step("c").latencies(a=5, c=30)
    seen = _predict(builder)
    assert _calls(seen) == [("a", 0), ("c", 0), ("b", 30)]
    assert (seen.end, seen.success, _statuses(seen)) == ("completed", True, "ccc")


def test_after_a_failure_no_further_batch_runs():
    builder = ScenarioBuilder("s").chain("a", "b").step("c").tool("a", fails("no"))
    seen = _predict(builder)
    assert (seen.end, seen.success, _statuses(seen)) == ("failed", False, "fpc")
    failed = next(iter(seen.steps.values()))
    assert (failed.code, failed.message, failed.attempts) == ("TOOL_EXECUTION_FAILED", "no", 1)


@pytest.mark.parametrize(
    ("outcome", "code", "message"),
    [
        (fails(""), "TOOL_EXECUTION_FAILED", "Unknown tool execution error"),
        (fails("Invalid Parameters: x"), "TOOL_VALIDATION_FAILED", "Invalid Parameters: x"),
        (raises("boom"), "STEP_EXECUTION_FAILED", "boom"),
        (succeeds(latency_ms=8500), "STEP_EXECUTION_FAILED", "AbortError: cancelled"),
        (raises("late", latency_ms=9000), "STEP_EXECUTION_FAILED", "AbortError: cancelled"),
    ],
)
def test_failures_have_a_code_and_a_message(outcome, code, message):
    seen = _predict(ScenarioBuilder("s").step("a").tool("a", outcome))
    (step,) = seen.steps.values()
    assert (step.code, step.message) == (code, message)


@pytest.mark.parametrize(
    "outcome", [succeeds(latency_ms=8499), succeeds(latency_ms=60_000, ignore_abort=True)]
)
def test_a_tool_that_ends_in_time_or_is_deaf_to_the_abort_succeeds(outcome):
    assert _predict(ScenarioBuilder("s").step("a").tool("a", outcome)).end == "completed"


def test_a_segment_yields_from_6000_ms_on_and_resumes_after_2000():
    builder = ScenarioBuilder("s").chain("a", "b").latencies(a=6000)
    assert _calls(_predict(builder)) == [("a", 0), ("b", 8000)]
    alone = _predict(builder.drive(execute()))
    assert (alone.end, alone.success, _statuses(alone)) == ("yielded", False, "cp")


def test_finished_work_is_completed_whatever_the_time():
    assert _predict(ScenarioBuilder("s").step("a").latencies(a=8000)).end == "completed"


def test_a_retry_policy_counts_calls_and_doubles_its_pause():
    policy = {"max_attempts": 3, "backoff_ms": 100}
    builder = ScenarioBuilder("s").step("a", retry_policy=policy)
    builder.tool("a", fails("1"), fails("2"), succeeds({"v": 1}))
    seen = _predict(builder)
    assert _calls(seen) == [("a", 0), ("a", 110), ("a", 320)]
    (step,) = seen.steps.values()
    assert (step.status, step.attempts, step.output) == ("completed", 3, {"v": 1})


def test_a_pause_beyond_the_budget_lets_the_others_go_on_and_comes_back():
    policy = {"max_attempts": 2, "backoff_ms": 7000}
    builder = ScenarioBuilder("s").step("a", retry_policy=policy).chain("b", "c")
    builder.tool("a", fails("1"), succeeds())
    assert _calls(_predict(builder)) == [("a", 0), ("b", 0), ("c", 10), ("a", 7010)]


def test_a_validation_failure_is_neither_called_nor_retried():
    builder = ScenarioBuilder("s").step("book_table", retry_policy={"max_attempts": 3})
    seen = _predict(builder)
    (step,) = seen.steps.values()
    assert seen.calls == ()
    assert (step.code, step.attempts) == ("VALIDATION_FAILED", 1)
    fields = "restaurantId, partySize, startTime"
    assert step.message == f"Missing required booking fields: {fields}"


def test_recovery_calls_once_more_without_counting_it():
    builder = ScenarioBuilder("s").step("a", parameters={"q": 1})
    builder.tool("a", fails("HTTP 503"), succeeds({"r": 1}, latency_ms=12_000))
    builder.llm('{"action":"retry_modified","modifiedParams":{"q":2}}')
    seen = _predict(builder)
    assert [call.parameters for call in seen.calls] == [{"q": 1}, {"q": 2}]
    (step,) = seen.steps.values()
    assert (step.status, step.attempts) == ("completed", 1)


def test_undo_runs_dependants_first_then_the_plans_last_and_up_to_three_times():
    builder = ScenarioBuilder("s").step("a").step("b").step("c", after=["a"])
    builder.step("d", after=["c", "b"])
    for name in "abc":
        builder.tool(name, succeeds(undo=f"undo_{name}"))
    builder.tool("d", fails("no")).tool("undo_c", fails("x"), fails("x"), succeeds())
    seen = _predict(builder)
    undone = [tool for tool, _ in _calls(seen) if tool.startswith("undo")]
    assert undone == ["undo_c", "undo_b", "undo_c", "undo_c", "undo_a"]
    assert (seen.end, _statuses(seen)) == ("compensated", "cccf")


def test_an_undo_that_fails_for_good_does_not_keep_the_others():
    builder = ScenarioBuilder("s").chain("a", "b", "c")
    builder.tool("a", succeeds(**UNDO)).tool("b", succeeds(undo="undo_b"))
    builder.tool("c", fails("no")).tool("undo_b", fails("x"))
    seen = _predict(builder)
    assert [tool for tool, _ in _calls(seen)] == ["a", "b", "c", *["undo_b"] * 3, "undo"]
    assert seen.end == "compensation_failed"


def test_a_rollback_yields_too():
    builder = ScenarioBuilder("s").chain("a", "b").tool("a", succeeds(**UNDO))
    builder.tool("b", succeeds(latency_ms=9000)).drive(execute())
    assert _predict(builder).end == "yielded"
    assert _predict(builder.drive(run())).end == "compensated"


def test_what_needs_no_person_runs_before_a_confirmation_is_awaited():
    builder = ScenarioBuilder("s").step("a", requires_confirmation=True).chain("b", "c")
    seen = _predict(builder)
    assert (seen.end, _statuses(seen)) == ("waiting", "pcc")
    builder = ScenarioBuilder("s").step("a").step("b")
    builder.plan.constrained(require_confirmation_for=["a"])
    assert _statuses(_predict(builder)) == "pc"


@pytest.mark.parametrize(
    ("steps", "constraints"),
    [
        ([("a", []), ("export_data", ["a"])], {}),
        ([("a", []), ("b", [])], {"allowed_tools": ["a"]}),
    ],
)
def test_unsafe_plans_are_refused(steps, constraints):
    builder = ScenarioBuilder("s")
    for key, after in steps:
        builder.step(key, after=after)
    builder.plan.constrained(**constraints)
    seen = _predict(builder)
    assert (seen.end, seen.success, seen.calls, seen.steps) == ("refused", None, (), {})


def test_a_finished_execution_answers_again_and_another_plan_is_refused():
    builder = ScenarioBuilder("s").step("a").tool("a", fails("no"), succeeds())
    again = _predict(builder.drive(run(), advance(1000), run()))
    assert (again.end, _calls(again)) == ("failed", [("a", 0)])
    other = PlanBuilder("other").step("x").document()
    seen = _predict(builder.drive(run(), run(plan=other)))
    assert (seen.end, _calls(seen)) == ("refused", [("a", 0)])


def test_another_execution_is_another_execution():
    other = "00000000-0000-4000-8000-000000000001"
    builder = ScenarioBuilder("s").step("a").drive(execute(), execute(execution_id=other))
    assert len(_predict(builder).calls) == 2
    assert _predict(builder.drive(resume())).end == "threw"


def test_a_crash_repeats_what_was_under_way_and_nothing_else():
    builder = ScenarioBuilder("s").step("a").step("b").latencies(a=10, b=50)
    seen = _predict(builder.drive(execute(crash_after_ms=20), execute()))
    assert [tool for tool, _ in _calls(seen)] == ["a", "b", "b"]
    assert [step.attempts for step in seen.steps.values()] == [1, 2]
    died = _predict(builder.drive(execute(crash_after_ms=20)))
    assert (died.end, died.success, _statuses(died)) == ("crashed", None, "ci")


def test_a_dead_process_keeps_others_out_until_its_lease_ends():
    builder = ScenarioBuilder("s").step("a").latencies(a=50)
    seen = _predict(builder.drive(execute(crash_after_ms=20), resume()))
    assert _calls(seen) == [("a", 0), ("a", 30_000)]
    twice = builder.drive(execute(crash_after_ms=20), resume(crash_after_ms=5), resume())
    assert len(_predict(twice).calls) == 2


def test_what_was_begun_is_settled_before_a_rollback():
    builder = ScenarioBuilder("s").step("a").step("b").tool("a", fails("no"))
    builder.tool("b", succeeds(latency_ms=50, **UNDO))
    seen = _predict(builder.drive(execute(crash_after_ms=20), resume()))
    assert [tool for tool, _ in _calls(seen)] == ["a", "b", "b", "undo"]


def test_a_crash_at_a_numbered_write_is_predicted_where_its_place_does_not_matter():
    builder = ScenarioBuilder("s").chain("a", "b")
    seen = _predict(builder.drive(execute(crash_after_write=3), execute()))
    assert seen.at_least_once
    assert (seen.end, _statuses(seen)) == ("completed", "cc")


@pytest.mark.parametrize(
    ("builder", "reason"),
    [
        (ScenarioBuilder("s", tags=["js"]).step("a"), "JavaScript"),
        (ScenarioBuilder("s").step("a").drive(execute(crash_after_write=1)), "nothing follows"),
        (
            ScenarioBuilder("s")
            .step("a")
            .tool("a", succeeds({"v": 1}), succeeds({"v": 2}))
            .drive(execute(crash_after_write=3), execute()),
            "another scripted outcome",
        ),
        (
            ScenarioBuilder("s")
            .chain("a", "b")
            .latencies(a=6000)
            .drive(execute(crash_after_write=3), execute()),
            "where the crash falls",
        ),
    ],
)
def test_what_the_rules_leave_open_is_said_to_be_open(builder, reason):
    prediction = predict(builder.build())
    assert isinstance(prediction, Unpredictable)
    assert reason in prediction.reason


def test_the_time_of_a_crash_leaves_four_outcomes():
    builder = ScenarioBuilder("s").chain("a", "b").tool("b", succeeds({"v": 1}), succeeds({"v": 2}))
    scenario = builder.drive(execute(crash_after_write=3), execute()).build()
    found = {tuple(c.tool for c in p.calls) for p in predictions(scenario, {0: 10})}
    assert found == {("a", "b"), ("a", "a", "b"), ("a", "b", "b")}
    assert len(list(predictions(scenario, {}))) == 1


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("$s.v", 1),
        ("$s.list.1", "y"),
        ("$s.list.length", 2),
        ("$s.list.01", "$s.list.01"),
        ("$s.list.2", "$s.list.2"),
        ("$s.zero", 0),
        ("$s.null", "$s.null"),
        ("$s.v.x", "$s.v.x"),
        ("$s.", "$s."),
        ("$other.v", "$other.v"),
        ("$falsy.v", "$falsy.v"),
        ("$s", "$s"),
        ("s.v", "s.v"),
        (["$s.v"], ["$s.v"]),
    ],
)
def test_references(value, resolved):
    output = {"v": 1, "list": ["x", "y"], "zero": 0, "null": None}
    steps = {"s": Step("completed", output), "falsy": Step("completed", 0)}
    assert reference(value, steps) == resolved


@pytest.mark.parametrize("tool", ["bookTable", "book_slot_0", "reserve_restaurant", "Book"])
def test_bookings(tool):
    assert is_booking(tool)


@pytest.mark.parametrize("tool", ["facebook_post", "unreserved_seat", "create_reservation"])
def test_no_bookings(tool):
    assert not is_booking(tool)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("500 Internal Server Error", 500),
        ("HTTP/1.1 503 Service Unavailable", 503),
        ("error code 500", 500),
        ("error: 500", 500),
        ("order 98502 not found", 502),
        ("status 399 HTTP 500", 500),
        ("status 404 and error 500", 404),
        ("took 500 ms", None),
        ("600 Error", None),
    ],
)
def test_http_codes(error, code):
    assert http_code(error) == code


@pytest.mark.parametrize(
    ("answer", "parameters"),
    [
        ('{"action":"retry_same"}', {"q": 1}),
        (' {"action":"retry_modified","modifiedParams":{}} ', {}),
        ('{"action":"retry_modified","modifiedParams":null}', None),
        ('{"action":"skip"}', None),
        ("```json\n{}\n```", None),
        ("null", None),
        (None, None),
    ],
)
def test_advice(answer, parameters):
    assert advised(answer, {"q": 1}) == parameters


def test_step_ids_are_those_of_the_plan():
    assert list(_predict(ScenarioBuilder("s").step("a")).steps) == [step_id("a")]
