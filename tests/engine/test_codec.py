"""Without these what a resume reads could differ from what was written, or be read at all costs."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import codec
from engine.errors import CheckpointCorruptError, UnknownVersionError
from engine.plan import Compensation, Plan
from engine.states import CompensationStatus, ExecutionStatus, StepStatus
from engine.types.execution import ErrorInfo, PendingConfirmation, RescueCall, StepState
from tests.engine.lab import plan_of, step

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
MAYBE_MS = st.none() | st.integers(0, 2**53)
STATES = st.builds(
    StepState,
    id=st.just("a"),
    status=st.sampled_from(StepStatus),
    attempts=st.integers(0, 9),
    has_output=st.booleans(),
    output=JSON,
    error=st.none() | st.builds(ErrorInfo, code=TEXT, message=TEXT),
    input=st.none() | OBJECT,
    started_at_ms=MAYBE_MS,
    completed_at_ms=MAYBE_MS,
    latency_ms=MAYBE_MS,
    retry_at_ms=MAYBE_MS,
    confirmed=st.booleans(),
    rescue=st.none()
    | st.builds(
        RescueCall,
        tool_name=TEXT,
        parameters=OBJECT,
        alternative=st.integers(0, 9),
        recovered=st.booleans(),
        uses=st.dictionaries(st.integers(0, 9), st.integers(1, 9), max_size=3),
    ),
    compensation=st.none()
    | st.builds(Compensation, tool_name=TEXT.filter(bool), parameters=OBJECT),
    compensation_status=st.none() | st.sampled_from(CompensationStatus),
    compensation_error=st.none() | TEXT,
)
PLAN = plan_of(step("a"))
HEAD = {
    "schema": codec.SCHEMA_VERSION,
    "status": "EXECUTING",
    "segment_number": "3",
    "created_at_ms": "1",
    "updated_at_ms": "2",
}


@given(STATES)
def test_a_step_comes_back_as_it_was(state: StepState) -> None:
    found = codec.decode_state("e", HEAD, PLAN, {"0": codec.encode_step(state)}).steps[0]
    assert found == state
    assert repr(found) == repr(state)


@given(OBJECT, st.none() | st.integers(0, 3), st.booleans())
def test_a_plan_comes_back_as_it_was(
    parameters: dict[str, Any], number: int | None, asks: bool
) -> None:
    plan = plan_of(
        step(
            "a", parameters=parameters, requires_confirmation=asks, retry_policy={"max_attempts": 2}
        ),
        step("b", "a", compensation={"tool_name": "undo", "parameters": parameters}),
        metadata=parameters,
        constraints={"max_steps": 5, "allowed_tools": None},
    )
    found = codec.decode_plan("e", codec.encode_plan(plan))
    assert found == plan and found.digest() == plan.digest()


def test_a_head_comes_back_as_it_was() -> None:
    error, waiting = ErrorInfo(code="C", message="m"), PendingConfirmation(step_id="a", token="t")
    texts = {
        "error": codec.encode_error(error),
        "waiting_for": codec.encode_waiting(waiting),
        "intent": codec.encode_intent({"type": "x"}),
        "due_at_ms": "5",
        "completed_at_ms": "6",
        "trace_id": "trace",
    }
    state = codec.decode_state(
        "e", HEAD | {k: v for k, v in texts.items() if v is not None}, PLAN, {}
    )
    assert (state.error, state.waiting_for, state.intent) == (error, waiting, {"type": "x"})
    assert (state.due_at_ms, state.completed_at_ms, state.trace_id) == (5, 6, "trace")
    assert (state.status, state.segment_number) == (ExecutionStatus.EXECUTING, 3)
    assert (codec.encode_error(None), codec.encode_waiting(None), codec.encode_intent(None)) == (
        None,
    ) * 3


def test_steps_without_a_field_are_pending() -> None:
    plan = plan_of(step("a"), step("b"))
    done = StepState(id="b", status=StepStatus.COMPLETED)
    states = codec.decode_state("e", HEAD, plan, {"1": codec.encode_step(done)}).steps
    assert states == (StepState(id="a"), done)


@pytest.mark.parametrize(
    "head",
    [
        {"status": "WHAT"},
        {"segment_number": "x"},
        {"created_at_ms": ""},
        {"error": "{"},
        {"error": '{"code": 1}'},
        {"waiting_for": "[]"},
        {"intent": "{"},
        {"intent": "[1]"},
        {"due_at_ms": "soon"},
    ],
)
def test_a_head_that_cannot_be_read_is_corrupt(head: dict[str, str]) -> None:
    with pytest.raises(CheckpointCorruptError, match="execution e"):
        codec.decode_state("e", HEAD | head, PLAN, {})


@pytest.mark.parametrize("missing", ["status", "segment_number", "created_at_ms", "updated_at_ms"])
def test_a_missing_field_is_corrupt(missing: str) -> None:
    head = {name: text for name, text in HEAD.items() if name != missing}
    with pytest.raises(CheckpointCorruptError, match=missing):
        codec.decode_state("e", head, PLAN, {})


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"id": "a", "status": "x"}', '{"id":"a","new":1}']
)
def test_a_step_that_cannot_be_read_is_corrupt(text: str) -> None:
    with pytest.raises(CheckpointCorruptError):
        codec.decode_state("e", HEAD, PLAN, {"0": text})


@pytest.mark.parametrize(
    "document",
    [
        "nonsense",
        {"steps": []},
        {"id": "p", "steps": [step("a", "a")]},
        {"id": "p", "steps": [step("a"), step("a")]},
    ],
)
def test_a_plan_that_cannot_be_read_is_corrupt(document: Any) -> None:
    with pytest.raises(CheckpointCorruptError):
        codec.decode_plan("e", json.dumps(document))


@pytest.mark.parametrize("version", [None, "", "0", "2", "1.0"])
def test_another_version_is_refused_before_anything_is_read(version: str | None) -> None:
    head = {"schema": version} if version is not None else {}
    with pytest.raises(UnknownVersionError):
        codec.decode_state("e", head, PLAN, {"0": "nonsense"})
    codec.check_version("e", codec.SCHEMA_VERSION)


def test_pending_steps_cost_next_to_nothing() -> None:
    assert codec.encode_step(StepState(id="a")) == '{"id":"a"}'
    assert len(codec.encode_plan(Plan(id="p"))) < 20
