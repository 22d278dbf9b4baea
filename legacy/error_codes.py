"""Error codes of steps and segments, and the recogniser of HTTP codes in error texts."""

import re
from typing import Final

from legacy.json_values import WHITE_SPACE

VALIDATION_FAILED: Final = "VALIDATION_FAILED"
TOOL_EXECUTION_FAILED: Final = "TOOL_EXECUTION_FAILED"
TOOL_VALIDATION_FAILED: Final = "TOOL_VALIDATION_FAILED"
STEP_EXECUTION_FAILED: Final = "STEP_EXECUTION_FAILED"
UNKNOWN_ERROR: Final = "UNKNOWN_ERROR"
STEP_FAILED: Final = "STEP_FAILED"
EXECUTION_FAILED: Final = "EXECUTION_FAILED"

LOWEST_HTTP_ERROR: Final = 400
HIGHEST_HTTP_ERROR: Final = 599
LOWEST_SERVER_ERROR: Final = 500

_BLANK: Final = f"[{WHITE_SPACE}]"
# Digits and case are ASCII's; white space is Unicode's. The order of the patterns matters.
# Quirk 37: no pattern is anchored ("order 98502 not found" is 502) and common forms are missed
# ("500 Internal Server Error", "HTTP/1.1 503 Service Unavailable", "error code 500").
_PATTERNS: Final = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        rf"([0-9]{{3}}){_BLANK}+(?:Bad|Unauthorized|Forbidden|Not|Error|Server)",
        rf"status{_BLANK}*(?:code)?{_BLANK}*:?{_BLANK}*([0-9]{{3}})",
        rf"HTTP{_BLANK}*([0-9]{{3}})",
        rf"error{_BLANK}*([0-9]{{3}})",
    )
)


def extract_http_code(error: str) -> int | None:
    """Return the HTTP error code (400..599) that the executor sees in an error text.

    Each pattern is tried at its first occurrence only; the first that yields a code in range wins.
    """
    for pattern in _PATTERNS:
        found = pattern.search(error)
        if found is not None and LOWEST_HTTP_ERROR <= int(found[1]) <= HIGHEST_HTTP_ERROR:
            return int(found[1])
    return None


def tool_failure_code(error: str) -> str:
    """Return the code of a step whose tool returned a failure."""
    if "invalid parameters" in error.lower():
        return TOOL_VALIDATION_FAILED
    return TOOL_EXECUTION_FAILED
