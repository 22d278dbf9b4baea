"""Without these tools would be called with other parameters than the legacy executor's users know."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UnresolvableReferenceError
from engine.settings import References
from engine.states import StepStatus
from engine.types.execution import StepState
from engine.utils.execution_utils import (
    execute_step_with_checkpointing,
    find_ready_steps,
    resolve_step_parameters,
)
from tests.engine.lab import Lab, plan_of, step

OUTPUTS = {
    "a": {
        "id": 7,
        "null": None,
        "zero": 0,
        "no": False,
        "empty": "",
        "list": [10, {"x": "y"}, None],
        "object": {"deep": {"er": 1}},
        "": "blank key",
        "text": "hello",
        "length": "own",
    },
    "rows": [1, 2, 3],
    "zero": 0,
    "no": False,
    "blank": "",
    "null": None,
    "number": 5,
    "text": "abc",
    "skip": {"skipped": True},
}
LITERAL = object()


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        # A reference is a string that starts with "$" and contains a "." anywhere.
        ("$a.id", 7),
        ("a.id", LITERAL),
        ("$a", LITERAL),
        (" $a.id", LITERAL),
        ("$$a.id", LITERAL),
        ("cost: $a.id", LITERAL),
        ("$5.00", LITERAL),
        (7, 7),
        (None, None),
        # The step id is exact and case-sensitive.
        ("$A.id", LITERAL),
        ("$ghost.id", LITERAL),
        ("$.id", LITERAL),
        # A falsy output gives the literal.
        ("$zero.x", LITERAL),
        ("$no.x", LITERAL),
        ("$blank.x", LITERAL),
        ("$null.x", LITERAL),
        # Each part must be a member of an object or a list.
        ("$a.missing", LITERAL),
        ("$a.object.deep.er", 1),
        ("$a.object.deep.er.more", LITERAL),
        ("$number.x", LITERAL),
        ("$text.length", LITERAL),
        ("$text.0", LITERAL),
        ("$a.text.length", LITERAL),
        ("$a.", "blank key"),
        ("$a..", LITERAL),
        # Lists take canonical indexes below the length, and "length".
        ("$rows.0", 1),
        ("$rows.2", 3),
        ("$rows.3", LITERAL),
        ("$rows.-1", LITERAL),
        ("$rows.01", LITERAL),
        ("$rows.+1", LITERAL),
        ("$rows.1.0", LITERAL),
        ("$rows.\u0661", LITERAL),
        ("$rows.length", 3),
        ("$a.list.1.x", "y"),
        ("$a.length", "own"),
        # A final null gives the literal; 0, false and "" are values.
        ("$a.null", LITERAL),
        ("$a.list.2", LITERAL),
        ("$a.zero", 0),
        ("$a.no", False),
        ("$a.empty", ""),
        # Whole objects and lists are values.
        ("$a.object", {"deep": {"er": 1}}),
        ("$a.list", [10, {"x": "y"}, None]),
        # The skip record of an idempotent step is an output like any other.
        ("$skip.skipped", True),
        ("$skip.id", LITERAL),
    ],
)
def test_lenient_references(reference: Any, value: Any) -> None:
    resolved = resolve_step_parameters({"p": reference, "other": 1}, OUTPUTS)
    assert resolved == {"p": reference if value is LITERAL else value, "other": 1}
    assert type(resolved["p"]) is type(reference if value is LITERAL else value)


@pytest.mark.parametrize("nested", [["$a.id"], {"x": "$a.id"}, [{"y": ["$a.id"]}]])
def test_only_top_level_values_are_references_unless_strict(nested: Any) -> None:
    assert resolve_step_parameters({"p": nested}, OUTPUTS) == {"p": nested}
    strict = resolve_step_parameters(
        {"p": nested}, OUTPUTS, references=References.STRICT, known_steps=OUTPUTS
    )
    assert strict == {"p": eval(repr(nested).replace("'$a.id'", "7"))}  # noqa: S307 - own text


@pytest.mark.parametrize(
    "reference", ["$a.missing", "$rows.3", "$null.x", "$number.x", "$later.x", "$a.text.0"]
)
def test_strict_references_must_name_a_value(reference: str) -> None:
    with pytest.raises(UnresolvableReferenceError) as caught:
        resolve_step_parameters(
            {"p": [reference]},
            OUTPUTS,
            references=References.STRICT,
            known_steps={*OUTPUTS, "later"},
        )
    assert reference in str(caught.value)


@pytest.mark.parametrize("text", ["$5.00", "$ghost.x", "$a", "no. $1.5"])
def test_strict_leaves_text_that_names_no_step(text: str) -> None:
    resolved = resolve_step_parameters(
        {"p": text}, OUTPUTS, references=References.STRICT, known_steps=OUTPUTS
    )
    assert resolved == {"p": text}


@pytest.mark.parametrize(("reference", "value"), [("$a.null", None), ("$a.zero", 0), ("$a.id", 7)])
def test_strict_takes_null_as_a_value(reference: str, value: Any) -> None:
    resolved = resolve_step_parameters(
        {"p": reference}, OUTPUTS, references=References.STRICT, known_steps=OUTPUTS
    )
    assert resolved == {"p": value}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.dictionaries(st.text(), JSON, max_size=4))
def test_resolving_changes_neither_side_and_never_raises(
    parameters: dict[str, Any], outputs: dict[str, Any]
) -> None:
    before = repr((parameters, outputs))
    assert resolve_step_parameters(parameters, outputs).keys() == parameters.keys()
    assert repr((parameters, outputs)) == before


def test_ready_steps_are_pending_ones_whose_dependencies_completed() -> None:
    plan = plan_of(step("a"), step("b", "a"), step("c", "a", "b"), step("d"), step("e", "d"))
    statuses = [
        StepStatus.COMPLETED,
        StepStatus.PENDING,
        StepStatus.PENDING,
        StepStatus.FAILED,
        StepStatus.PENDING,
    ]
    states = [
        StepState(id=one.id, status=status)
        for one, status in zip(plan.steps, statuses, strict=True)
    ]
    assert find_ready_steps(plan.steps, states) == [1]
    assert find_ready_steps((), ()) == []


def test_intent_is_written_before_the_call_and_the_result_after() -> None:
    order: list[str] = []

    class Recorder:
        async def commit_steps(self, states: Any, /) -> None:
            order.append(f"write {states[3].status}")

    async def run(intent: StepState) -> StepState:
        order.append("call")
        return intent.model_copy(update={"status": StepStatus.COMPLETED})

    async def main() -> StepState:
        intent = StepState(id="a", status=StepStatus.IN_PROGRESS)
        return await execute_step_with_checkpointing(3, intent, run, Recorder())

    assert Lab().run(main).status is StepStatus.COMPLETED
    assert order == ["write in_progress", "call", "write completed"]
