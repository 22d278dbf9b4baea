"""The steps of a generated scenario: graph, tools, outcomes and parameters, one draw each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from conformance.choices import Choices, chance, pick, weighted
from conformance.scenario_builder import (
    DEFAULT_TIMEOUT_MS,
    Document,
    fails,
    raises,
    reference,
    step_id,
    succeeds,
)

# The instants at which something changes: both budgets (6000, 7000) and the abort (8500).
EDGE_LATENCIES_MS = (10, 5999, 6000, 6001, 6999, 7000, 7001, 8499, 8500, 8501, 3000, 3500, 3499)
ERRORS = (
    "no",
    "503 Server busy",
    "404 Not Found",
    "HTTP 502",
    "500 Internal Server Error",
    "order 98502 not found",
    "status code: 504",
    "status 5000",
    "Invalid parameters: x",
    "",
)
NAMES_WITH_A_MEANING = (
    "create_reservation",
    "book_table",
    "reserve_restaurant",
    "facebook_post",
    "unreserved_seat",
    "export_data",
)
_BOOKING = {"restaurantId": "r1", "partySize": 2, "startTime": "2026-01-02T19:00:00Z"}

Shape: TypeAlias = Literal["independent", "chain", "layered", "dag"]
LatencyClass: TypeAlias = Literal["fast", "mid", "long", "edge"]

_REFERENCES: Mapping[str, int] = {
    "constant": 25,
    "good": 35,
    "dollar": 5,
    "missing": 6,
    "null": 4,
    "falsy": 4,
    "item": 5,
    "length": 3,
    "object": 4,
    "nested": 3,
    "self": 2,
    "later": 2,
    "unknown": 2,
}


@dataclass
class Draft:
    """A scenario while it is being drawn."""

    choices: Choices
    traits: frozenset[str]
    latency: LatencyClass
    steps: list[Document] = field(default_factory=list)
    outcomes: dict[str, list[Document]] = field(default_factory=dict)
    tools: dict[str, Document] = field(default_factory=dict)
    rejected: dict[str, list[Document]] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    work_ms: int = 0


def draw_dependencies(choices: Choices, shape: Shape, layers: list[range]) -> list[int]:
    """Return the lower numbers that the next step depends on; `layers` grows by the step."""
    number = layers[-1].stop if layers else 0
    if shape == "layered" and layers and not chance(choices, 45):
        layers[-1] = range(layers[-1].start, number + 1)
    else:
        layers.append(range(number, number + 1))
    if shape == "chain":
        return [number - 1] if number else []
    if shape == "dag":
        return _some(choices, range(number), 0)
    if shape == "layered" and len(layers) > 1:
        return _some(choices, layers[-2], 1)
    return []


def _some(choices: Choices, numbers: range, least: int) -> list[int]:
    """Return `least` to three of `numbers`, in order, without repetition."""
    count = choices.integer(min(least, len(numbers)), min(3, len(numbers)))
    return sorted({numbers[-1 - choices.integer(0, len(numbers) - 1)] for _ in range(count)})


def _latency_ms(draft: Draft) -> int:
    choices = draft.choices
    if draft.latency == "fast":
        return choices.integer(1, 200)
    if draft.latency == "mid":
        return choices.integer(200, 3000)
    if draft.latency == "long":
        return choices.integer(3000, 12_000)
    return pick(choices, EDGE_LATENCIES_MS)


def _output(choices: Choices, number: int) -> Any:
    """Return what a tool puts out; `...` stands for no output at all."""
    kind = weighted(choices, {"value": 30, "rich": 55, "empty": 7, "falsy": 6, "absent": 2})
    if kind == "value":
        return {"v": number}
    if kind == "rich":
        deep = {"v": number}
        items = [number, deep]
        return {"v": number, "zero": 0, "none": None, "text": "t", "items": items, "deep": deep}
    if kind == "falsy":
        return pick(choices, (0, "", False, None, []))
    return {} if kind == "empty" else ...


def _success(draft: Draft, number: int) -> Document:
    choices = draft.choices
    output = _output(choices, number)
    outcome = succeeds(latency_ms=_latency_ms(draft), has_output=output is not ...)
    if output is not ...:
        outcome["output"] = output
    if "compensation" in draft.traits and chance(choices, 60):
        draft.tags.add("compensation")
        undo = f"undo_{number}"
        outcome["compensation"] = {"toolName": undo, "parameters": {"id": number}}
        if chance(choices, 12):
            draft.tags.add("undo-fails")
            draft.outcomes[undo] = [fails("cannot undo")]
    if "deaf" in draft.traits and chance(choices, 40):
        draft.tags.add("deaf")
        outcome["ignore_abort"] = True
    return outcome


def _outcomes(draft: Draft, number: int) -> list[Document]:
    choices = draft.choices
    if "failures" not in draft.traits or not chance(choices, 25):
        return [_success(draft, number)]
    if chance(choices, 20):
        draft.tags.add("raise")
        first = raises(pick(choices, ("boom", "500 Server Error")), latency_ms=_latency_ms(draft))
    else:
        draft.tags.add("failure")
        first = fails(pick(choices, ERRORS), latency_ms=_latency_ms(draft))
    return [first, _success(draft, number)] if chance(choices, 60) else [first]


def _parameter(draft: Draft, number: int, dependencies: list[int]) -> Any:
    """Return the value of one parameter of step `number`."""
    choices = draft.choices
    kind = weighted(choices, _REFERENCES) if "references" in draft.traits else "constant"
    if kind == "constant":
        return choices.integer(0, 9)
    draft.tags.add(f"reference-{kind}" if kind != "good" else "reference")
    if kind == "dollar":
        return pick(choices, ("$5.00", "$", "$.", "cost $1.v"))
    if kind in {"self", "unknown"}:
        return reference(f"s{number}" if kind == "self" else "ghost", "v")
    if kind == "later":
        return reference(f"s{number + choices.integer(1, 3)}", "v")
    if not number:
        return reference("s0", "v")
    known = dependencies if dependencies and chance(choices, 75) else range(number)
    source = f"s{pick(choices, known)}"
    if kind == "nested":
        return {"inside": reference(source, "v"), "list": [reference(source, "v")]}
    paths = {
        "good": "v",
        "missing": "w.v",
        "null": "none",
        "falsy": "zero",
        "item": "items.1.v",
        "length": "items.length",
        "object": "deep",
    }
    return reference(source, paths[kind])


def _tool_name(draft: Draft, number: int) -> str:
    if "names" in draft.traits and chance(draft.choices, 40):
        name = pick(draft.choices, NAMES_WITH_A_MEANING)
        draft.tags.add("export" if name == "export_data" else "booking-like")
        return name
    if "shared-tool" in draft.traits and chance(draft.choices, 60):
        draft.tags.add("shared-tool")
        return "shared"
    return f"t{number}"


def add_step(draft: Draft, number: int, dependencies: list[int]) -> None:
    """Draw step `number`, which depends on the numbers `dependencies`, into `draft`."""
    choices = draft.choices
    tool = _tool_name(draft, number)
    outcomes = _outcomes(draft, number)
    draft.work_ms += outcomes[0]["latency_ms"]
    draft.outcomes.setdefault(tool, []).extend(outcomes)
    parameters = {
        f"p{index}": _parameter(draft, number, dependencies)
        for index in range(choices.integer(0, 2))
    }
    if tool in NAMES_WITH_A_MEANING and chance(choices, 70):
        parameters |= _BOOKING
    if "alias" in draft.traits and chance(choices, 40):
        draft.tags.add("alias")
        draft.tools[tool] = {"aliases": {"other": "p0", "p0": "last"}}
        parameters["other"] = choices.integer(0, 9)
    if "validator" in draft.traits and chance(choices, 25):
        draft.tags.add("validator")
        draft.rejected[tool] = [{"path": "x", "message": "Required"}]
    step: Document = {
        "id": step_id(f"s{number}"),
        "step_number": number,
        "tool_name": tool,
        "parameters": parameters,
        "dependencies": [step_id(f"s{other}") for other in dependencies],
        "description": f"Run {tool}",
        "requires_confirmation": False,
        "timeout_ms": DEFAULT_TIMEOUT_MS,
    }
    if "confirmation" in draft.traits and chance(choices, 30):
        draft.tags.add("confirmation")
        step["requires_confirmation"] = True
    if "retry" in draft.traits and chance(choices, 50):
        draft.tags.add("retry")
        backoff_ms = pick(choices, (100, 50, 1000, 6000, 30_000))
        step["retry_policy"] = {"max_attempts": choices.integer(1, 4), "backoff_ms": backoff_ms}
    draft.steps.append(step)
