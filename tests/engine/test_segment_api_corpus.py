"""Without these a migrated consumer could see other calls, steps or results than it is used to.

The consumer is the conformance subject of the frozen executor, written against its names; here it
imports them from the segment API, and runs every recorded scenario.
"""

import json
from pathlib import Path

import pytest

import conformance.subjects.legacy as consumer
import engine.segment_api as api
from conformance.runner import run_scenario
from conformance.scenario import read_corpus
from engine.errors import EngineError, LeaseHeldError

FOLDER = Path(__file__).parents[1] / "fixtures" / "legacy"
SCENARIOS = {s.name: s for s in read_corpus([FOLDER / "scenarios.jsonl"])}
RECORDED = {
    trace["scenario"]: trace
    for trace in map(json.loads, (FOLDER / "traces.jsonl").read_text("utf-8").splitlines())
}
RESULT = ("success", "is_partial", "completed_steps", "failed_steps", "total_steps")
RESULT += ("error_code", "error_message")

# Where the segment API does other than `engine` called directly.
OTHER_THAN_DIRECT = {
    "start-index-beyond": "an index that would leave steps out is refused",
    "idem-other-execution": "a claim service that is passed is asked",
    "crash-after-write-idem": "a claim is a write, so the crash comes at another one",
}
# Where the last call of the recording is wrong, though its calls and steps are right.
WRONG_RESULT = {
    "single-7000": "a run that yielded could not be resumed",
    "parallel-all-done-late": "a run that yielded could not be resumed",
    "random-289": "a run that yielded could not be resumed",
    "resume-after-complete": "a resume of what has ended threw",
    "rerun-completed": "a second call threw",
    "autoparse-rerun": "a second call threw",
    "rerun-failed-all-done": "a second call made a success of a failure",
    "rerun-failed-single": "a second call made a success of a failure",
    "rerun-failed-pending-dependent": "a second call made a deadlock of a failure",
    "fault-final-save": "a failing save made a failure of a success",
}


def calls(trace):
    return [(call["tool"], call["parameters"], call["at_ms"]) for call in trace["calls"]]


def steps(trace):
    told = ("status", "output", "has_output", "error_code", "error_message")
    return [[step.get(name) for name in told] for step in trace["steps"]]


def last_result(trace):
    last = trace["segments"][-1] if trace["segments"] else {}
    return {name: last.get(name) for name in RESULT}


def observed(trace, kind):
    """Return what was told of steps that were called: the recording is silent about others."""
    invalid = {
        index
        for index, step in enumerate(trace["steps"])
        if step.get("error_code") == "VALIDATION_FAILED"
    }
    ids = {trace["steps"][index]["id"] for index in invalid}
    return sorted(
        str(item)
        for item in trace[kind]
        if item.get("step_index") not in invalid and item.get("step_id") not in ids
    )


@pytest.fixture
def migrated(monkeypatch):
    """Let the consumer import its names from the segment API."""

    def patient(function):
        async def call(*args, environment, **options):
            while True:
                try:
                    return await function(*args, environment=environment, **options)
                except LeaseHeldError as error:  # as a queue that delivers again
                    await environment.clock.sleep_ms(error.retry_after_ms)

        return call

    for name in api.__all__:
        if hasattr(consumer, name):
            monkeypatch.setattr(consumer, name, getattr(api, name))
    for name in ("execute_segment", "resume_from_checkpoint"):
        monkeypatch.setattr(consumer, name, patient(getattr(api, name)))
    monkeypatch.setattr(EngineError, "name", property(lambda error: error.code), raising=False)
    return lambda name: run_scenario(SCENARIOS[name], "legacy")


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_consumer_sees_what_it_is_used_to(name, migrated) -> None:
    trace, before = migrated(name), RECORDED[name]
    direct = run_scenario(SCENARIOS[name], "unified")
    if name in OTHER_THAN_DIRECT:
        assert (calls(trace), steps(trace)) != (calls(direct), steps(direct))
        return
    assert calls(trace) == calls(direct)
    assert steps(trace) == steps(direct)
    if name == "confirmation-ignored":  # the subject of the engine does not call that partial
        assert trace["segments"][-1].pop("is_partial") and not direct["segments"][-1]["is_partial"]
        return
    assert last_result(trace) == last_result(direct)
    if (calls(before), steps(before)) != (calls(direct), steps(direct)):
        return  # the engine's decided differences, which other tests name one by one
    assert (last_result(trace) != last_result(before)) == (name in WRONG_RESULT)
    assert observed(trace, "step_updates") == observed(before, "step_updates")
    if name != "recovery-retry-raises":  # two entries for one step
        assert observed(trace, "trace_entries") == observed(before, "trace_entries")


def test_most_scenarios_are_compared_in_everything() -> None:
    assert len(SCENARIOS) == 160
    same = [
        name
        for name in SCENARIOS
        if last_result(RECORDED[name])["success"] and name not in WRONG_RESULT
    ]
    assert len(same) > 50
