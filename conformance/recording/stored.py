"""Executions that a store holds, of either executor, joined to scenarios. The store is only read.

A store keeps of each step its last outcome. What it does not keep (the outcomes of earlier attempts,
of calls under way) is missing, and is not made up.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any, Final

from redis.exceptions import RedisError

from conformance.errors import HarnessError, PlanproofError, UsageError
from conformance.plan_fault import scenario_plan_fault
from conformance.recording.building import DRIVES, Untestable, scenario_document
from conformance.recording.redaction import Redaction, UnrecordableError, clean_plan
from conformance.runner import run_scenario
from conformance.scenario import Scenario, parse_scenario
from conformance.stores import store_fault
from engine.errors import EngineError, StoreUnavailableError
from engine.legacy_records import NAMESPACE
from engine.redis_client import close_client, open_client
from engine.redis_store import RedisStore
from engine.segment_api.records import ExecutionState as LegacyState
from engine.segment_api.records import epoch_ms
from engine.types.execution import ExecutionState

LEGACY_PREFIX: Final = f"ie:{NAMESPACE}:execution_state:"
MAX_VARIANTS: Final = 16
"""Ways that are tried to tell tools that raised from tools that returned a failure."""
_GLOB: Final = str.maketrans({sign: f"\\{sign}" for sign in "*?[]\\"})


@dataclass(frozen=True, slots=True)
class StoredStep:
    """The last outcome of one step; `began_ms` orders the calls of one tool."""

    id: str
    tool: str
    status: str
    attempts: int
    began_ms: int
    latency_ms: int
    has_output: bool
    output: Any
    error: str | None
    undo: Mapping[str, Any] | None = None
    undone: str | None = None
    undo_error: str | None = None


@dataclass(slots=True)
class Stored:
    """One execution as its store has it; `gaps` are facts that are missing."""

    execution_id: str
    place: str
    executor: str
    plan: dict[str, Any] = field(default_factory=dict)
    intent: dict[str, Any] | None = None
    steps: list[StoredStep] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)


async def read_store(url: str, prefix: str, redaction: Redaction) -> list[Stored]:
    """Read all executions of both executors, in the order of their ids.

    Args:
        url: as `engine.store_url.open_store` takes it, but for `memory://`.
        prefix: the first part of the unified engine's keys.
        redaction: what may leave the store.

    Raises:
        UsageError: the URL names no store.
        HarnessError: the store cannot be reached.
    """
    try:
        client = open_client(url)
    except (StoreUnavailableError, ValueError) as error:
        raise UsageError(str(error), place="--store") from None
    try:
        legacy = [
            _legacy(key, await client.get(key), redaction)
            async for key in _keys(client, f"{LEGACY_PREFIX.translate(_GLOB)}*")
        ]
        pattern = f"{{{prefix.translate(_GLOB)}:*}}:run:*"
        store = RedisStore(client, prefix=prefix)
        unified = [await _unified(key, store, redaction) async for key in _keys(client, pattern)]
    except (RedisError, OSError, StoreUnavailableError) as error:
        raise HarnessError(f"the store failed: {store_fault(error)}", place="--store") from None
    finally:
        await close_client(client)
    return sorted([*legacy, *unified], key=lambda each: (each.execution_id, each.executor))


def build_stored(stored: Stored) -> Scenario | Untestable:
    """Return the scenario that replays `stored` to the same steps, if there is one."""
    gaps = (*stored.gaps, *_gaps(stored))
    if gaps:
        return Untestable(stored.execution_id, stored.place, gaps)
    reasons: tuple[str, ...] = ()
    for outcomes, drive in islice(product(_variants(stored), DRIVES), MAX_VARIANTS):
        document = scenario_document(
            stored.execution_id,
            stored.plan,
            stored.intent,
            outcomes,
            about=f"A run on {stored.executor} as its store had it.",
            tags=sorted(stored.marks),
            drive=drive,
        )
        try:
            scenario = parse_scenario(document, stored.place)
            if fault := scenario_plan_fault(scenario):
                reasons = (f"production refuses its plan: {fault}",)
                break
            found = tuple(_unfaithful(scenario, stored))
        except PlanproofError as error:
            reasons = reasons or (error.line(),)
            continue
        if not found:
            return scenario
        reasons = reasons or found
    return Untestable(stored.execution_id, stored.place, reasons)


async def _keys(client: Any, pattern: str) -> AsyncIterator[str]:
    """Yield keys once each: a scan may show one twice."""
    seen: set[str] = set()
    async for key in client.scan_iter(match=pattern, count=1000):
        text = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
        if text not in seen:
            seen.add(text)
            yield text


def _legacy(key: str, value: Any, redaction: Redaction) -> Stored:
    found = Stored(key.removeprefix(LEGACY_PREFIX), key, "legacy")
    if value is None:
        found.gaps.append("it expired while the store was read")
        return found
    try:
        state = LegacyState.from_document(json.loads(value)["data"])
        if state.plan is None:
            found.gaps.append("its plan is not in the store")
            return found
        _describe(found, state.plan, state.intent, redaction)
        tools = {step["id"]: step["tool_name"] for step in state.plan["steps"]}
        for step in state.step_states:
            ended_ms = 0 if step.completed_at is None else epoch_ms(step.completed_at, "time")
            found.steps.append(
                StoredStep(
                    id=step.step_id,
                    tool=tools.get(step.step_id, ""),
                    status=step.status,
                    attempts=step.attempts,
                    began_ms=ended_ms - (step.latency_ms or 0),
                    latency_ms=step.latency_ms or 0,
                    has_output=step.has_output,
                    output=redaction.clean(step.output, "output", found.marks),
                    error=_message(step.error, redaction, found.marks),
                )
            )
    except UnrecordableError as error:
        found.gaps.append(str(error))
    # Whatever foreign JSON can hold raises one of these where a field is read.
    except (EngineError, ValueError, TypeError, KeyError, AttributeError) as error:
        found.gaps.append(f"its state cannot be read: {type(error).__name__}: {error}")
    return found


async def _unified(key: str, store: RedisStore, redaction: Redaction) -> Stored:
    found = Stored(key.partition(":run:")[2], key, "unified")
    try:
        state = await store.load(found.execution_id)
    except StoreUnavailableError:
        raise
    except EngineError as error:
        found.gaps.append(f"its state cannot be read: {error}")
        return found
    try:
        _describe(
            found, state.plan.model_dump(mode="json", exclude_none=True), state.intent, redaction
        )
        found.steps = list(_unified_steps(state, redaction, found.marks))
    except UnrecordableError as error:
        found.gaps.append(str(error))
    return found


def _unified_steps(
    state: ExecutionState, redaction: Redaction, marks: set[str]
) -> Iterator[StoredStep]:
    tools = {step.id: step.tool_name for step in state.plan.steps}
    for step in state.steps:
        undo = step.compensation
        yield StoredStep(
            id=step.id,
            tool=tools[step.id],
            status=str(step.status),
            attempts=step.attempts,
            began_ms=step.started_at_ms or 0,
            latency_ms=step.latency_ms or 0,
            has_output=step.has_output,
            output=redaction.clean(step.output, "output", marks),
            error=_message(
                None if step.error is None else {"message": step.error.message}, redaction, marks
            ),
            undo=None
            if undo is None
            else redaction.clean(
                {"toolName": undo.tool_name, "parameters": dict(undo.parameters)},
                "compensation",
                marks,
            ),
            undone=None if step.compensation_status is None else str(step.compensation_status),
            undo_error=step.compensation_error,
        )


def _describe(
    found: Stored, plan: Mapping[str, Any], intent: Mapping[str, Any] | None, redaction: Redaction
) -> None:
    found.plan = clean_plan(redaction, plan, found.marks)
    if intent is not None:
        found.intent = redaction.clean(dict(intent), "intent", found.marks)


def _message(error: Mapping[str, Any] | None, redaction: Redaction, marks: set[str]) -> str | None:
    if error is None:
        return None
    return str(redaction.clean(str(error["message"]), "error", marks))


def _gaps(stored: Stored) -> Iterator[str]:
    for step in stored.steps:
        if step.status not in {"completed", "failed", "pending"}:
            yield f"step {step.id} is {step.status}: its outcome is not in the store"
        if step.attempts > 1:
            yield f"step {step.id}: the outcomes of its first {step.attempts - 1} attempts"
        if step.undone not in {None, "compensated", "failed"}:
            yield f"step {step.id}: its compensation is {step.undone}"


def _variants(stored: Stored) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Yield the outcomes of the tools: a step that failed may have had a tool that raised."""
    called = sorted(
        (step for step in stored.steps if step.attempts), key=lambda step: step.began_ms
    )
    failed = [step.id for step in called if step.status == "failed"]
    for raised in product((False, True), repeat=len(failed)):
        ways = dict(zip(failed, raised, strict=True))
        outcomes: dict[str, list[dict[str, Any]]] = {}
        for step in called:
            outcomes.setdefault(step.tool, []).append(
                _outcome(step, raised=ways.get(step.id, False))
            )
        for step in reversed(called):
            if step.undo is not None and step.undone in {"compensated", "failed"}:
                outcomes.setdefault(step.undo["toolName"], []).append(_undo_outcome(step))
        yield outcomes


