"""References, aliases and the booking check decide what a tool is sent; the model, whether again."""

import pytest

from conformance.runner import run_scenario
from conformance.scenario_builder import ScenarioBuilder, fails, raises, reference, succeeds

OUTPUT = {
    "v": 1,
    "zero": 0,
    "no": False,
    "empty": "",
    "null": None,
    "list": [10, [20], {"x": 30}],
    "object": {"": "blank", "a.b": "dotted", "7": "seven"},
    "text": "abc",
}


def _trace(builder):
    return run_scenario(builder.build(), "legacy")


def _sent(value, *, output=None, tool="b", aliases=None):
    trace = _trace(
        ScenarioBuilder("x")
        .step("a")
        .step("b", tool=tool, after=["a"], parameters={"p": value})
        .tool("a", succeeds(OUTPUT if output is None else output))
        .tool(tool, succeeds(), aliases=aliases)
    )
    return trace["calls"][1]["parameters"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("v", 1),
        ("zero", 0),
        ("no", False),
        ("empty", ""),
        ("list", OUTPUT["list"]),
        ("list.0", 10),
        ("list.1.0", 20),
        ("list.2.x", 30),
        ("list.length", 3),
        ("list.1.length", 1),
        ("object.", "blank"),
        ("object.7", "seven"),
        ("object", OUTPUT["object"]),
    ],
)
def test_a_reference_that_resolves(path, value):
    assert _sent(reference("a", path)) == {"p": value}


@pytest.mark.parametrize(
    "path",
    ["null", "nothing", "v.x", "text.length", "text.0", "list.01", "list.-1", "list.3", "list.x",
     "list.0.x", "object.a.b", "object.length", "", "null.x", "v.constructor"],
)  # fmt: skip
def test_a_reference_that_stays_literal(path):
    literal = reference("a", path)
    assert _sent(literal) == {"p": literal}


@pytest.mark.parametrize("output", [0, False, "", None])
def test_a_falsy_output_counts_as_none(output):
    trace = _trace(
        ScenarioBuilder("x")
        .step("a")
        .step("b", after=["a"], parameters={"p": reference("a", "length")})
        .tool("a", {"success": True, "output": output, "latency_ms": 1})
    )
    assert trace["calls"][1]["parameters"] == {"p": reference("a", "length")}
    assert trace["steps"][0]["has_output"] is True


def test_what_is_no_reference():
    values = {
        "no_dollar": "a.b",
        "no_dot": "$abc",
        "inside": f"x {reference('a', 'v')}",
        "nested": {"deep": reference("a", "v")},
        "listed": [reference("a", "v")],
        "number": 5,
        "unknown": "$nobody.v",
        "upper": reference("a", "v").upper(),
        "bare": "$.",
    }
    trace = _trace(
        ScenarioBuilder("x")
        .step("a")
        .step("b", after=["a"], parameters=values)
        .tool("a", succeeds(OUTPUT))
    )
    assert trace["calls"][1]["parameters"] == values


def test_inherited_members_vanish():
    assert _sent(reference("a", "object.toString")) == {}
    assert _sent(reference("a", "list.map")) == {}
    assert _sent(reference("a", "constructor.name")) == {"p": reference("a", "constructor.name")}


def test_a_missing_output_resolves_nothing():
    trace = _trace(
        ScenarioBuilder("x")
        .step("a")
        .step("b", after=["a"], parameters={"p": reference("a", "v")})
        .tool("a", succeeds(has_output=False))
    )
    assert trace["calls"][1]["parameters"] == {"p": reference("a", "v")}
    assert trace["steps"][0]["has_output"] is False


