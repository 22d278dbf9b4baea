"""Scenarios of recorded executions; each is replayed once, and only a faithful one is handed out.

A fact that was not recorded is named, and its execution is untestable: nothing is filled in. The
replay shows what else is missing: a scripted tool repeats its last outcome, so that a call that
nobody recorded would be answered all the same.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.errors import PlanproofError
from conformance.plan_fault import scenario_plan_fault
from conformance.recording.recorded import Recorded
from conformance.runner import run_scenario
from conformance.scenario import Scenario, parse_scenario
from conformance.scenario_builder import SCENARIO_SCHEMA, run
from conformance.tool_scripts import ABORT_MESSAGE

RECORDED_TAG = "recorded"
SHOWN = 3  # calls that differ which a reason names; the rest is counted
# How an execution may have been driven: as the format says, or with the consumer's own mending of
# legacy checkpoints, without which legacy resumes nothing.
DRIVES: tuple[tuple[dict[str, Any], ...], ...] = ((), (run(assist=True),))


@dataclass(frozen=True, slots=True)
class Untestable:
    """An execution that cannot be replayed, and every reason."""

    execution_id: str
    place: str
    reasons: tuple[str, ...]

    def line(self) -> str:
        """Return all of it as one line."""
        return f"untestable {self.execution_id} ({self.place}): {'; '.join(self.reasons)}"


def build(recorded: Recorded) -> Scenario | Untestable:
    """Return the scenario that replays `recorded`, if it does."""
    gaps = tuple(_gaps(recorded))
    if gaps:
        return Untestable(recorded.execution_id, recorded.place, gaps)
    reasons: tuple[str, ...] = ()
    for drive in DRIVES:
        try:
            scenario = parse_scenario(_document(recorded, drive), recorded.place)
            if fault := scenario_plan_fault(scenario):
                reasons = (f"production refuses its plan: {fault}",)
                break
            found = tuple(_unfaithful(scenario, recorded))
        except PlanproofError as error:
            reasons = reasons or (error.line(),)
            continue
        if not found:
            return scenario
        reasons = reasons or found
    return Untestable(recorded.execution_id, recorded.place, reasons)


def scenario_document(
    execution_id: str,
    plan: Mapping[str, Any],
    intent: Mapping[str, Any] | None,
    outcomes: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    about: str,
    tags: Sequence[str],
    aliases: Mapping[str, Mapping[str, str]] | None = None,
    drive: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return a scenario/v1 document of recorded facts."""
    document: dict[str, Any] = {
        "schema": SCENARIO_SCHEMA,
        "name": f"recorded-{execution_id}",
        "about": about,
        "tags": [RECORDED_TAG, *tags],
        "execution_id": execution_id,
        "plan": dict(plan),
        "intent": None if intent is None else dict(intent),
        "idempotency": False,
        "tools": {tool: {"aliases": dict(names)} for tool, names in (aliases or {}).items()},
        "outcomes": {tool: list(listed) for tool, listed in outcomes.items()},
    }
    return document | ({"driver": list(drive)} if drive else {})


def _gaps(recorded: Recorded) -> Iterator[str]:
    if recorded.plan is None:
        yield "its plan was not recorded"
    yield from recorded.gaps
    has_ended = recorded.end is not None and not recorded.end["is_partial"]
    for number, call in enumerate(recorded.ordered_calls(), start=1):
        if call.outcome is None and (call.cancelled_ms is None or not has_ended):
            why = call.missing if call.cancelled_ms is None else "was cancelled, and no end follows"
            yield f"call {number}, of {call.tool}: {why}"
    if recorded.end is not None and not has_ended:
        yield "its end was not recorded: the last segment yielded"


def _document(recorded: Recorded, drive: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    outcomes: dict[str, list[Mapping[str, Any]]] = {}
    aliases: dict[str, Mapping[str, str]] = {}
    for call in recorded.ordered_calls():
        cancelled = {"raise": ABORT_MESSAGE, "latency_ms": call.cancelled_ms or 0}
        outcomes.setdefault(call.tool, []).append(call.outcome or cancelled)
        if call.aliases:
            aliases[call.tool] = call.aliases
    return scenario_document(
        recorded.execution_id,
        recorded.plan or {},
        recorded.intent,
        outcomes,
        about=f"A run on {recorded.executor} as it was recorded.",
        tags=sorted(recorded.marks),
        aliases=aliases,
        drive=drive,
    )


def _unfaithful(scenario: Scenario, recorded: Recorded) -> Iterator[str]:
    """Say where a replay on the executor that was recorded is not what was recorded."""
    trace: Any = run_scenario(scenario, recorded.executor)
    replayed = Counter(_key(call["tool"], call["parameters"]) for call in trace["calls"])
    known = Counter(_key(call.tool, call.parameters) for call in recorded.ordered_calls())
    yield from _named(replayed - known, "made in a replay, but not recorded")
    yield from _named(known - replayed, "recorded, but not made in a replay")
    if recorded.end is None:
        return
    statuses = {step["id"]: step["status"] for step in trace["steps"]}
    for step, status in recorded.end["steps"].items():
        if statuses.get(step) != status:
            yield f"step {step} was {status}, in a replay it is {statuses.get(step)}"


def _named(calls: Counter[str], what: str) -> Iterator[str]:
    listed = list(calls.elements())
    if listed:
        more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        yield f"{what}: {', '.join(listed[:SHOWN])}{more}"


def _key(tool: str, parameters: Any) -> str:
    return f"{tool} {json.dumps(parameters, sort_keys=True, ensure_ascii=False)}"
