"""Recognise an HTTP status in the text of an error. Pure."""

import re
from collections.abc import Iterator

_LOWEST = 400
_HIGHEST = 599
# In this order; each is asked for its first occurrence only, and the first that yields a number
# from 400 to 599 decides. Consumers rely on all of these being recognised, the loose ones too.
_LOOSE = (
    r"([0-9]{3})\s+(?:Bad|Unauthorized|Forbidden|Not|Error|Server)",
    r"status\s*(?:code)?\s*:?\s*([0-9]{3})",
    r"HTTP\s*([0-9]{3})",
    r"error\s*([0-9]{3})",
)
# What those miss and servers really say.
_STRICT = (
    r"\bHTTP/[0-9.]+\s+([0-9]{3})\b",
    r"\berror(?:\s+code)?\s*[:=]?\s*([0-9]{3})\b",
    r"\bHTTP[\s_-]+([0-9]{3})\b",
    r"^\s*([0-9]{3})\s+(?:Internal|Service|Gateway|Too Many|Request|Conflict|Gone|Payment)",
)
_PATTERNS = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _LOOSE + _STRICT)


def http_status(message: str) -> int | None:
    """Return the status from 400 to 599 that `message` tells of, or None."""
    return next((number for number in _numbers(message) if _LOWEST <= number <= _HIGHEST), None)


def _numbers(message: str) -> Iterator[int]:
    for pattern in _PATTERNS:
        match = pattern.search(message)
        if match is not None:
            yield int(match.group(1))