@pytest.mark.parametrize(
    ("parameters", "aliases", "sent"),
    [
        ({"old": 1}, {"old": "new"}, {"old": 1, "new": 1}),
        ({"old": None}, {"old": "new"}, {"old": None, "new": None}),
        ({"old": 1, "new": None}, {"old": "new"}, {"old": 1, "new": None}),
        ({"a": 1}, {"a": "b", "b": "c"}, {"a": 1, "b": 1, "c": 1}),
        ({"a": 1}, {"b": "c", "a": "b"}, {"a": 1, "b": 1}),
        ({}, {"a": "b"}, {}),
    ],
)
def test_aliases(parameters, aliases, sent):
    trace = _trace(ScenarioBuilder("x").step("a", parameters=parameters).tool("a", aliases=aliases))
    assert trace["calls"][0]["parameters"] == sent


@pytest.mark.parametrize(
    ("tool", "parameters", "missing"),
    [
        ("BookTable", {"restaurantId": "r", "partySize": 2, "startTime": "t"}, None),
        ("reserve", {"restaurantId": "0", "partySize": [], "startTime": {}}, None),
        ("facebook_post", {}, "restaurantId, partySize, startTime"),
        ("unreserved_seat", {"partySize": 0, "restaurantId": "r"}, "partySize, startTime"),
        ("book", {"restaurantId": "", "partySize": False, "startTime": None},
         "restaurantId, partySize, startTime"),
        ("create_reservation", {}, None),
    ],
)  # fmt: skip
def test_the_booking_check(tool, parameters, missing):
    trace = _trace(ScenarioBuilder("x").step("a", tool=tool, parameters=parameters))
    (step,) = trace["steps"]
    if missing is None:
        assert step["status"] == "completed"
        return
    assert step["error_code"] == "VALIDATION_FAILED"
    assert step["error_message"] == f"Missing required booking fields: {missing}"
    assert step["latency_ms"] == 0
    assert trace["step_updates"] == trace["trace_entries"] == trace["calls"] == []
    assert "i" not in "".join(
        entry["detail"]["steps"] for entry in trace["writes"] if "steps" in entry.get("detail", {})
    )


def test_the_validator_speaks_first():
    trace = _trace(ScenarioBuilder("x").step("a", tool="book").invalid("book", p="bad", q="worse"))
    assert trace["steps"][0]["error_message"] == ("Parameter validation failed: p: bad; q: worse")
    assert trace["validations"] == [
        {
            "tool": "book",
            "success": False,
            "errors": [{"path": "p", "message": "bad"}, {"path": "q", "message": "worse"}],
        }
    ]


RETRY = '{"action":"retry_modified","modifiedParams":{"q":2}}'


def _recovered(*answers, error="503 Server", second=None):
    return _trace(
        ScenarioBuilder("x")
        .step("a", parameters={"q": 1})
        .tool("a", fails(error), succeeds({"r": 1}) if second is None else second)
        .llm(*answers)
    )


@pytest.mark.parametrize(
    ("answer", "parameters"),
    [
        (RETRY, {"q": 2}),
        (f"\n\ufeff\u00a0{RETRY}  ", {"q": 2}),
        ('{"action":"retry_modified","modifiedParams":{}}', {}),
        ('{"action":"retry_modified","modifiedParams":[]}', []),
        ('{"action":"retry_modified","modifiedParams":"x"}', "x"),
        ('{"action":"retry_modified","modifiedParams":1.0}', 1),
    ],
)
def test_an_answer_that_leads_to_a_retry(answer, parameters):
    trace = _recovered(answer)
    assert [call["parameters"] for call in trace["calls"]] == [{"q": 1}, parameters]
    assert [call["signal"] for call in trace["calls"]] == [True, False]
    assert trace["steps"][0]["output"] == {"r": 1}
    assert trace["steps"][0]["latency_ms"] == 10
    assert trace["step_updates"][-1]["message"] == "Completed Run a (after retry)"
    assert len(trace["validations"]) == 2
    assert trace["llm_calls"] == ["planning"]


