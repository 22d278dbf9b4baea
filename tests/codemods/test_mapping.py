"""Without these the mapping could name what neither side has, and a migrated call would not run."""

import ast
import dataclasses
import importlib
import inspect

import pytest

import legacy.durable_execution as old
from codemods.mapping import How, MappingError, Use, load, shipped

MAPPED = shipped()
SYMBOLS = MAPPED.symbols


def successor(target):
    module, name = MAPPED.place(target)
    return getattr(importlib.import_module(module), name)


def test_every_export_is_mapped_and_nothing_else() -> None:
    assert set(SYMBOLS) == set(old.__all__)
    assert len(SYMBOLS) > 25


@pytest.mark.parametrize("name", [name for name in SYMBOLS if SYMBOLS[name].is_rewritten])
def test_every_target_exists_and_is_public(name) -> None:
    module, member = MAPPED.place(SYMBOLS[name].target)
    assert hasattr(importlib.import_module(module), member)
    if module == "engine":
        assert member in importlib.import_module("engine").__all__


@pytest.mark.parametrize("name", ["execute_segment", "resume_from_checkpoint"])
def test_parameters_are_the_legacy_signature(name) -> None:
    signature = inspect.signature(getattr(old, name))
    assert list(SYMBOLS[name].parameters) == list(signature.parameters)
    for parameter in signature.parameters.values():
        use = SYMBOLS[name].parameters[parameter.name]
        by_position = parameter.kind is not inspect.Parameter.KEYWORD_ONLY
        assert by_position == (use is Use.POSITIONAL)
        if use in {Use.DROPPED, Use.NONE}:
            assert SYMBOLS[name].reasons[parameter.name] and parameter.default is None
    assert inspect.iscoroutinefunction(getattr(old, name)) is SYMBOLS[name].awaited


def test_the_checkpoint_manager_is_mapped_by_its_method() -> None:
    symbol = SYMBOLS["CheckpointManager"]
    assert list(inspect.signature(old.CheckpointManager).parameters) == list(symbol.parameters)
    method = inspect.signature(getattr(old.CheckpointManager, symbol.method))
    assert list(method.parameters)[1:] == list(symbol.method_parameters)


@pytest.mark.parametrize("name", [name for name in SYMBOLS if SYMBOLS[name].how is How.CALL])
def test_templates_bind_to_the_engine_and_use_every_kept_parameter(name) -> None:
    symbol = SYMBOLS[name]
    slots = {**symbol.parameters, **symbol.method_parameters}
    slots |= dict.fromkeys(("execute_workflow", "WorkflowMachine", "adapt_tools"), Use.SAME)
    slots |= dict.fromkeys(("workflow_options", "load_state"), Use.SAME)
    call = ast.parse(symbol.template.format(**{slot: slot for slot in slots}), mode="eval").body
    assert isinstance(call, ast.Call)
    function = ast.unparse(call.func)
    engine = importlib.import_module("engine")
    target = engine
    for part in function.split("."):
        target = getattr(target, part)
    assert inspect.iscoroutinefunction(target) is symbol.awaited
    keywords = {item.arg: None for item in call.keywords if item.arg}
    keywords |= dict.fromkeys(symbol.optional)
    inspect.signature(target).bind(*call.args, **keywords)
    kept = {item for item in slots if slots[item] in {Use.POSITIONAL, Use.KEYWORD}}
    assert kept <= {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
    machine = inspect.signature(engine.WorkflowMachine).parameters
    assert set(symbol.optional) <= set(machine)


def test_records_account_for_every_field() -> None:
    records = [symbol for symbol in SYMBOLS.values() if symbol.how is How.RECORD]
    assert records
    for symbol in records:
        fields = {item.name for item in dataclasses.fields(getattr(old, symbol.name))}
        known = {*symbol.same, *symbol.fields, *symbol.removed}
        assert fields <= known
        assert set(symbol.same) <= set(successor(symbol.target).model_fields)


def test_renamed_classes_have_the_same_shape() -> None:
    for symbol in SYMBOLS.values():
        if symbol.how is not How.NAME or not symbol.parameters:
            continue
        before = inspect.signature(getattr(old, symbol.name)).parameters
        after = inspect.signature(successor(symbol.target)).parameters
        assert list(before) == list(after) == list(symbol.parameters)


def test_errors_stay_errors() -> None:
    base = successor(SYMBOLS["SegmentError"].target)
    for symbol in SYMBOLS.values():
        if symbol.how is How.ERROR:
            assert issubclass(getattr(old, symbol.name), old.SegmentError)
            assert issubclass(successor(symbol.target), base)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("version = 2", "version 2"),
        ("version = ", "Invalid value"),
        ("[symbols.x]\nstatus = 'maybe'", "status is 'maybe'"),
        ("[symbols.x]\nstatus = 'report'\nrule = 'CM1'", "needs a reason"),
        ("[symbols.x]\nstatus = 'rewrite'\nrule = 'CM1'", "needs how and target"),
        ("[symbols.x]\nstatus = 'report'\nreason = 'r'\nrule = 'C'\nplan = 1", "plan"),
    ],
)
def test_a_broken_mapping_is_refused(text, fault) -> None:
    head = "" if "version" in text else "version = 1\nengine = 'e'\n"
    with pytest.raises(MappingError, match=fault):
        load(head + text)
