"""The rules on values that the reference model applies: references, checks, codes, outcomes.

Every function is pure and says the rule once, as plainly as it can be said. Nothing here is shared
with an executor: two readings of one rule are the point of a third oracle.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.plan_fault import graph_fault
from conformance.scenario import Outcome, Scenario

FORBIDDEN_TOOL = "export_data"  # may not depend on any step: data would leave after a read
FIRST_HTTP_CODE, FIRST_SERVER_CODE, LAST_HTTP_CODE = 400, 500, 599

# A booking needs each of these, under any of its names.
_BOOKING = {
    "restaurantId": ("restaurantId", "restaurant_id", "restaurant_name"),
    "partySize": ("partySize", "party_size"),
    "startTime": ("startTime", "start_time", "time"),
}
# The first occurrence of each, in this order; the first number in 400..599 counts.
LEGACY_HTTP_CODES = (
    r"([0-9]{3})\s+(?:Bad|Unauthorized|Forbidden|Not|Error|Server)",
    r"status\s*(?:code)?\s*:?\s*([0-9]{3})",
    r"HTTP\s*([0-9]{3})",
    r"error\s*([0-9]{3})",
)
_HTTP_CODES = (
    *LEGACY_HTTP_CODES,  # and the spellings that those miss
    r"\bHTTP/[0-9.]+\s+([0-9]{3})\b",
    r"\berror(?:\s+code)?\s*[:=]?\s*([0-9]{3})\b",
    r"\bHTTP[\s_-]+([0-9]{3})\b",
    r"^\s*([0-9]{3})\s+(?:Internal|Service|Gateway|Too Many|Request|Conflict|Gone|Payment)",
)


@dataclass(frozen=True)
class StepPrediction:
    """How one step ends; `attempts` counts the calls of its retry policy, not the recovery's."""

    status: str = "pending"
    output: Any = None
    code: str | None = None
    message: str | None = None
    attempts: int = 0
    compensation: tuple[str, Mapping[str, Any]] | None = None


def ended(outcome: Outcome, attempts: int) -> StepPrediction:
    """Return how a step ends whose last call had `outcome`."""
    if outcome.success:
        undo = outcome.compensation
        compensation = (undo.toolName, undo.parameters or {}) if undo else None
        return StepPrediction("completed", outcome.output, None, None, attempts, compensation)
    if outcome.raises is not None:
        return StepPrediction("failed", None, "STEP_EXECUTION_FAILED", outcome.raises, attempts)
    message = outcome.error or "Unknown tool execution error"
    is_parameters = "invalid parameters" in message.lower()
    code = "TOOL_VALIDATION_FAILED" if is_parameters else "TOOL_EXECUTION_FAILED"
    return StepPrediction("failed", None, code, message, attempts)


def rejected(message: str, attempts: int) -> StepPrediction:
    """Return how a step ends whose parameters may not be sent."""
    return StepPrediction("failed", None, "VALIDATION_FAILED", message, attempts)


def backoff_ms(policy: Mapping[str, Any], attempts: int) -> int:
    """Return the pause after `attempts` calls: doubled each time."""
    pause_ms: int = policy.get("backoff_ms", 0)
    return pause_ms << (attempts - 1)


def ancestors(plan: Mapping[str, Any], step: str) -> set[str]:
    """Return all steps that `step` depends on, directly or through others."""
    dependencies = {item["id"]: item.get("dependencies", []) for item in plan["steps"]}
    found: set[str] = set()
    left = list(dependencies[step])
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            left += dependencies[name]
    return found


def is_refused(plan: Mapping[str, Any]) -> bool:
    """Whether the plan is malformed or breaks the default safety policy."""
    if graph_fault(plan) is not None:
        return True
    allowed = plan.get("constraints", {}).get("allowed_tools")
    return any(
        (step["tool_name"] == FORBIDDEN_TOOL and step.get("dependencies"))
        or (allowed is not None and step["tool_name"] not in allowed)
        for step in plan["steps"]
    )


def essence(plan: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return what makes two plans of one execution the same plan."""
    return [
        (step["id"], step["tool_name"], step["parameters"], step.get("dependencies") or [])
        for step in plan["steps"]
    ]


def needs_confirmation(plan: Mapping[str, Any], step: Mapping[str, Any]) -> bool:
    """Whether a person must agree before `step` runs."""
    tools = plan.get("constraints", {}).get("require_confirmation_for") or []
    return bool(step.get("requires_confirmation")) or step["tool_name"] in tools


def http_code(error: str, patterns: Sequence[str] = _HTTP_CODES) -> int | None:
    """Return the HTTP code (400..599) that an error message speaks of, or None."""
    found = (re.search(pattern, error, re.IGNORECASE) for pattern in patterns)
    codes = (int(match[1]) for match in found if match)
    return next((code for code in codes if FIRST_HTTP_CODE <= code <= LAST_HTTP_CODE), None)


def is_recoverable(outcome: Outcome) -> bool:
    """Whether a failed call is one to ask the model about: returned, with a server's code."""
    if outcome.success or outcome.raises is not None:
        return False
    return (http_code(outcome.error or "") or 0) >= FIRST_SERVER_CODE


def advised(answer: str | None, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the parameters of the retry that the model's answer asks for; None for no retry."""
    try:
        advice = json.loads(answer or "")
    except ValueError:
        return None
    action = advice.get("action") if isinstance(advice, dict) else None
    if action == "retry_same":
        return parameters
    modified = advice.get("modifiedParams") if action == "retry_modified" else None
    return modified if isinstance(modified, dict) else None


def is_booking(tool: str) -> bool:
    """Whether `book` or `reserve` is a whole word of a tool's name, camel case included."""
    words = re.split(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])", tool)
    return not {"book", "reserve"}.isdisjoint(word.lower() for word in words)


def invalid(scenario: Scenario, tool: str, parameters: Mapping[str, Any]) -> str | None:
    """Return why `parameters` may not be handed to `tool`, or None."""
    if errors := scenario.validator_errors.get(tool):
        listed = "; ".join(f"{error.path}: {error.message}" for error in errors)
        return f"Parameter validation failed: {listed}"
    if not is_booking(tool):
        return None
    missing = [
        field
        for field, names in _BOOKING.items()
        if all(parameters.get(n) in (None, "") or parameters[n] is False for n in names)
    ]
    return f"Missing required booking fields: {', '.join(missing)}" if missing else None


def reference(value: Any, steps: Mapping[str, StepPrediction]) -> Any:
    """Return what a top-level parameter value stands for; itself if it cannot be resolved."""
    if not (isinstance(value, str) and value.startswith("$") and "." in value):
        return value
    step, *path = value[1:].split(".")
    current = steps[step].output if step in steps else None
    if current is False or current in (None, 0, ""):
        return value
    for part in path:
        if isinstance(current, dict) and part in current:
            current = current[part]
        elif isinstance(current, list) and part == "length":
            current = len(current)
        elif isinstance(current, list) and _is_index(part, current):
            current = current[int(part)]
        else:
            return value
    return value if current is None else current


def _is_index(part: str, items: list[Any]) -> bool:
    return re.fullmatch("0|[1-9][0-9]*", part) is not None and int(part) < len(items)
