"""The recogniser of HTTP codes agrees with the original on every recorded error text."""

import json
from pathlib import Path

import pytest

from legacy.error_codes import extract_http_code, tool_failure_code

RECORDED = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "legacy" / "extract-error-code.json").read_text(
        "utf-8"
    )
)


def test_the_recording_is_whole():
    assert len(RECORDED) == 45


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: repr(case["error"]))
def test_a_recorded_error(case):
    assert extract_http_code(case["error"]) == case["code"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("500\u00a0Error", 500),  # white space is Unicode's
        ("500\u2009Error", 500),
        ("500\ufeffError", 500),
        ("500\x1cError", None),  # not white space for the original
        ("\u017ftatus 500", None),  # case folding is ASCII's: this is no "status"
        ("500 \u017ferver", None),
        ("STATUSCODE:404", 404),
        ("status code : : 404", None),
        ("http\n\n404", 404),
        ("1404 not", 404),
        ("404 Nothing", 404),
        ("404 Serv", None),
        ("error 399 error 500", None),  # first occurrence only
        ("399 Error, HTTP 500", 500),  # the next pattern has its chance
        ("600 Error status 404", 404),
    ],
)
def test_the_rules(error, code):
    assert extract_http_code(error) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("Invalid Parameters: x", "TOOL_VALIDATION_FAILED"),
        ("invalid parameter", "TOOL_EXECUTION_FAILED"),
        ("", "TOOL_EXECUTION_FAILED"),
    ],
)
def test_the_code_of_a_tool_failure(error, code):
    assert tool_failure_code(error) == code
