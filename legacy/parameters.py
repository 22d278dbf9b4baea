"""Parameters of a call: references to outputs, aliases, and what makes them invalid."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from legacy.execution_state import ExecutionState
from legacy.failures import MalformedPlanError
from legacy.json_values import is_truthy
from legacy.ports import ParameterError

BOOKING_FIELDS: Final = ("restaurantId", "partySize", "startTime")
BOOKING_WORDS: Final = ("book", "reserve")

# Quirk 28: members that every object (or list) inherits resolve too, to functions, which vanish
# from the parameters.
_INHERITED: Final = frozenset(
    {
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "toString",
        "valueOf",
        "__defineGetter__",
        "__defineSetter__",
        "__lookupGetter__",
        "__lookupSetter__",
    }
)
_LIST_INHERITED: Final = _INHERITED | frozenset(
    {
        *("at", "concat", "copyWithin", "entries", "every", "fill", "filter", "find", "findIndex"),
        *("findLast", "findLastIndex", "flat", "flatMap", "forEach", "includes", "indexOf"),
        *("join", "keys", "lastIndexOf", "map", "pop", "push", "reduce", "reduceRight", "reverse"),
        *("shift", "slice", "some", "sort", "splice", "toReversed", "toSorted", "toSpliced"),
        *("unshift", "values", "with"),
    }
)
_UNRESOLVED: Final = object()
_FUNCTION: Final = object()


def resolve_step_parameters(parameters: Any, state: ExecutionState) -> dict[str, Any]:
    """Return `parameters` with references replaced by outputs of other steps.

    A reference is a top-level string `$<step id>.<path>`. Quirk 29: it needs no dependency on the
    step it names. Quirk 27: nested values are not looked at. Quirk 25: what cannot be resolved
    stays as it is, a literal string.

    Raises:
        MalformedPlanError: the step has no parameters.
    """
    if parameters is None:
        raise MalformedPlanError("Cannot convert undefined or null to object")
    resolved: dict[str, Any] = {}
    for name, value in parameters.items():
        found = _resolve(value, state)
        if found is not _FUNCTION:
            resolved[name] = value if found is _UNRESOLVED else found
    return resolved


def _resolve(value: Any, state: ExecutionState) -> Any:
    if not isinstance(value, str) or not value.startswith("$") or "." not in value:
        return _UNRESOLVED
    step_id, *path = value[1:].split(".")
    step = state.step(step_id)
    # Quirk 26: an output of null, false, 0 or "" counts as no output; a field of such a value,
    # null excepted, is taken.
    if step is None or not is_truthy(step.output):
        return _UNRESOLVED
    current = step.output
    for part in path:
        current = _member(current, part)
        if current is _UNRESOLVED:
            return _UNRESOLVED
    return _UNRESOLVED if current is None else current


def _member(value: Any, name: str) -> Any:
    """Return a member of an object or list; nothing else has members."""
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        if name == "__proto__":
            return {}
        return _FUNCTION if name in _INHERITED else _UNRESOLVED
    if isinstance(value, list):
        if name == "length":
            return len(value)
        if name.isascii() and name.isdigit() and str(int(name)) == name and int(name) < len(value):
            return value[int(name)]
        if name == "__proto__":
            return []
        return _FUNCTION if name in _LIST_INHERITED else _UNRESOLVED
    return _UNRESOLVED


def apply_aliases(parameters: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    """Return `parameters` in which each present alias has given its value to an absent primary.

    The alias stays, null counts as present, and chains work in definition order only.
    """
    aliased = dict(parameters)
    for alias, primary in aliases.items():
        if alias in aliased and primary not in aliased:
            aliased[primary] = aliased[alias]
    return aliased


def validation_message(errors: Sequence[ParameterError]) -> str:
    """Return the message of a step whose parameters the validator refuses."""
    listed = "; ".join(f"{error.path}: {error.message}" for error in errors)
    return f"Parameter validation failed: {listed}"


def booking_message(tool_name: str, parameters: Mapping[str, Any]) -> str | None:
    """Return the message of a booking that lacks fields, or None.

    Quirk 24: any name that contains "book" or "reserve" counts as a booking (`facebook_post`,
    `unreserved_seat`), `create_reservation` does not, and a party of 0 counts as missing.
    """
    if not any(word in tool_name.lower() for word in BOOKING_WORDS):
        return None
    missing = [name for name in BOOKING_FIELDS if not is_truthy(parameters.get(name))]
    return f"Missing required booking fields: {', '.join(missing)}" if missing else None
