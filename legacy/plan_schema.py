"""The schema of plans and intents: shape, defaults, and the rule on the dependency graph.

A parsed plan is a copy: unknown keys are dropped at every level and defaults are filled in. The
segment executor keeps the parsed copy in its state and goes on working with the plan as given.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from legacy.failures import SchemaViolation
from legacy.json_values import is_integer

MAX_STEPS: Final = 100
DEFAULT_STEP_TIMEOUT_MS: Final = 30_000
GRAPH_MESSAGE: Final = (
    "Plan must be a valid DAG: no circular dependencies, all dependencies must reference "
    "existing steps with lower step numbers"
)

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_DATE: Final = (
    r"(?:(?:[0-9]{2}[2468][048]|[0-9]{2}[13579][26]|[0-9]{2}0[48]|[02468][048]00|[13579][26]00)-02-29"
    r"|[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])))"
)
_TIMESTAMP: Final = re.compile(
    _DATE + r"T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?Z"
)

Parser: TypeAlias = Callable[[Any, str], Any]
_REQUIRED: Final = object()
_OPTIONAL: Final = object()


@dataclass(frozen=True, slots=True)
class Field:
    """One key of an object: how its value is read and what stands in for an absent one."""

    parse: Parser
    absent: Any = _REQUIRED


def text(value: Any, path: str) -> str:
    """Read a string."""
    if not isinstance(value, str):
        raise SchemaViolation(path, "expected string")
    return value


def uuid(value: Any, path: str) -> str:
    """Read an id: 8-4-4-4-12 hex digits of any version."""
    if not _UUID.fullmatch(text(value, path)):
        raise SchemaViolation(path, "Invalid uuid")
    return str(value)


def timestamp(value: Any, path: str) -> str:
    """Read an ISO 8601 time that ends in `Z`; offsets are refused."""
    if not _TIMESTAMP.fullmatch(text(value, path)):
        raise SchemaViolation(path, "Invalid datetime")
    return str(value)


def boolean(value: Any, path: str) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise SchemaViolation(path, "expected boolean")
    return value


def anything(value: Any, _path: str) -> Any:
    """Read any value."""
    return value


def record(value: Any, path: str) -> dict[str, Any]:
    """Read an object with any keys and values."""
    if not isinstance(value, Mapping):
        raise SchemaViolation(path, "expected object")
    return dict(value)


def integer(lowest: int, highest: int | None = None) -> Parser:
    """Return a reader of whole numbers from `lowest` to `highest`, both included."""

    def parse(value: Any, path: str) -> int:
        if not is_integer(value):
            raise SchemaViolation(path, "expected integer")
        if value < lowest or (highest is not None and value > highest):
            raise SchemaViolation(path, "out of range")
        return int(value)

    return parse


def one_of(*choices: str) -> Parser:
    """Return a reader of one of `choices`."""

    def parse(value: Any, path: str) -> str:
        if not isinstance(value, str) or value not in choices:
            raise SchemaViolation(path, "Invalid enum value")
        return value

    return parse


def listing(item: Parser, longest: int | None = None) -> Parser:
    """Return a reader of lists of `item`."""

    def parse(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise SchemaViolation(path, "expected array")
        parsed = [item(entry, f"{path}.{index}") for index, entry in enumerate(value)]
        if longest is not None and len(parsed) > longest:
            raise SchemaViolation(path, f"at most {longest} elements", "too_big")
        return parsed

    return parse


def shape(fields: Mapping[str, Field]) -> Parser:
    """Return a reader of objects with exactly these `fields`; other keys are dropped."""

    def parse(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise SchemaViolation(path, "expected object")
        parsed: dict[str, Any] = {}
        for key, field in fields.items():
            where = f"{path}.{key}"
            if key in value:
                parsed[key] = field.parse(value[key], where)
            elif field.absent is _REQUIRED:
                raise SchemaViolation(where, "Required")
            elif field.absent is not _OPTIONAL:
                # A fresh copy, so that no two plans share a default list.
                parsed[key] = field.parse(field.absent, where)
        return parsed

    return parse


def _confidence(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise SchemaViolation(path, "expected number from 0 to 1")
    return value


_STEP: Final = shape(
    {
        "id": Field(uuid),
        "step_number": Field(integer(0)),
        "tool_name": Field(text),
        "tool_version": Field(text, _OPTIONAL),
        "parameters": Field(record),
        "dependencies": Field(listing(uuid), []),
        "description": Field(text),
        "requires_confirmation": Field(boolean, absent=False),
        "timeout_ms": Field(integer(1), DEFAULT_STEP_TIMEOUT_MS),
        "estimated_tokens": Field(integer(0), _OPTIONAL),
        "retry_policy": Field(
            shape(
                {"max_attempts": Field(integer(1), 1), "backoff_ms": Field(integer(0), 1000)},
            ),
            _OPTIONAL,
        ),
    }
)
_PLAN: Final = shape(
    {
        "id": Field(uuid),
        "intent_id": Field(uuid),
        "steps": Field(listing(_STEP, MAX_STEPS)),
        "constraints": Field(
            shape(
                {
                    "max_steps": Field(integer(1, MAX_STEPS)),
                    "max_total_tokens": Field(integer(1)),
                    "max_execution_time_ms": Field(integer(1)),
                    "allowed_tools": Field(listing(text), _OPTIONAL),
                    "require_confirmation_for": Field(listing(text), _OPTIONAL),
                }
            )
        ),
        "metadata": Field(
            shape(
                {
                    "version": Field(text),
                    "created_at": Field(timestamp),
                    "planning_model_id": Field(text),
                    "estimated_total_tokens": Field(integer(0)),
                    "estimated_latency_ms": Field(integer(0)),
                }
            )
        ),
        "summary": Field(text),
    }
)
_INTENT: Final = shape(
    {
        "id": Field(uuid),
        "parent_intent_id": Field(uuid, _OPTIONAL),
        "type": Field(
            one_of(
                "SCHEDULE",
                "SEARCH",
                "ACTION",
                "QUERY",
                "PLANNING",
                "ANALYSIS",
                "UNKNOWN",
                "CLARIFICATION_REQUIRED",
                "SERVICE_DEGRADED",
            )
        ),
        "confidence": Field(_confidence),
        "parameters": Field(record),
        "rawText": Field(text),
        "explanation": Field(text, _OPTIONAL),
        "hash": Field(text, _OPTIONAL),
        "metadata": Field(
            shape(
                {
                    "version": Field(text),
                    "timestamp": Field(timestamp),
                    "source": Field(text, "user_input"),
                    "model_id": Field(text, _OPTIONAL),
                    "execution_id": Field(uuid, _OPTIONAL),
                }
            )
        ),
        "requires_clarification": Field(boolean, absent=False),
        "clarification_prompt": Field(text, _OPTIONAL),
    }
)


def parse_plan(value: Any) -> dict[str, Any]:
    """Return the parsed copy of a plan.

    Raises:
        SchemaViolation: wrong shape or, if the shape is right, a graph that breaks the rule.
    """
    plan: dict[str, Any] = _PLAN(value, "plan")
    if not _is_layered_graph(plan["steps"]):
        raise SchemaViolation("plan", GRAPH_MESSAGE, "custom")
    return plan


def parse_intent(value: Any) -> dict[str, Any]:
    """Return the parsed copy of an intent.

    Raises:
        SchemaViolation: wrong shape.
    """
    intent: dict[str, Any] = _INTENT(value, "intent")
    return intent


def _is_layered_graph(steps: list[dict[str, Any]]) -> bool:
    """Whether each dependency exists and has a lower number, and the numbers are 0..n-1.

    Dependencies with lower numbers cannot form a cycle, so no search for cycles is needed.
    Quirk 54: ids need not be unique. Of steps with one id only the first is looked up, so the
    dependencies of a later twin may name steps that do not exist.
    """
    first: dict[str, dict[str, Any]] = {}
    for step in steps:
        first.setdefault(step["id"], step)
    for step in steps:
        for dependency in step["dependencies"]:
            target = first.get(dependency)
            if target is None:
                if first[step["id"]] is step:
                    return False
            elif target["step_number"] >= step["step_number"]:
                return False
    return sorted(step["step_number"] for step in steps) == list(range(len(steps)))
