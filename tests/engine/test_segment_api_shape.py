"""Without these a migrated consumer's import could fail, or its call could not be bound."""

import ast
import dataclasses
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import engine
import engine.segment_api as api
import legacy.durable_execution as old
from engine.errors import EngineError, InvalidPlanError, StoreUnavailableError

ENVIRONMENT = "environment"
ERRORS = [
    name
    for name in old.__all__
    if isinstance(getattr(old, name), type) and issubclass(getattr(old, name), Exception)
]
CALLABLES = [name for name in old.__all__ if callable(getattr(old, name)) and name not in ERRORS]
CLASSES = [name for name in CALLABLES if isinstance(getattr(old, name), type)]


def shape(function):
    """Return (name, kind, default) of each parameter; a factory's default counts as one."""
    return [
        (item.name, item.kind, item.default if item.name != ENVIRONMENT else None)
        for item in inspect.signature(function).parameters.values()
    ]


def public(cls):
    return {
        name: member
        for name, member in inspect.getmembers(cls)
        if not name.startswith("_") and callable(member)
    }


def test_the_names_are_the_same() -> None:
    assert api.__all__ == old.__all__
    assert [name for name in api.__all__ if not hasattr(api, name)] == []
    assert len(CALLABLES) > 15 and len(ERRORS) == 7


@pytest.mark.parametrize("name", CALLABLES)
def test_a_call_has_the_same_parameters(name) -> None:
    before, after = shape(getattr(old, name)), shape(getattr(api, name))
    if name == "ExecutionEnvironment":  # more of it is optional
        assert [item[:2] for item in before] == [item[:2] for item in after]
        assert all(default is None for _, _, default in after[2:])
        return
    if name == "DurableExecutionResult":  # the engine's own fields come on top
        after = shape(api.DurableExecutionResult.__init__)[1:]
        assert after.pop()[1] is inspect.Parameter.VAR_KEYWORD
    if name == "ExecutionState":
        before, after = ([item[:2] for item in side] for side in (before, after))
        assert api.ExecutionState("x", "S", "t", "t") == api.ExecutionState("x", "S", "t", "t")
    assert before == after


@pytest.mark.parametrize("name", ["execute_segment", "resume_from_checkpoint", "CheckpointManager"])
def test_the_environment_may_be_left_out(name) -> None:
    assert inspect.signature(getattr(api, name)).parameters[ENVIRONMENT].default is None


@pytest.mark.parametrize("name", CALLABLES)
def test_coroutines_stay_coroutines(name) -> None:
    before, after = getattr(old, name), getattr(api, name)
    assert inspect.iscoroutinefunction(before) == inspect.iscoroutinefunction(after)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_the_same_methods(name) -> None:
    before, after = public(getattr(old, name)), public(getattr(api, name))
    assert set(before) <= set(after)
    for method in before:
        assert shape(before[method]) == shape(after[method]), method
        assert inspect.iscoroutinefunction(before[method]) == inspect.iscoroutinefunction(
            after[method]
        )


@pytest.mark.parametrize("name", CLASSES)
def test_a_record_has_the_same_fields(name) -> None:
    if not dataclasses.is_dataclass(getattr(old, name)):
        return
    before = [item.name for item in dataclasses.fields(getattr(old, name))]
    after = [item.name for item in dataclasses.fields(getattr(api, name))]
    assert after[: len(before)] == before


@pytest.mark.parametrize("name", [*CLASSES, *ERRORS])
def test_properties_are_there(name) -> None:
    def properties(cls):
        return {key for key, value in inspect.getmembers(cls) if isinstance(value, property)}

    assert properties(getattr(old, name)) <= properties(getattr(api, name))


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_raised_caught_and_subclassed_as_before(name) -> None:
    error = getattr(api, name)
    with pytest.raises(error):
        raise error("plan.id", "expected string")
    assert issubclass(error, api.SegmentError)
    if name != "SchemaViolation":
        assert str(error("gone")) == "gone" == error("gone").message
        with pytest.raises(api.SegmentError):
            raise error

    class Own(error):
        """An error of a consumer."""

        def __init__(self, reason, detail):
            super().__init__(reason, detail)
            self.detail = detail

    assert Own("why", 3).detail == 3
    with pytest.raises(error):
        raise Own("why", 3)


def test_what_the_engine_raises_is_caught_under_the_old_names() -> None:
    caught = {"SegmentError", "MemoryFailure", "SchemaViolation", "StateTransitionError"}
    caught |= {"CheckpointMissingError"}
    for name in caught:
        assert getattr(api, name).__module__ == "engine.errors"
    assert api.SegmentError is EngineError and api.MemoryFailure is StoreUnavailableError
    assert issubclass(api.MalformedPlanError, InvalidPlanError)
    violation = api.SchemaViolation("plan.id", "expected string", "invalid_type")
    assert (violation.path, violation.complaint) == ("plan.id", "expected string")
    assert "plan.id" in str(violation) and "expected string" in str(violation)


def test_constants_tell_what_the_engine_does() -> None:
    settings = engine.WorkflowSettings()
    assert settings.checkpoint_threshold_ms == api.CHECKPOINT_THRESHOLD_MS
    assert settings.step_abort_ms == api.STEP_ABORT_MS
    assert api.RESUME_DELAY_MS == settings.resume_delay_ms == old.RESUME_DELAY_MS


def test_every_legal_transition_stays_legal() -> None:
    for status, targets in old.LEGAL_TRANSITIONS.items():
        after = api.LEGAL_TRANSITIONS[status]
        assert isinstance(after, tuple) and all(type(target) is str for target in after)
        assert set(targets) <= set(after)
        assert bool(targets) == bool(after)
    assert "EXECUTING" in api.LEGAL_TRANSITIONS["EXECUTING"]


def test_the_engine_does_not_import_it_and_it_does_not_import_what_it_replaces() -> None:
    program = (
        "import sys, engine; assert 'engine.segment_api' not in sys.modules;"
        "import engine.segment_api; assert not [m for m in sys.modules if m.startswith('legacy')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    for path in Path(api.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] != "legacy"


def test_a_result_is_built_and_taken_apart_like_the_old_one() -> None:
    state = api.create_initial_state("00000000-0000-0000-0000-000000000000", 0)
    values = (False, True, state, 1, 0, 3, 7, 1, 2)
    result, before = api.DurableExecutionResult(*values), old.DurableExecutionResult(*values)
    for item in dataclasses.fields(before):
        assert getattr(result, item.name) == getattr(before, item.name)
    assert isinstance(result, engine.ExecutionResult) and result.execution_id == state.execution_id
    failed = dataclasses.replace(result, is_partial=False, error_code="X", error_message="why")
    assert (failed.error.code, failed.error.message, failed.total_steps) == ("X", "why", 3)
    assert dataclasses.asdict(failed)["error_code"] == "X"
    with pytest.raises(ValueError, match="frozen"):
        result.success = True
    read = api.DurableExecutionResult.model_validate_json(failed.model_dump_json())
    assert read == failed
    assert pickle.loads(pickle.dumps(failed)) == failed  # noqa: S301 - our own bytes
    assert api.DurableExecutionResult(True, False, None, 1, 0, 1, 0).status == "COMPLETED"
