"""Without these a value could differ before and after a resume, or make a record unreadable."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidPlanError
from engine.json_form import durable_form, storable_text
from engine.types.execution import ErrorInfo, StepState
from tests.engine.lab import plan_of, step

TEXT = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(VALUES)
def test_the_durable_form_survives_a_record(value: Any) -> None:
    try:
        form = durable_form(value)
    except ValueError:
        return  # lone surrogates have no form
    state = StepState(id="a", output=form, input={"x": form}, has_output=True)
    found = StepState.model_validate_json(state.model_dump_json(exclude_defaults=True))
    assert repr((found.output, found.input)) == repr((form, {"x": form}))
    assert repr(durable_form(form)) == repr(form)


def test_the_durable_form_is_a_copy() -> None:
    value = {"x": [1]}
    form = durable_form(value)
    form["x"].append(2)
    assert value == {"x": [1]}


@pytest.mark.parametrize("value", [object(), {"x": {1: object()}}, b"\xff", "\udcff", lambda: None])
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        durable_form(value)


@pytest.mark.parametrize("field", ["parameters", "compensation"])
def test_a_plan_holds_nothing_that_cannot_be_stored(field: str) -> None:
    wrong = {"x": object()}
    more = wrong if field == "parameters" else {"tool_name": "u", "parameters": wrong}
    with pytest.raises(InvalidPlanError) as caught:
        plan_of(step("a", **{field: more}))
    assert caught.value.path.startswith(f"plan.steps[0].{field}")


def test_a_plan_is_a_copy_of_what_it_was_made_from() -> None:
    rows = [(1, 2)]
    plan = plan_of(step("a", parameters={"rows": rows}))
    rows.append((3, 4))
    assert plan.steps[0].parameters == {"rows": [[1, 2]]}


@given(TEXT)
def test_any_text_can_be_a_message(text: str) -> None:
    info = ErrorInfo(code="C", message=text)
    assert ErrorInfo.model_validate_json(info.model_dump_json()) == info
    assert storable_text(storable_text(text)) == storable_text(text)
    assert storable_text("plain ü") == "plain ü"
