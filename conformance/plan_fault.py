"""The one question "would production accept this plan?", answered with the path to the fault.

The rules are those of the plan schema that production uses, without its bound of 100 steps, and
with one more: step ids are unique. A fault in a scenario's plan is a mistake of its author unless
the scenario is about plan validation (tag `schema`).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from conformance.errors import UsageError
from conformance.scenario import Execute, Run, Scenario, read_scenarios

SCHEMA_TAG = "schema"  # scenarios that are about refused plans carry it

_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z")

MAX_DECLARED_STEPS = 100  # what `constraints.max_steps` may say at most

_Check: TypeAlias = Callable[[Any], str | None]


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _identifier(value: Any) -> str | None:
    if isinstance(value, str) and _ID.fullmatch(value):
        return None
    return f"must be an id of 8-4-4-4-12 hexadecimal digits, is {value!r}"


def _timestamp(value: Any) -> str | None:
    if isinstance(value, str) and _TIMESTAMP.fullmatch(value):
        return None
    return f"must be an ISO 8601 time ending in Z, is {value!r}"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else f"must be a string, is {value!r}"


def _mapping(value: Any) -> str | None:
    return None if isinstance(value, Mapping) else f"must be an object, is {value!r}"


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"must be true or false, is {value!r}"


def _count(value: Any) -> str | None:
    return None if _is_int(value) and value >= 0 else f"must be an integer >= 0, is {value!r}"


def _positive(value: Any) -> str | None:
    return None if _is_int(value) and value > 0 else f"must be an integer > 0, is {value!r}"


def _limit(value: Any) -> str | None:
    if _is_int(value) and 0 < value <= MAX_DECLARED_STEPS:
        return None
    return f"must be an integer from 1 to {MAX_DECLARED_STEPS}, is {value!r}"


def _texts(value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return None
    return f"must be a list of strings, is {value!r}"


def _list(value: Any) -> str | None:
    return None if isinstance(value, list) else f"must be a list, is {value!r}"


# What the plan schema of production demands of each record, and what it allows to be absent.
_PLAN: dict[str, _Check] = {
    "id": _identifier,
    "intent_id": _identifier,
    "steps": _list,
    "constraints": _mapping,
    "metadata": _mapping,
    "summary": _text,
}
_STEP: dict[str, _Check] = {
    "id": _identifier,
    "step_number": _count,
    "tool_name": _text,
    "parameters": _mapping,
    "description": _text,
}
_STEP_OPTIONAL: dict[str, _Check] = {
    "dependencies": _list,
    "tool_version": _text,
    "requires_confirmation": _boolean,
    "timeout_ms": _positive,
    "estimated_tokens": _count,
    "retry_policy": _mapping,
}
_RETRY_OPTIONAL: dict[str, _Check] = {"max_attempts": _positive, "backoff_ms": _count}
_CONSTRAINTS: dict[str, _Check] = {
    "max_steps": _limit,
    "max_total_tokens": _positive,
    "max_execution_time_ms": _positive,
}
_CONSTRAINTS_OPTIONAL: dict[str, _Check] = {
    "allowed_tools": _texts,
    "require_confirmation_for": _texts,
}
_METADATA: dict[str, _Check] = {
    "version": _text,
    "created_at": _timestamp,
    "planning_model_id": _text,
    "estimated_total_tokens": _count,
    "estimated_latency_ms": _count,
}


def _fields(
    record: Any,
    path: str,
    required: Mapping[str, _Check],
    optional: Mapping[str, _Check] = MappingProxyType({}),
) -> Iterator[str]:
    if not isinstance(record, Mapping):
        yield f"{path or '(plan)'}: must be an object, is {record!r}"
        return
    prefix = f"{path}." if path else ""
    for name, check in required.items():
        if name not in record:
            yield f"{prefix}{name}: is missing"
        elif fault := check(record[name]):
            yield f"{prefix}{name}: {fault}"
    for name, check in optional.items():
        if name in record and (fault := check(record[name])):
            yield f"{prefix}{name}: {fault}"


def _shape_faults(plan: Any) -> Iterator[str]:
    """Yield the faults of the plan's own fields, then those inside its records."""
    yield from _fields(plan, "", _PLAN)
    for position, step in enumerate(plan["steps"]):
        path = f"steps[{position}]"
        yield from _fields(step, path, _STEP, _STEP_OPTIONAL)
        for index, dependency in enumerate(step.get("dependencies", [])):
            if fault := _identifier(dependency):
                yield f"{path}.dependencies[{index}]: {fault}"
        yield from _fields(
            step.get("retry_policy", {}), f"{path}.retry_policy", {}, _RETRY_OPTIONAL
        )
    yield from _fields(plan["constraints"], "constraints", _CONSTRAINTS, _CONSTRAINTS_OPTIONAL)
    yield from _fields(plan["metadata"], "metadata", _METADATA)


