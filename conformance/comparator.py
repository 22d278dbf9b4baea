"""Compare two observations layer by layer, exactly and in a closed world.

The lowest layer that differs is the *primary* divergence of a scenario; what differs above it is
its consequence. Pure functions.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Any

from conformance.normalisation import IdBinding
from conformance.observation import Call, Observation, StepOutcome
from conformance.reference_rules import ancestors
from conformance.reference_run import ABORT_MS, CallPrediction
from conformance.scenario import Outcome, Scenario

CONTEXT_EVENTS = 3  # events shown before and after the first differing one
_PENDING = StepOutcome()
_NO_EVENT = "(nothing more)"


class Layer(StrEnum):
    """The layers of the comparison, from the most to the least important."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    L5 = "L5"

    @property
    def subject(self) -> str:
        """What the layer looks at."""
        return _SUBJECTS[self]


_SUBJECTS = {
    Layer.L0: "terminal outcome",
    Layer.L1: "step outcomes",
    Layer.L2: "effects",
    Layer.L3: "attempts and errors",
    Layer.L4: "durable state",
    Layer.L5: "segments and events",
}
GATING_LAYERS = (Layer.L0, Layer.L1, Layer.L2, Layer.L3, Layer.L4)


@dataclass(frozen=True)
class EventDifference:
    """The first event in which two runs differ, with the events around it."""

    index: int
    left: tuple[str, ...]
    right: tuple[str, ...]
    before: tuple[str, ...]


@dataclass(frozen=True)
class Divergence:
    """One difference: where, and what either side shows there."""

    layer: Layer
    path: str
    left: Any
    right: Any


