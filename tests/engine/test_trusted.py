"""Without these a record that skips validation could differ from one that does not."""

import pytest

from engine.events import Event, EventName
from engine.states import StepStatus
from engine.tools import ToolCall, ToolResult
from engine.trusted import changed, construct
from engine.types.execution import ErrorInfo, StepState

VALUES = {
    Event: {
        "name": EventName.STEP_STARTED,
        "execution_id": "e",
        "at_ms": 1,
        "segment_number": 2,
        "detail": {"a": [1]},
    },
    StepState: {"id": "s", "output": {"a": 1}, "has_output": True},
    ToolResult: {"success": True, "output": None},
    ToolCall: {
        "execution_id": "e",
        "step_id": "s",
        "tool_name": "t",
        "parameters": {"x": 1},
        "timeout_ms": 1,
        "idempotency_key": "k",
        "attempt": 1,
    },
}


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
def test_a_record_is_what_validation_would_have_made(kind: type) -> None:
    made, validated = construct(kind, VALUES[kind]), kind(**VALUES[kind])
    assert made == validated
    assert repr(made) == repr(validated)
    assert made.model_dump_json() == validated.model_dump_json()
    assert made.model_dump(exclude_defaults=True) == validated.model_dump(exclude_defaults=True)
    assert made.model_copy(deep=True) == validated


def test_a_record_is_frozen_all_the_same() -> None:
    made = construct(StepState, {"id": "s"})
    with pytest.raises(ValueError, match="frozen"):
        made.id = "t"  # type: ignore[misc] # that is the point


def test_a_change_leaves_the_first_record_alone() -> None:
    first = StepState(id="s", attempts=1)
    after = {"status": StepStatus.FAILED, "error": ErrorInfo(code="C", message="m")}
    second = changed(first, after)
    assert second == first.model_copy(update=after)
    assert first == StepState(id="s", attempts=1)


def test_all_fields_count_as_given_and_no_record_has_a_say_about_another() -> None:
    made = construct(StepState, {"id": "s"})
    assert made.model_fields_set == set(StepState.model_fields)
    assert StepState(id="s").model_copy(update={"attempts": 2}).model_fields_set == {
        "id",
        "attempts",
    }
    assert made.model_copy(update={"attempts": 2}).model_fields_set == set(StepState.model_fields)
