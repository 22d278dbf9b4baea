"""The smallest scenario that still shows a divergence: delta debugging over scenario documents.

Pure but for the question that is asked of the caller; bounded, deterministic, and every candidate
is shorter than what it came from, so that it always ends.
"""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from conformance.errors import UsageError
from conformance.plan_fault import scenario_plan_fault
from conformance.scenario import Scenario, parse_scenario

MAX_QUESTIONS = 160  # candidates that are run for one finding: some seconds in virtual time

Document: TypeAlias = dict[str, Any]
_DEFAULT_LATENCY_MS = 10
_PLAIN: Document = {
    "driver": [{"op": "run"}],
    "intent": None,
    "idempotency": False,
    "llm": [],
    "validator_errors": {},
    "faults": [],
    "tools": {},
    "trace_id": None,
}


def shrink(
    scenario: Scenario, shows: Callable[[Scenario], bool], *, questions: int = MAX_QUESTIONS
) -> Scenario:
    """Return the smallest scenario found for which `shows` still answers yes.

    Args:
        scenario: shows what is looked for; it is returned if nothing smaller does.
        shows: whether a candidate shows it, too; asked at most `questions` times.
        questions: the bound.
    """
    best = scenario
    is_sound = scenario_plan_fault(scenario) is None
    left = questions
    progress = True
    while progress and left > 0:
        progress = False
        for document in _candidates(best.document()):
            if len(_text(document)) >= len(_text(best.document())):
                continue
            candidate = _parse(document, is_sound=is_sound)
            if candidate is None:
                continue
            left -= 1
            if shows(candidate):
                best, progress = candidate, True
                break
            if left <= 0:
                break
    return best


def _text(document: Document) -> str:
    return json.dumps(document, sort_keys=True)


def _parse(document: Document, *, is_sound: bool) -> Scenario | None:
    """Return the candidate, unless it breaks a rule that the original kept."""
    try:
        candidate = parse_scenario(document, "candidate")
    except UsageError:
        return None
    return None if is_sound and scenario_plan_fault(candidate) is not None else candidate


def _candidates(document: Document) -> Iterator[Document]:
    """Yield smaller documents, those that drop most first."""
    yield from _fewer_steps(document)
    yield from _plainer(document)
    yield from _fewer_operations(document)
    yield from _simpler_steps(document)
    yield from _simpler_outcomes(document)


def _fewer_steps(document: Document) -> Iterator[Document]:
    count = len(document["plan"].get("steps", []))
    size = count // 2
    while size:
        for start in range(0, count, size):
            yield _without_steps(document, range(start, min(start + size, count)))
        size //= 2


def _without_steps(document: Document, dropped: range) -> Document:
    """Drop steps, what refers to them, and the outcomes of tools that nobody uses any more."""
    smaller = copy.deepcopy(document)
    steps = smaller["plan"]["steps"]
    gone = {steps[index]["id"] for index in dropped}
    kept = [step for index, step in enumerate(steps) if index not in dropped]
    order = sorted(range(len(kept)), key=lambda index: kept[index].get("step_number", index))
    for number, index in enumerate(order):
        step = kept[index]
        step["step_number"] = number
        if "dependencies" in step:
            step["dependencies"] = [d for d in step["dependencies"] if d not in gone]
        step["parameters"] = {
            name: value
            for name, value in step.get("parameters", {}).items()
            if not any(str(value).startswith(f"${step_id}.") for step_id in gone)
        }
    smaller["plan"]["steps"] = kept
    used = {step.get("tool_name") for step in kept}
    used |= {
        outcome["compensation"]["toolName"]
        for tool, outcomes in smaller.get("outcomes", {}).items()
        for outcome in outcomes
        if tool in used and outcome.get("compensation")
    }
    used |= {
        step.get("tool_name")
        for operation in smaller.get("driver", [])
        for step in (operation.get("plan") or {}).get("steps", [])
    }
    for table in ("outcomes", "validator_errors", "tools"):
        if table in smaller:
            smaller[table] = {tool: item for tool, item in smaller[table].items() if tool in used}
    return smaller


def _plainer(document: Document) -> Iterator[Document]:
    for name, plain in _PLAIN.items():
        if name in document and document[name] != plain:
            yield {**document, name: plain}
    for name in ("llm", "faults"):
        for index in range(len(document.get(name, []))):
            yield _without(document, name, index)


def _fewer_operations(document: Document) -> Iterator[Document]:
    driver = document.get("driver", [])
    for index, operation in enumerate(driver):
        if len(driver) > 1:
            yield _without(document, "driver", index)
        for option in sorted(set(operation) - {"op", "ms"}):
            yield _without(document, "driver", index, option)


def _simpler_steps(document: Document) -> Iterator[Document]:
    for index, step in enumerate(document["plan"].get("steps", [])):
        path = ("plan", "steps", index)
        for name in ("retry_policy", "tool_version", "estimated_tokens", "compensation"):
            if name in step:
                yield _without(document, *path, name)
        for name in step.get("parameters", {}):
            yield _without(document, *path, "parameters", name)
        for at in range(len(step.get("dependencies", []))):
            yield _without(document, *path, "dependencies", at)
        yield _with("-", document, *path, "description")


def _simpler_outcomes(document: Document) -> Iterator[Document]:
    for tool, outcomes in document.get("outcomes", {}).items():
        yield _without(document, "outcomes", tool)
        for index, outcome in enumerate(outcomes):
            path = ("outcomes", tool, index)
            if len(outcomes) > 1:
                yield _without(document, *path)
            for name in ("compensation", "ignore_abort"):
                if name in outcome:
                    yield _without(document, *path, name)
            if outcome.get("output"):
                yield _with({}, document, *path, "output")
            if outcome.get("latency_ms", 0) > _DEFAULT_LATENCY_MS:
                yield _with(_DEFAULT_LATENCY_MS, document, *path, "latency_ms")


def _place(document: Document, path: tuple[str | int, ...]) -> tuple[Document, Any]:
    """Return a copy of `document`, and in it the record that holds the last part of `path`."""
    copied = copy.deepcopy(document)
    holder: Any = copied
    for part in path[:-1]:
        holder = holder[part]
    return copied, holder


def _without(document: Document, *path: str | int) -> Document:
    copied, holder = _place(document, path)
    del holder[path[-1]]
    return copied


def _with(value: Any, document: Document, *path: str | int) -> Document:
    copied, holder = _place(document, path)
    holder[path[-1]] = value
    return copied