def _outcome(step: StoredStep, *, raised: bool) -> dict[str, Any]:
    if step.status == "failed":
        message = step.error or ""
        failure = {"raise": message} if raised else {"success": False, "error": message}
        return {**failure, "latency_ms": step.latency_ms}
    found: dict[str, Any] = {"success": True, "latency_ms": step.latency_ms}
    if step.has_output:
        found["output"] = step.output
    if step.undo is not None:
        found["compensation"] = dict(step.undo)
    return found


def _undo_outcome(step: StoredStep) -> dict[str, Any]:
    """Return what an undoing call did. Its output is kept nowhere, and nothing reads it."""
    if step.undone == "failed":
        return {"success": False, "error": step.undo_error or "", "latency_ms": 0}
    return {"success": True, "latency_ms": 0}


def _unfaithful(scenario: Scenario, stored: Stored) -> Iterator[str]:
    """Say where a replay on the executor that it ran on is not what the store has."""
    trace: Any = run_scenario(scenario, stored.executor)
    replayed = {step["id"]: step for step in trace["steps"]}
    for step in stored.steps:
        now = replayed.get(step.id)
        if now is None:
            yield f"step {step.id} is not in a replay"
            continue
        pairs: Sequence[tuple[str, Any, Any]] = (
            ("status", step.status, now["status"]),
            ("attempts", step.attempts, now["attempts"]),
            ("output", step.output, now["output"]),
            ("error", step.error, now["error_message"]),
        )
        for name, before, after in pairs:
            if before != after:
                yield f"step {step.id}: {name} {before!r}, in a replay {after!r}"
    known = Counter({tool: len(listed) for tool, listed in scenario.outcomes.items()})
    calls = Counter(call["tool"] for call in trace["calls"])
    for tool, count in (calls - known).items():
        yield f"{tool} is called {count} times more in a replay than the store tells of"
