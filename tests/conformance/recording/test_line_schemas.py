"""The published schema of a recording: it accepts whatever the recorder writes, and nothing broken."""

import asyncio
import contextlib
import json

import jsonschema
import pytest

from conformance.recording import Recorder, Redaction
from conformance.schemas import schema
from engine.tool_adapters import ToolAnswer

from .conftest import REFUSED, Shop, record_legacy, record_unified, scenario_of

VALIDATOR = jsonschema.Draft202012Validator(schema("recording"))
WHOLE = {
    "execution": {"executor": "legacy", "at_ms": 1, "plan": {"steps": []}, "intent": None},
    "call": {"call": "c", "tool": "look", "at_ms": 1, "timeout_ms": None, "parameters": {}},
    "answer": {"call": "c", "latency_ms": 1, "outcome": {"success": False, "error": "no"}},
    "end": {"success": True, "is_partial": False, "steps": {"a": "completed"}},
}


def _line(event, **fields):
    return {"schema": "recording/v1", "event": event, "execution_id": "e1"} | fields


def _checked(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        assert list(VALIDATOR.iter_errors(line)) == [], line
    return lines


@pytest.mark.parametrize("charge", [None, REFUSED])
def test_what_legacy_does_is_accepted(tmp_path, charge):
    path = tmp_path / "r.jsonl"
    record_legacy(path, scenario_of("schema", charge=charge))
    assert [line["event"] for line in _checked(path)].count("answer") == 3


@pytest.mark.parametrize("is_paying", [True, False])
def test_what_the_engine_does_is_accepted(tmp_path, is_paying):
    path = tmp_path / "r.jsonl"
    asyncio.run(record_unified(path, scenario_of("schema"), Shop(is_paying=is_paying)))
    lines = _checked(path)
    assert {line["event"] for line in lines} == set(WHOLE)
    assert any("redacted" in line.get("marks", ()) for line in lines)
    assert any("raise" in line.get("outcome", {}) for line in lines) is not is_paying


class Tools:
    def __init__(self, answer):
        self.answer = answer

    async def execute(self, *_arguments):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "parameters", "field"),
    [
        (ToolAnswer(True), {}, "outcome"),
        (ToolAnswer(True, True, "x" * 20_000), {"text": "x" * 20_000}, "marks"),
        (ToolAnswer(True, True, object()), {"it": object()}, "missing"),
        (ValueError("broken"), {}, "outcome"),
        (asyncio.CancelledError(), {}, "cancelled"),
    ],
)
def test_every_way_a_call_ends_is_accepted(tmp_path, answer, parameters, field):
    path = tmp_path / "r.jsonl"
    execution = Recorder(path).execution("e1", {"id": "p", "steps": []})
    with contextlib.suppress(ValueError, asyncio.CancelledError):
        asyncio.run(execution.tools(Tools(answer)).execute("look", parameters))
    execution.ended(None)
    lines = _checked(path)
    assert [line["event"] for line in lines] == list(WHOLE)
    assert field in lines[2]
    assert "missing" in lines[3]


def test_a_plan_that_may_not_be_written_is_accepted_as_missing(tmp_path):
    def refuse(_path, _value):
        raise ValueError

    path = tmp_path / "r.jsonl"
    plan = {"id": "p", "steps": [{"id": "a", "parameters": {"city": "Bern"}}]}
    Recorder(path, redaction=Redaction(redact=refuse)).execution("e1", plan)
    assert "missing" in _checked(path)[0]


@pytest.mark.parametrize("event", WHOLE)
def test_each_field_of_a_line_is_required_unless_it_says_that_it_is_missing(event):
    assert VALIDATOR.is_valid(_line(event, **WHOLE[event]))
    for name in WHOLE[event]:
        rest = {key: value for key, value in WHOLE[event].items() if key != name}
        assert not VALIDATOR.is_valid(_line(event, **rest)), name
        assert VALIDATOR.is_valid(_line(event, **rest, missing="why"))


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "recording/v2"},
        {"event": "answered"},
        {"execution_id": 7},
        {"latency_ms": -1},
        {"outcome": {"success": False}},
        {"outcome": {}},
        {"marks": ["hidden"]},
    ],
)
def test_a_broken_line_is_refused(change):
    assert not VALIDATOR.is_valid(_line("answer", **WHOLE["answer"]) | change)
