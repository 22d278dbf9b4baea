"""The one question "would production accept this plan?", answered with the path to the fault.

The rules are those of the plan schema that production uses, without its bound of 100 steps, and
with one more: step ids are unique. A fault in a scenario's plan is a mistake of its author unless
the scenario is about plan validation (tag `schema`).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from conformance.errors import UsageError
from conformance.scenario import Execute, Run, Scenario, read_scenarios

SCHEMA_TAG = "schema"  # scenarios that are about refused plans carry it

_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z")

_Check = Callable[[Any], str | None]


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


_PLAN_REQUIRED: dict[str, _Check] = {"id": _identifier, "intent_id": _identifier}
_PLAN_OPTIONAL: dict[str, _Check] = {
    "constraints": _mapping,
    "metadata": _mapping,
    "summary": _text,
}
_STEP_REQUIRED: dict[str, _Check] = {
    "id": _identifier,
    "step_number": _count,
    "tool_name": _text,
    "parameters": _mapping,
}
_STEP_OPTIONAL: dict[str, _Check] = {
    "description": _text,
    "requires_confirmation": _boolean,
    "timeout_ms": _positive,
}


def _fields(
    record: Mapping[str, Any], required: Mapping[str, _Check], optional: Mapping[str, _Check]
) -> Iterator[tuple[str, str]]:
    for name, check in required.items():
        if name not in record:
            yield name, "is missing"
        elif fault := check(record[name]):
            yield name, fault
    for name, check in optional.items():
        if name in record and (fault := check(record[name])):
            yield name, fault


def _step_faults(step: Any, path: str) -> Iterator[str]:
    if not isinstance(step, Mapping):
        yield f"{path}: must be an object, is {step!r}"
        return
    for name, fault in _fields(step, _STEP_REQUIRED, _STEP_OPTIONAL):
        yield f"{path}.{name}: {fault}"
    dependencies = step.get("dependencies", [])
    if not isinstance(dependencies, list):
        yield f"{path}.dependencies: must be a list, is {dependencies!r}"
        return
    for position, dependency in enumerate(dependencies):
        if (wrong := _identifier(dependency)) is not None:
            yield f"{path}.dependencies[{position}]: {wrong}"


def _shape_faults(plan: Mapping[str, Any]) -> Iterator[str]:
    for name, fault in _fields(plan, _PLAN_REQUIRED, {}):
        yield f"{name}: {fault}"
    steps = plan.get("steps")
    if not isinstance(steps, list):
        yield "steps: must be a list"
        return
    for position, step in enumerate(steps):
        yield from _step_faults(step, f"steps[{position}]")
    for name, fault in _fields(plan, {}, _PLAN_OPTIONAL):
        yield f"{name}: {fault}"
    metadata = plan.get("metadata")
    if isinstance(metadata, Mapping):
        for name, fault in _fields(metadata, {}, {"created_at": _timestamp}):
            yield f"metadata.{name}: {fault}"


def _graph_faults(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
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
    if not isinstance(plan, Mapping):
        return f"(plan): must be an object, is {plan!r}"
    shape = next(_shape_faults(plan), None)
    return shape if shape is not None else next(_graph_faults(plan["steps"]), None)


def scenario_plan_fault(scenario: Scenario) -> str | None:
    """Return the first fault in any plan of `scenario`; None for one that is about validation."""
    if SCHEMA_TAG in scenario.tags:
        return None
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
