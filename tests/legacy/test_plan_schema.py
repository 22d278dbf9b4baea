"""What the schema of plans refuses, drops and fills in decides whether a run starts at all."""

import copy

import pytest

from conformance.scenario_builder import PlanBuilder, intent_document, step_id
from legacy.execution_state import planned_state
from legacy.failures import SchemaViolation
from legacy.plan_schema import parse_intent, parse_plan

VALID = PlanBuilder("plan").step("a").step("b", after=["a"]).document()
REMOVE = object()


def _changed(path, value, document=VALID):
    changed = copy.deepcopy(document)
    *parents, last = path
    target = changed
    for part in parents:
        target = target[part]
    if value is REMOVE:
        del target[last]
    else:
        target[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("id",), "not-a-uuid"),
        (("id",), REMOVE),
        (("id",), 7),
        (("id",), "6cfc9fbe-d1d4-43ec-923d-72e83f9b07c0\n"),
        (("id",), "6cfc9fbed1d443ec923d72e83f9b07c0"),
        (("intent_id",), "x"),
        (("intent_id",), REMOVE),
        (("steps",), REMOVE),
        (("steps",), {}),
        (("steps",), None),
        (("summary",), REMOVE),
        (("summary",), None),
        (("constraints",), REMOVE),
        (("constraints", "max_steps"), 0),
        (("constraints", "max_steps"), 101),
        (("constraints", "max_steps"), REMOVE),
        (("constraints", "max_total_tokens"), 0),
        (("constraints", "max_execution_time_ms"), REMOVE),
        (("constraints", "allowed_tools"), [1]),
        (("constraints", "allowed_tools"), None),
        (("metadata",), REMOVE),
        (("metadata", "version"), 1),
        (("metadata", "created_at"), "2026-01-01T00:00:00+00:00"),
        (("metadata", "created_at"), "2026-02-30T00:00:00Z"),
        (("metadata", "created_at"), "2025-02-29T00:00:00Z"),
        (("metadata", "created_at"), "2026-01-01T24:00:00Z"),
        (("metadata", "created_at"), "2026-01-01 00:00:00Z"),
        (("metadata", "estimated_total_tokens"), -1),
        (("metadata", "planning_model_id"), REMOVE),
        (("steps", 0, "id"), "a"),
        (("steps", 0, "step_number"), -1),
        (("steps", 0, "step_number"), 0.5),
        (("steps", 0, "step_number"), True),
        (("steps", 0, "step_number"), "0"),
        (("steps", 0, "tool_name"), REMOVE),
        (("steps", 0, "tool_name"), None),
        (("steps", 0, "parameters"), REMOVE),
        (("steps", 0, "parameters"), []),
        (("steps", 0, "parameters"), None),
        (("steps", 0, "description"), REMOVE),
        (("steps", 0, "dependencies"), None),
        (("steps", 0, "dependencies"), ["x"]),
        (("steps", 0, "requires_confirmation"), "no"),
        (("steps", 0, "requires_confirmation"), None),
        (("steps", 0, "timeout_ms"), 0),
        (("steps", 0, "timeout_ms"), -5),
        (("steps", 0, "timeout_ms"), 1.5),
        (("steps", 0, "timeout_ms"), None),
        (("steps", 0, "tool_version"), 1),
        (("steps", 0, "estimated_tokens"), -1),
        (("steps", 0, "retry_policy"), {"max_attempts": 0}),
        (("steps", 0, "retry_policy"), {"backoff_ms": -1}),
        (("steps", 0, "retry_policy"), None),
        # the graph rule
        (("steps", 0, "step_number"), 1),
        (("steps", 1, "step_number"), 2),
        (("steps", 0, "dependencies"), [step_id("a")]),
        (("steps", 0, "dependencies"), [step_id("b")]),
        (("steps", 1, "dependencies"), [step_id("nowhere")]),
    ],
)
def test_a_refused_plan(path, value):
    with pytest.raises(SchemaViolation):
        parse_plan(_changed(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("id",), "6CFC9FBE-0000-0000-0000-72E83F9B07C0"),  # any version, any case
        (("metadata", "created_at"), "2024-02-29T23:59:59.123456789Z"),
        (("metadata", "created_at"), "2026-01-01T00:00Z"),
        (("steps", 0, "step_number"), 0.0),
        (("summary",), ""),
        (("steps", 0, "tool_name"), ""),
        (("steps", 0, "description"), ""),
    ],
)
def test_an_accepted_plan(path, value):
    parse_plan(_changed(path, value))


def test_defaults_are_filled_in_and_unknown_keys_dropped():
    raw = copy.deepcopy(VALID)
    raw["extra"] = 1
    raw["metadata"]["extra"] = 1
    for name in ("dependencies", "requires_confirmation", "timeout_ms"):
        del raw["steps"][0][name]
    raw["steps"][0] |= {"retry_policy": {"other": 1}, "extra": 1}
    parsed = parse_plan(raw)
    assert "extra" not in parsed
    assert "extra" not in parsed["metadata"]
    step = parsed["steps"][0]
    assert "extra" not in step
    assert step["dependencies"] == []
    assert step["requires_confirmation"] is False
    assert step["timeout_ms"] == 30_000
    assert step["retry_policy"] == {"max_attempts": 1, "backoff_ms": 1000}


def test_the_list_order_is_free_and_ids_may_repeat():
    parse_plan(_changed(("steps",), list(reversed(VALID["steps"]))))
    twins = PlanBuilder("twins").step("a").step("a").document()
    parse_plan(twins)


def test_at_most_a_hundred_steps():
    plan = PlanBuilder("long")
    for index in range(100):
        plan.step(f"s{index}")
    parse_plan(plan.document())
    with pytest.raises(SchemaViolation):
        parse_plan(plan.step("s100").document())


INTENT = intent_document("6cfc9fbe-d1d4-43ec-923d-72e83f9b07c0")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("id",), "x"),
        (("type",), "OTHER"),
        (("confidence",), 1.1),
        (("confidence",), True),
        (("rawText",), REMOVE),
        (("parameters",), REMOVE),
        (("metadata", "timestamp"), "yesterday"),
        (("metadata", "version"), REMOVE),
        (("parent_intent_id",), "x"),
    ],
)
def test_a_refused_intent(path, value):
    with pytest.raises(SchemaViolation):
        parse_intent(_changed(path, value, INTENT))


def test_an_intent_gets_its_defaults():
    intent = _changed(("metadata", "source"), REMOVE, INTENT)
    del intent["requires_clarification"]
    parsed = parse_intent(intent)
    assert parsed["metadata"]["source"] == "user_input"
    assert parsed["requires_clarification"] is False


def test_a_state_needs_a_uuid():
    with pytest.raises(SchemaViolation):
        planned_state("run-1", VALID, 0)


def test_the_complaint_names_its_place():
    with pytest.raises(SchemaViolation) as caught:
        parse_plan(_changed(("steps", 0, "timeout_ms"), 0))
    assert caught.value.path == "plan.steps.0.timeout_ms"
    assert '"timeout_ms"' in str(caught.value)
