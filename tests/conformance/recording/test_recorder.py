"""Recording in a consumer's process: it may neither change nor fail what it watches."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from conformance.recording import Recorder, Redaction
from engine import ToolRegistry
from engine.tool_adapters import ToolAnswer
from engine.tools import ParameterValidator, ToolCall, ToolCatalog, ToolResult

PLAN = {"id": "p", "steps": [{"id": "a", "tool_name": "look", "parameters": {}}]}


class Positional:
    def __init__(self, answer):
        self.answer, self.calls = answer, []

    async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
        self.calls.append((tool_name, parameters, timeout_ms, signal))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def parameter_aliases(self, tool_name):
        return {"town": "city"} if tool_name == "look" else {}


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def _recorded(path, tools, *arguments, **options):
    execution = Recorder(path, **options).execution("e1", PLAN)
    return asyncio.run(execution.tools(tools).execute(*arguments))


def test_positional_tools_are_called_as_they_are(tmp_path):
    path = tmp_path / "r.jsonl"
    tools = Positional(ToolAnswer(True, True, {"room": 7}, compensation={"toolName": "undo"}))
    signal = object()
    answer = _recorded(path, tools, "look", {"city": "Bern"}, 500, signal)
    assert answer is tools.answer
    assert tools.calls == [("look", {"city": "Bern"}, 500, signal)]
    execution, call, done = _lines(path)
    assert (execution["event"], execution["plan"], execution["executor"]) == (
        "execution",
        PLAN,
        "legacy",
    )
    assert call["aliases"] == {"town": "city"}
    assert (call["tool"], call["parameters"], call["timeout_ms"]) == ("look", {"city": "Bern"}, 500)
    assert done["call"] == call["call"]
    assert done["outcome"] == {
        "success": True,
        "output": {"room": 7},
        "compensation": {"toolName": "undo"},
    }
    assert done["latency_ms"] >= 0


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (ToolAnswer(False, error="no"), {"success": False, "error": "no"}),
        (ToolAnswer(True), {"success": True}),
        (ToolAnswer(True, True, None), {"success": True, "output": None}),
        (ValueError("broken"), {"raise": "broken"}),
    ],
)
def test_every_outcome_is_told_apart(tmp_path, answer, outcome):
    path = tmp_path / "r.jsonl"
    if isinstance(answer, Exception):
        with pytest.raises(ValueError, match="broken"):
            _recorded(path, Positional(answer), "look", {})
    else:
        _recorded(path, Positional(answer), "look", {})
    assert _lines(path)[-1]["outcome"] == outcome


def test_a_cancellation_passes_and_is_recorded(tmp_path):
    path = tmp_path / "r.jsonl"
    with pytest.raises(asyncio.CancelledError):
        _recorded(path, Positional(asyncio.CancelledError()), "look", {})
    assert _lines(path)[-1]["cancelled"] is True


def test_a_call_whose_process_dies_has_its_beginning(tmp_path):
    path = tmp_path / "r.jsonl"
    with pytest.raises(SystemExit):
        _recorded(path, Positional(SystemExit()), "look", {})
    assert [line["event"] for line in _lines(path)] == ["execution", "call"]


def test_the_engines_own_shape_keeps_what_the_engine_asks_for(tmp_path):
    registry = ToolRegistry()

    @registry.tool()
    def look(city):
        return {"room": 7}

    path = tmp_path / "r.jsonl"
    tools = Recorder(path).execution("e1").tools(registry)
    assert isinstance(tools, ToolCatalog)
    assert isinstance(tools, ParameterValidator)
    assert tools.definition("look") is registry.definition("look")
    assert not isinstance(Recorder(path).execution("e1").tools(Positional(None)), ToolCatalog)
    call = ToolCall(
        execution_id="another",
        step_id="a",
        tool_name="look",
        parameters={"city": "Bern"},
        timeout_ms=9,
        idempotency_key="k",
        attempt=1,
    )
    assert asyncio.run(tools.execute(call)) == ToolResult.ok({"room": 7})
    assert [line["execution_id"] for line in _lines(path)] == ["another", "another"]


def test_parameters_are_recorded_as_they_were_sent(tmp_path):
    class Changing(Positional):
        async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
            parameters["city"] = "changed"
            return self.answer

    path = tmp_path / "r.jsonl"
    _recorded(path, Changing(ToolAnswer(True)), "look", {"city": "Bern"})
    assert _lines(path)[1]["parameters"] == {"city": "Bern"}


def test_what_cannot_be_recorded_is_said_and_harms_nobody(tmp_path):
    path = tmp_path / "r.jsonl"
    answer = ToolAnswer(True, True, object())
    assert _recorded(path, Positional(answer), "look", {"it": object()}) is answer
    _, call, done = _lines(path)
    assert "has no JSON form" in call["missing"]
    assert "has no JSON form" in done["missing"]
    assert done["call"] == call["call"]


def test_a_file_that_cannot_be_written_harms_nobody(tmp_path):
    answer = ToolAnswer(True)
    assert _recorded(tmp_path / "no" / "r.jsonl", Positional(answer), "look", {}) is answer


def test_a_result_that_is_none_harms_nobody(tmp_path):
    path = tmp_path / "r.jsonl"
    Recorder(path).execution("e1").ended(SimpleNamespace())
    assert _lines(path)[-1]["missing"] == "AttributeError"


def test_the_hook_is_asked_before_anything_is_written(tmp_path):
    path = tmp_path / "r.jsonl"
    redaction = Redaction(redact=lambda _path, value: "x" if value == "Bern" else value)
    _recorded(
        path,
        Positional(ToolAnswer(False, error="Bern")),
        "look",
        {"c": "Bern"},
        redaction=redaction,
    )
    assert "Bern" not in path.read_text()
    assert _lines(path)[1]["marks"] == ["redacted"]