def _graph_faults(plan: Mapping[str, Any]) -> Iterator[str]:
    steps = plan["steps"]
    numbers: dict[str, int] = {}
    for position, step in enumerate(steps):
        if step["id"] in numbers:
            yield f"steps[{position}].id: {step['id']} is used by an earlier step"
        numbers.setdefault(step["id"], step["step_number"])
    for position, step in enumerate(steps):
        for index, dependency in enumerate(step.get("dependencies", [])):
            path = f"steps[{position}].dependencies[{index}]"
            if dependency not in numbers:
                yield f"{path}: there is no step {dependency}"
            elif dependency == step["id"]:
                yield f"{path}: the step depends on itself"
            elif numbers[dependency] >= step["step_number"]:
                yield (
                    f"{path}: step number {step['step_number']} depends on step number "
                    f"{numbers[dependency]}, which is not lower (a cycle, or a wrong order)"
                )
    found = sorted(step["step_number"] for step in steps)
    if found != list(range(len(steps))):
        yield f"steps: the step numbers are {found}, not 0..{len(steps) - 1}"


def plan_fault(plan: Any) -> str | None:
    """Return `path: what is wrong` for the first fault of `plan`, or None when it is sound.

    Lower step numbers for dependencies make the graph acyclic, so no separate search is needed.
    """
    return next(chain(_shape_faults(plan), _graph_faults(plan)), None)


def graph_fault(plan: Mapping[str, Any]) -> str | None:
    """Return the first fault of the steps and their graph alone: what no executor can carry out.

    Ids of any form, any number of steps, and plans without the planner's own fields are sound.
    """
    faults = (
        fault
        for position, step in enumerate(plan["steps"])
        for fault in _fields(step, f"steps[{position}]", {"tool_name": _text}, _STEP_OPTIONAL)
    )
    return next(chain(faults, _graph_faults(plan)), None)


def scenario_plan_fault(scenario: Scenario) -> str | None:
    """Return the first fault in any plan of `scenario`; None for one that is about validation."""
    if SCHEMA_TAG in scenario.tags:
        return None
    if fault := _identifier(scenario.execution_id):
        return f"execution_id: {fault}"
    plans = {"plan": scenario.plan} | {
        f"driver[{position}].plan": operation.plan
        for position, operation in enumerate(scenario.driver)
        if isinstance(operation, Execute | Run) and operation.plan is not None
    }
    faults = ((path, plan_fault(plan)) for path, plan in plans.items())
    return next((f"{path}.{fault}" for path, fault in faults if fault is not None), None)


def read_sound_corpus(paths: Sequence[Path]) -> list[Scenario]:
    """Read all scenarios below `paths` and check their plans.

    Raises:
        UsageError: what `read_scenarios` raises; two scenarios of one name; or a plan that
            production would refuse, with the file and the path inside the plan.
    """
    seen: dict[str, Scenario] = {}
    for file in chain.from_iterable(_files(path) for path in paths):
        for scenario in read_scenarios(file):
            place = f"{file}: scenario {scenario.name!r}"
            if fault := scenario_plan_fault(scenario):
                advice = f"tag the scenario {SCHEMA_TAG!r} if this is its subject"
                raise UsageError(fault, place=place, advice=advice)
            if scenario.name in seen:
                raise UsageError(f"two scenarios are named {scenario.name!r}", place=str(file))
            seen[scenario.name] = scenario
    return list(seen.values())


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.suffix in {".json", ".jsonl"})
    if not files:
        raise UsageError("the folder holds no .json or .jsonl file", place=str(path))
    return files
