"""The failover policy: what to do about a failed call, as declarative rules. Pure."""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from engine.http_status import http_status

_TOO_MANY_REQUESTS = 429
_NOT_FOUND = 404
_CONFLICT = 409
_UNAUTHORIZED = (401, 403)
_SERVER_ERROR = 500


class FailureReason(StrEnum):
    """Why a call failed, as far as its error tells."""

    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    UNAUTHORIZED = "unauthorized"
    INVALID = "invalid"
    ABORTED = "aborted"
    RAISED = "raised"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class AlternativeParameters:
    """Call the same tool once more with these parameters laid over the first ones."""

    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AlternativeTool:
    """Call another tool with the same parameters."""

    tool_name: str


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Call again after a pause (milliseconds)."""

    delay_ms: int


@dataclass(frozen=True, slots=True)
class Escalate:
    """Give the failure to a person: the step fails with code ESCALATED and this message."""

    message: str


FailoverAction: TypeAlias = AlternativeParameters | AlternativeTool | RetryAfter | Escalate


@dataclass(frozen=True, slots=True)
class FailoverRule:
    """Applies when everything that it names agrees with the failure.

    Attributes:
        tool: pattern of tool names, `*` and `?` as in file names.
        reasons: empty means any.
        intent_types: empty means any; compared with the `type` of the execution's intent.
        message_contains: part of the error message, in any case.
        max_uses: how often it may be applied to one step.
    """

    action: FailoverAction
    tool: str = "*"
    reasons: frozenset[FailureReason] = frozenset()
    intent_types: frozenset[str] = frozenset()
    message_contains: str = ""
    max_uses: int = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed call."""

    tool_name: str
    message: str
    reason: FailureReason
    intent_type: str | None


@dataclass(frozen=True, slots=True)
class FailoverPolicy:
    """Rules in order of precedence. Without rules a failure stays a failure."""

    rules: Sequence[FailoverRule] = field(default=())

    def choose(self, failure: Failure, uses: Mapping[int, int]) -> int | None:
        """Return the position of the first rule that applies and is not used up, or None."""
        for index, rule in enumerate(self.rules):
            if uses.get(index, 0) < rule.max_uses and _applies(rule, failure):
                return index
        return None


def classify(message: str, *, raised: bool, aborted: bool) -> FailureReason:
    """Return the reason that an error message tells of."""
    if aborted:
        return FailureReason.ABORTED
    if raised:
        return FailureReason.RAISED
    status = http_status(message)
    if status is None:
        return FailureReason.OTHER
    named = {
        _TOO_MANY_REQUESTS: FailureReason.RATE_LIMITED,
        _NOT_FOUND: FailureReason.NOT_FOUND,
        _CONFLICT: FailureReason.CONFLICT,
        **dict.fromkeys(_UNAUTHORIZED, FailureReason.UNAUTHORIZED),
    }
    fallback = FailureReason.UNAVAILABLE if status >= _SERVER_ERROR else FailureReason.INVALID
    return named.get(status, fallback)


def _applies(rule: FailoverRule, failure: Failure) -> bool:
    return (
        fnmatch.fnmatchcase(failure.tool_name, rule.tool)
        and (not rule.reasons or failure.reason in rule.reasons)
        and (not rule.intent_types or failure.intent_type in rule.intent_types)
        and rule.message_contains.lower() in failure.message.lower()
    )
