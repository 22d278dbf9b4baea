"""The reference model: what a scenario must show, or why that cannot be said.

It is the third oracle of the comparison, and shares no code with an executor. Where the rules
leave the outcome open it answers `Unpredictable`, which is counted and never taken for agreement.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

from conformance.reference_run import (
    ABORT_MS,
    CallPrediction,
    Death,
    Moment,
    Prediction,
    Simulation,
)
from conformance.scenario import Execute, Resume, Run, Scenario

__all__ = ["ABORT_MS", "CallPrediction", "Prediction", "Unpredictable", "predict", "predictions"]


@dataclass(frozen=True)
class Unpredictable:
    """The rules leave the outcome open, for this reason."""

    reason: str


def predict(scenario: Scenario) -> Prediction | Unpredictable:
    """Say how `scenario` must end, or why that cannot be said."""
    if scenario.redis_autoparse or "js" in scenario.tags:
        return Unpredictable("depends on the JavaScript runtime")
    deaths = _timed_deaths(scenario)
    numbered = numbered_crashes(scenario)
    late = Simulation(scenario, deaths).run()
    if not numbered:
        return late
    last = {op.execution_id: position for position, op in _calls(scenario)}
    if not numbered.isdisjoint(last.values()):
        return Unpredictable("nothing follows the crash")
    # Each executor writes in its own way, so a numbered write may be anywhere; wherever it is, it
    # falls between "before the first effect" and "after the last".
    dead = dict.fromkeys(numbered, Death(0, Moment.CLAIMED))
    early = Simulation(scenario, deaths | dead).run()
    if replace(early, calls=()) != replace(late, calls=()) or _multiset(early) != _multiset(late):
        return Unpredictable("the outcome depends on where the crash falls")
    if any(_is_varied(scenario, call.tool) for call in late.calls):
        return Unpredictable("a repeated call takes another scripted outcome")
    return replace(late, at_least_once=True)


def predictions(scenario: Scenario, crashed_after_ms: Mapping[int, int]) -> Iterator[Prediction]:
    """Yield every outcome that is right if crashes at numbered writes fell at these times.

    Args:
        scenario: has operations with `crash_after_write`.
        crashed_after_ms: position in the driver -> when the process died, in milliseconds after
            the operation began; an operation that is left out did not reach that write.
    """
    deaths = _timed_deaths(scenario)
    positions = sorted(numbered_crashes(scenario) & set(crashed_after_ms))
    for moments in product(Moment, repeat=len(positions)):
        fallen = {
            position: Death(crashed_after_ms[position], moment)
            for position, moment in zip(positions, moments, strict=True)
        }
        yield Simulation(scenario, deaths | fallen).run()


def numbered_crashes(scenario: Scenario) -> set[int]:
    """Return the positions in the driver of operations that crash at a numbered write."""
    return {position for position, op in _calls(scenario) if op.crash_after_write is not None}


def _timed_deaths(scenario: Scenario) -> dict[int, Death]:
    return {
        position: Death(op.crash_after_ms)
        for position, op in _calls(scenario)
        if op.crash_after_ms is not None
    }


def _calls(scenario: Scenario) -> list[tuple[int, Execute | Resume | Run]]:
    return [
        (position, op)
        for position, op in enumerate(scenario.driver)
        if isinstance(op, Execute | Resume | Run)
    ]


def _multiset(prediction: Prediction) -> Counter[str]:
    return Counter(json.dumps([c.tool, c.parameters], sort_keys=True) for c in prediction.calls)


def _is_varied(scenario: Scenario, tool: str) -> bool:
    script = scenario.outcomes.get(tool, [])
    return any(outcome != script[0] for outcome in script)
