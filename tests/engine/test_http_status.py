"""Without these recovery and failover would take a server's failure for something else."""

import json
from pathlib import Path

import pytest

from engine.http_status import http_status

RECORDED = json.loads(
    (Path(__file__).parents[1] / "fixtures/legacy/extract-error-code.json").read_text("utf-8")
)


def test_the_recording_is_there() -> None:
    assert len([case for case in RECORDED if case["code"] is not None]) > 20


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["error"][:30] or "empty")
def test_what_legacy_recognises_is_recognised_alike(case: dict[str, object]) -> None:
    if case["code"] is not None:
        assert http_status(str(case["error"])) == case["code"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("500 Internal Server Error", 500),
        ("HTTP/1.1 503 Service Unavailable", 503),
        ("HTTP/2 429", None),
        ("error code 500", 500),
        ("error: 500", 500),
        ("HTTP-500", 500),
        ("503 Service Unavailable", 503),
        ("429 Too Many Requests", 429),
        ("504 Gateway Timeout", 504),
        ("409 Conflict", 409),
    ],
)
def test_what_legacy_missed_and_servers_say(message: str, code: int | None) -> None:
    if code is None:  # one digit of a version is no reason to take the next number
        assert http_status(message) in (None, 429)
    else:
        assert http_status(message) == code


@pytest.mark.parametrize(
    "message",
    [
        "",
        "plain failure",
        "took 500 ms",
        "600 Error",
        "399 Error",
        "5xx",
        "HTTP 5",
        "500Error",
        "room 404",
        "error: 5000",
        "\u0665\u0660\u0660 Error",
    ],
)
def test_other_numbers_are_no_status(message: str) -> None:
    assert http_status(message) is None


def test_the_first_pattern_that_yields_a_status_decides() -> None:
    assert http_status("status 404 and error 500") == 404
    assert http_status("error 500 and 404 Not Found") == 404
