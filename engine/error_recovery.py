"""Error recovery: somebody outside may correct a failed call, once per step."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from engine.http_status import http_status

_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call that the tool answered with a failure."""

    tool_name: str
    parameters: Mapping[str, Any]
    message: str


@dataclass(frozen=True, slots=True)
class CallAgain:
    """Call once more; with other parameters, where given."""

    parameters: Mapping[str, Any] | None = None


class ErrorRecovery(Protocol):
    """Decides about a failed call. An exception counts as no recovery."""

    async def __call__(self, failed: FailedCall, /) -> CallAgain | None:
        """Return how to call again, or None to let the step fail."""


ModelCall: TypeAlias = Callable[[str], Awaitable[str]]
"""Sends a prompt to a language model and returns the text of its answer."""


@dataclass(frozen=True, slots=True)
class ModelErrorRecovery:
    """Asks a language model about server errors (HTTP 500 to 599 in the message).

    Its answer must be JSON: `{"action": "retry_modified", "modifiedParams": {...}}` or
    `{"action": "retry_same"}`. Anything else, or an error of the model, is no recovery.
    """

    model: ModelCall

    async def __call__(self, failed: FailedCall, /) -> CallAgain | None:
        """Ask the model if the error is a server's."""
        status = http_status(failed.message)
        if status is None or status < _SERVER_ERROR:
            return None
        return parse_answer(await self.model(_prompt(failed, status)))


def parse_answer(text: str) -> CallAgain | None:
    """Return what a model's answer asks for, or None if it asks for nothing usable."""
    try:
        answer = json.loads(text.strip())
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    if answer.get("action") == "retry_same":
        return CallAgain()
    modified = answer.get("modifiedParams")
    if answer.get("action") == "retry_modified" and isinstance(modified, dict):
        return CallAgain(modified)
    return None


def _prompt(failed: FailedCall, status: int) -> str:
    return (
        "A tool call failed. Answer with JSON only.\n"
        f"tool: {failed.tool_name}\nstatus: {status}\nerror: {failed.message}\n"
        f"parameters: {json.dumps(dict(failed.parameters), default=str)}\n"
        'answers: {"action": "retry_modified", "modifiedParams": {...}}, '
        '{"action": "retry_same"}, {"action": "fail"}'
    )