def same(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal; `1` and `1.0` are, `1` and `true` are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def compare(left: Observation, right: Observation, scenario: Scenario) -> tuple[Divergence, ...]:
    """Return every divergence of two executors' runs, lowest layer first."""
    return (
        *_terminal(left, right),
        *_step_outcomes(left, right),
        *_effects(left, right, scenario),
        *_attempts(left, right, same),
        *_durable(left, right),
        *_process(left, right),
    )


def compare_with_reference(
    expected: Observation,
    observed: Observation,
    scenario: Scenario,
    *,
    calls: tuple[CallPrediction, ...],
    at_least_once: bool,
) -> tuple[Divergence, ...]:
    """Return where a run is not what the reference model says; the expectation is on the left.

    With `at_least_once` (after a crash) calls and attempts may be more than expected, but a call
    that the model does not know is a divergence still.
    """
    enough = _at_least if at_least_once else same
    return (
        *_terminal(expected, observed),
        *_step_outcomes(expected, observed),
        *_multisets(expected, observed, enough),
        *_misordered(observed, scenario, _owners(expected, calls, undoes=False)),
        *_undone_too_early(observed, scenario, _owners(expected, calls, undoes=True)),
        *_attempts(expected, observed, enough),
        *_inconsistent(observed),
    )


def primary(divergences: tuple[Divergence, ...], *, strict: bool = False) -> Divergence | None:
    """Return the divergence of the lowest layer that gates, or None."""
    layers = tuple(Layer) if strict else GATING_LAYERS
    return next((found for found in divergences if found.layer in layers), None)


def canonical(value: Any) -> str:
    """Return the JSON text of `value` that equal values share; whole floats are integers."""
    return json.dumps(_whole(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _whole(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _terminal(left: Observation, right: Observation) -> Iterator[Divergence]:
    if left.terminal != right.terminal:
        yield Divergence(Layer.L0, "terminal", str(left.terminal), str(right.terminal))
    if left.success is not right.success:
        yield Divergence(Layer.L0, "success", left.success, right.success)


def _pairs(left: Observation, right: Observation) -> Iterator[tuple[str, StepOutcome, StepOutcome]]:
    for step in dict.fromkeys((*left.steps, *right.steps)):
        yield step, left.steps.get(step, _PENDING), right.steps.get(step, _PENDING)


def _step_outcomes(left: Observation, right: Observation) -> Iterator[Divergence]:
    for step, one, other in _pairs(left, right):
        if one.status != other.status:
            yield Divergence(Layer.L1, f"steps[{step}].status", one.status, other.status)
        if not same(one.output, other.output):
            yield Divergence(Layer.L1, f"steps[{step}].output", one.output, other.output)


def _attempts(
    left: Observation, right: Observation, enough: Callable[[Any, Any], bool]
) -> Iterator[Divergence]:
    for step, one, other in _pairs(left, right):
        if not enough(one.attempts, other.attempts):
            path = f"steps[{step}].attempts"
            yield Divergence(Layer.L3, path, one.attempts, other.attempts)
        if one.code != other.code:
            yield Divergence(Layer.L3, f"steps[{step}].error_code", one.code, other.code)
        if one.message != other.message:
            path = f"steps[{step}].error_message"
            yield Divergence(Layer.L3, path, one.message, other.message)


def _key(call: Call) -> str:
    return f"{call.tool} {canonical(call.parameters)}"


def _at_least(expected: int, observed: int) -> bool:
    return expected == observed or (0 < expected < observed)


def _multisets(
    left: Observation, right: Observation, enough: Callable[[Any, Any], bool]
) -> Iterator[Divergence]:
    ones, others = Counter(map(_key, left.calls)), Counter(map(_key, right.calls))
    for key in dict.fromkeys((*ones, *others)):
        if not enough(ones[key], others[key]):
            yield Divergence(Layer.L2, f"calls[{key}]", ones[key], others[key])


def _effects(left: Observation, right: Observation, scenario: Scenario) -> Iterator[Divergence]:
    yield from _multisets(left, right, same)
    keys = _keys_of_tools(scenario)
    broken = [{d.path: d for d in _misordered(side, scenario, keys)} for side in (left, right)]
    for path in dict.fromkeys((*broken[0], *broken[1])):
        if (path in broken[0]) != (path in broken[1]):
            kept, lost = "kept", "broken"
            yield Divergence(
                Layer.L2,
                path,
                lost if path in broken[0] else kept,
                lost if path in broken[1] else kept,
            )


def _owners(
    expected: Observation, calls: tuple[CallPrediction, ...], *, undoes: bool
) -> dict[str, str]:
    """Return which step a call belongs to, or undoes, for the calls that have one owner only."""
    owners: dict[str, set[tuple[str, bool]]] = defaultdict(set)
    for call, predicted in zip(expected.calls, calls, strict=True):
        owners[_key(call)].add((predicted.step, predicted.undoes))
    single = {key: next(iter(found)) for key, found in owners.items() if len(found) == 1}
    return {key: step for key, (step, is_undo) in single.items() if is_undo is undoes}


def _keys_of_tools(scenario: Scenario) -> dict[str, str]:
    """Return which step a tool belongs to, for the tools that one step uses and no undo does."""
    steps = _plan_steps(scenario)
    uses = Counter(step["tool_name"] for step in steps if "tool_name" in step)
    uses.update(
        outcome.compensation.toolName
        for outcomes in scenario.outcomes.values()
        for outcome in outcomes
        if outcome.compensation is not None
    )
    return {
        step["tool_name"]: step["id"]
        for step in steps
        if "tool_name" in step and uses[step["tool_name"]] == 1
    }


def _misordered(
    run: Observation, scenario: Scenario, owners: Mapping[str, str]
) -> Iterator[Divergence]:
    """Yield each dependency whose dependant was called before any call of it had ended."""
    spans = _spans(run, scenario, owners)
    names = IdBinding(scenario)
    for step in _plan_steps(scenario):
        for dependency in step.get("dependencies", []):
            if not (spans.get(step.get("id", "")) and spans.get(dependency)):
                continue
            began_ms = min(began for began, _ in spans[step["id"]])
            ended_ms = min(ended for _, ended in spans[dependency])
            if began_ms < ended_ms:
                path = f"order[{names.name(step['id'])} after {names.name(dependency)}]"
                yield Divergence(Layer.L2, path, f"from {ended_ms} ms on", f"at {began_ms} ms")


def _undone_too_early(
    run: Observation, scenario: Scenario, owners: Mapping[str, str]
) -> Iterator[Divergence]:
    """Yield each step that was undone before all that was built upon it had been."""
    spans = _spans(run, scenario, owners)
    names = IdBinding(scenario)
    for step in spans:
        for base in sorted(ancestors(scenario.plan, step) & set(spans)):
            ended_ms = max(ended for _, ended in spans[step])
            began_ms = min(began for began, _ in spans[base])
            if began_ms < ended_ms:
                path = f"order[undo of {names.name(base)} after undo of {names.name(step)}]"
                yield Divergence(Layer.L2, path, f"from {ended_ms} ms on", f"at {began_ms} ms")


def _spans(
    run: Observation, scenario: Scenario, owners: Mapping[str, str]
) -> dict[str, list[tuple[int, int]]]:
    """Return when the calls of each step began and ended, for calls that have an owner."""
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for call, ended_ms in zip(run.calls, _ends_ms(run.calls, scenario), strict=True):
        owner = owners.get(_key(call)) or owners.get(call.tool)
        if owner is not None:
            spans[owner].append((call.at_ms, ended_ms))
    return spans


def _ends_ms(calls: tuple[Call, ...], scenario: Scenario) -> Iterator[int]:
    """Yield when each call ended, by what the scenario scripts for the nth call of its tool."""
    counts: Counter[str] = Counter()
    for call in calls:
        script = scenario.outcomes.get(call.tool) or [Outcome(success=True)]
        outcome = script[min(counts[call.tool], len(script) - 1)]
        counts[call.tool] += 1
        latency_ms = outcome.latency_ms
        yield call.at_ms + (latency_ms if outcome.ignore_abort else min(latency_ms, ABORT_MS))


def _plan_steps(scenario: Scenario) -> list[Mapping[str, Any]]:
    steps = scenario.plan.get("steps")
    if not isinstance(steps, list):
        return []
    return [step for step in steps if isinstance(step, Mapping)]


def _durable(left: Observation, right: Observation) -> Iterator[Divergence]:
    if left.durable.agrees != right.durable.agrees:
        yield Divergence(Layer.L4, "durable", _told(left), _told(right))


def _inconsistent(run: Observation) -> Iterator[Divergence]:
    if not run.durable.agrees:
        yield Divergence(Layer.L4, "durable", "what was returned", _told(run))


def _told(run: Observation) -> str:
    state = run.durable
    return f"held {state.held} {state.steps_held}, told {state.returned} {state.steps_returned}"


def _process(left: Observation, right: Observation) -> Iterator[Divergence]:
    ones, others = segment_lines(left), segment_lines(right)
    if ones != others:
        yield Divergence(Layer.L5, "segments", ones, others)
    if left.events != right.events:
        yield Divergence(Layer.L5, "events", list(left.events), list(right.events))
    if Counter(left.updates) != Counter(right.updates):
        yield Divergence(Layer.L5, "updates", len(left.updates), len(right.updates))


def segment_lines(run: Observation) -> list[str]:
    """Return one line for each driver operation of a run: what it gave."""
    return [_segment_line(segment) for segment in run.segments]


def _segment_line(segment: Mapping[str, Any]) -> str:
    name = segment.get("op", "?")
    if segment.get("crashed"):
        return f"{name}: crashed"
    if "threw" in segment:
        return f"{name}: threw {segment['threw']}"
    kind = "partial" if segment["is_partial"] else "success" if segment["success"] else "failure"
    counts = f"{segment['completed_steps']} completed, {segment['failed_steps']} failed"
    return f"{name}: {kind}, {counts} of {segment['total_steps']}"


def event_lines(run: Observation) -> list[str]:
    """Return the run as lines in order: the calls of each segment, what it gave, the steps."""
    lines = []
    for number, segment in enumerate(run.segments, start=1):
        lines += [f"call {_key(call)}" for call in run.calls if call.segment == number]
        lines.append(_segment_line(segment))
    for step, outcome in run.steps.items():
        detail = f" ({outcome.code}: {outcome.message})" if outcome.code else ""
        lines.append(f"{step}: {outcome.status} after {outcome.attempts}{detail}")
    return lines


def first_difference(left: Observation, right: Observation) -> EventDifference | None:
    """Return the first event in which two runs differ, with `CONTEXT_EVENTS` around it."""
    ones, others = event_lines(left), event_lines(right)
    for index, (one, other) in enumerate(zip_longest(ones, others)):
        if one != other:
            return EventDifference(
                index=index,
                before=tuple(ones[max(0, index - CONTEXT_EVENTS) : index]),
                left=_from(ones, index),
                right=_from(others, index),
            )
    return None


def _from(lines: list[str], index: int) -> tuple[str, ...]:
    return tuple(lines[index : index + 1 + CONTEXT_EVENTS]) or (_NO_EVENT,)