@pytest.mark.parametrize(
    "answer",
    [
        '{"action":"retry_modified"}',
        '{"action":"retry_modified","modifiedParams":null}',
        '{"action":"retry_modified","modifiedParams":0}',
        '{"action":"retry_modified","modifiedParams":""}',
        '{"action":"retry_modified","modifiedParams":false}',
        '{"action":"retry_modified","modifiedParams":NaN}',
        '{"action":"retry_same","modifiedParams":{"q":2}}',
        '{"action":"skip"}',
        '{"action":"fail"}',
        f"```json\n{RETRY}\n```",
        "Try again!",
        "",
        "null",
        "[]",
        '"x"',
        {"raise": "overloaded"},
    ],
)
def test_an_answer_that_leads_nowhere(answer):
    trace = _recovered(answer)
    assert len(trace["calls"]) == 1
    assert trace["steps"][0]["error_code"] == "TOOL_EXECUTION_FAILED"
    assert trace["steps"][0]["error_message"] == "503 Server"
    assert trace["step_updates"][-1]["message"] == "Failed: 503 Server"


def test_a_client_error_asks_the_validator_and_never_the_model():
    trace = _recovered(RETRY, error="404 Not Found")
    assert len(trace["validations"]) == 2
    assert trace["llm_calls"] == []
    plain = _recovered(RETRY, error="plain")
    assert len(plain["validations"]) == 1


def test_no_model_means_no_recovery():
    trace = _trace(ScenarioBuilder("x").step("a").tool("a", fails("500 Error")))
    assert trace["llm_calls"] == ["planning"]
    assert trace["steps"][0]["error_message"] == "500 Error"


def test_a_failing_retry_hides_its_error_and_a_raising_one_replaces_it():
    failing = _recovered(RETRY, second=fails("504 Server"))
    assert failing["steps"][0]["error_message"] == "503 Server"
    assert failing["llm_calls"] == ["planning"]
    raising = _recovered(RETRY, second=raises("boom", latency_ms=30))
    assert raising["steps"][0]["error_code"] == "STEP_EXECUTION_FAILED"
    assert raising["steps"][0]["latency_ms"] == 40
    assert [entry["event"] for entry in raising["trace_entries"]] == ["step_failed", "step_error"]


def test_answers_are_counted_over_all_steps_and_the_last_repeats():
    scenario = ScenarioBuilder("x").llm("no", RETRY)
    for key in "abc":
        scenario.step(key).tool(key, fails("503 Server"), succeeds())
    trace = _trace(scenario)
    assert [step["status"] for step in trace["steps"]] == ["failed", "completed", "completed"]


@pytest.mark.parametrize(
    ("error", "code", "message", "update"),
    [
        ("", "TOOL_EXECUTION_FAILED", "Unknown tool execution error", "Failed: "),
        (None, "TOOL_EXECUTION_FAILED", "Unknown tool execution error", "Failed: Unknown error"),
        ("INVALID parameters: q", "TOOL_VALIDATION_FAILED", "INVALID parameters: q", None),
    ],
)
def test_the_code_and_message_of_a_failure(error, code, message, update):
    trace = _trace(ScenarioBuilder("x").step("a").tool("a", fails(error)))
    assert trace["step_updates"][-1]["message"] == (update or f"Failed: {error}")
    assert trace["trace_entries"][0].get("error") == error
    assert trace["steps"][0]["error_code"] == code
    assert trace["steps"][0]["error_message"] == message


def test_compensations_are_kept_from_retries_too():
    undo = succeeds(undo="undo", undo_parameters={"id": 1})
    trace = _recovered(RETRY, second=undo)
    (key,) = trace["context"]
    assert trace["context"][key] == {"toolName": "undo", "parameters": {"id": 1}}
    bare = _trace(ScenarioBuilder("x").step("a").tool("a", succeeds(undo="undo")))
    assert list(bare["context"].values()) == [{"toolName": "undo"}]


def test_an_empty_description_is_replaced_by_the_tools_name():
    trace = _trace(ScenarioBuilder("x").step("a", description=""))
    assert [update["message"] for update in trace["step_updates"]] == [
        "Starting a...",
        "Completed a",
    ]
