"""The facts that a ledger entry's predicate may speak of, computed from one compared pair.

Facts are plain values under the names `scenario.*`, `legacy.*`, `unified.*` and `divergence.*`
(`legacy` is the left executor, `unified` the right one). They are documented in `FACTS`, which is
also the whitelist of the predicate language.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

from conformance.comparator import Divergence, canonical
from conformance.normalisation import IdBinding
from conformance.observation import SKIP_RECORD, Observation, StepOutcome
from conformance.plan_fault import graph_fault, plan_fault
from conformance.reference_rules import (
    FIRST_SERVER_CODE,
    FORBIDDEN_TOOL,
    LEGACY_HTTP_CODES,
    http_code,
    is_booking,
    is_recoverable,
    needs_confirmation,
)
from conformance.scenario import CallOperation, Execute, Outcome, PatchState, Resume, Run, Scenario

Facts: TypeAlias = Mapping[str, Mapping[str, Any]]

_OF_A_RUN = {
    "end": "how the run ended, finely: completed, false_success, step_failure, deadlock, "
    "negative_deadlock, memory_error, event_error, failed, compensated, compensation_failed, "
    "type_error, stuck, no_checkpoint, yielded, waiting, refused, threw, threw_terminal, threw_memory, "
    "crashed, nothing",
    "terminal": "the class of the end (layer L0)",
    "success": "the success flag of the last result, or none",
    "refusal": "the code of the refusal, or empty",
    "codes": "error codes of the steps, sorted, each once",
    "completed": "number of completed steps",
    "failed": "number of failed steps",
    "skipped": "number of steps that were not run because of an idempotency claim",
    "calls": "number of tool calls",
    "repeats": "number of calls beyond the first with the same tool and parameters",
    "partials": "number of segments that ended before the plan did",
}
CAUSES: Mapping[str, str] = {
    "refused": "only unified refuses the plan",
    "accepted": "only legacy refuses the plan",
    "waiting": "unified waits for a person, or holds a step back for one",
    "replanned": "one execution is started with two plans",
    "booking_name": "legacy takes a tool for a booking that is none",
    "booking_fields": "legacy misses a field of a booking that is there",
    "save": "legacy fails a step because a write of its own failed",
    "sign": "legacy fails a step because a status update could not be signed",
    "retry": "unified follows the step's retry policy",
    "recovery": "unified follows more of the model's answers",
    "recovery_code": "unified recognises more server errors",
    "undo": "unified undoes a step",
}
FACTS: Mapping[str, Mapping[str, str]] = {
    "scenario": {
        "tags": "the scenario's tags",
        "steps": "number of steps of the plan",
        "drive": "what the driver does: plain (one start), resume (and resumes by hand), rerun, "
        "other_execution, replan, crash; the last that applies",
        "assisted": "whether the driver repairs the legacy checkpoint before it resumes",
        "patched": "whether the driver edits the legacy state",
        "intent": "whether the scenario has an intent",
        "idempotency": "whether an idempotency service is given",
        "fresh": "whether each start passes a new state to the legacy executor",
        "start_index": "whether a start index or segment number is given",
        "faults": "operations that fail, as `operation:key kind or event`, sorted",
        "forbidden_sequence": f"whether a step with tool {FORBIDDEN_TOOL} has a dependency",
        "disallowed_tool": "whether a tool is not among the plan's allowed_tools",
        "duplicate_ids": "whether two steps share an id",
        "malformed": "whether the plan breaks the plan schema (its size left out)",
        "hides_steps": "whether a step is listed before one that is in an earlier layer",
    },
    "legacy": _OF_A_RUN,
    "unified": _OF_A_RUN,
    "divergence": {
        "layer": "L0 to L5",
        "path": "what differs",
        "left": "its value on the left",
        "right": "its value on the right",
        "cause": "the first cause that applies, or empty: "
        + "; ".join(f"{cause}: {meaning}" for cause, meaning in CAUSES.items()),
    },
}


def facts(
    scenario: Scenario, left: Observation, right: Observation, divergence: Divergence
) -> Facts:
    """Return all facts about a primary divergence."""
    return {
        "scenario": _of_scenario(scenario),
        "legacy": _of_run(left),
        "unified": _of_run(right),
        "divergence": {
            "layer": str(divergence.layer),
            "path": divergence.path,
            "left": divergence.left,
            "right": divergence.right,
            "cause": _cause(scenario, left, right, divergence),
        },
    }


def _of_scenario(scenario: Scenario) -> dict[str, Any]:
    steps = _steps(scenario)
    calls = _calls(scenario)
    constraints = scenario.plan.get("constraints")
    allowed = constraints.get("allowed_tools") if isinstance(constraints, Mapping) else None
    ids = [step.get("id") for step in steps]
    return {
        "tags": list(scenario.tags),
        "steps": len(steps),
        "drive": _drive(scenario, calls),
        "assisted": any(op.assist for op in calls),
        "patched": any(isinstance(op, PatchState) for op in scenario.driver),
        "intent": scenario.intent is not None,
        "idempotency": scenario.idempotency,
        "fresh": all(
            op.initial == "fresh" or (scenario.intent is not None and op.initial is None)
            for op in calls
        ),
        "start_index": any(op.start_step_index or op.segment_number for op in calls),
        "faults": sorted(f"{f.op}:{f.key_kind or f.event or '*'}" for f in scenario.faults),
        "forbidden_sequence": any(
            step.get("tool_name") == FORBIDDEN_TOOL and step.get("dependencies") for step in steps
        ),
        "disallowed_tool": allowed is not None
        and any(step.get("tool_name") not in allowed for step in steps),
        "duplicate_ids": len(set(map(str, ids))) < len(ids),
        "malformed": plan_fault(scenario.plan) is not None,
        "hides_steps": _hides_steps(scenario),
    }


def _hides_steps(scenario: Scenario) -> bool:
    """Whether the legacy start index can move past a step that is not ready yet."""
    if graph_fault(scenario.plan) is not None:
        return False
    steps = _steps(scenario)
    dependencies = {step["id"]: step.get("dependencies", []) for step in steps}
    layer: dict[str, int] = {}
    for step in sorted(steps, key=lambda step: int(step.get("step_number", 0))):
        layer[step["id"]] = 1 + max((layer[d] for d in dependencies[step["id"]]), default=0)
    listed = [layer[step["id"]] for step in steps]
    return listed != sorted(listed)


def _replans(scenario: Scenario) -> bool:
    return any(op.plan is not None and op.plan != scenario.plan for op in _calls(scenario))


def _drive(scenario: Scenario, calls: list[CallOperation]) -> str:
    starts = [op for op in calls if not isinstance(op, Resume)]
    if any(op.crash_after_ms is not None or op.crash_after_write is not None for op in calls):
        return "crash"
    if _replans(scenario):
        return "replan"
    if len({op.execution_id or scenario.execution_id for op in calls}) > 1:
        return "other_execution"
    if len(starts) > 1:
        return "rerun"
    return "resume" if len(calls) > len(starts) else "plain"


def _of_run(run: Observation) -> dict[str, Any]:
    steps = list(run.steps.values())
    keys = Counter((call.tool, canonical(call.parameters)) for call in run.calls)
    return {
        "end": run.end,
        "terminal": str(run.terminal),
        "success": run.success,
        "refusal": run.refusal or "",
        "codes": sorted({step.code for step in steps if step.code is not None}),
        "completed": sum(step.status == "completed" for step in steps),
        "failed": sum(step.status == "failed" for step in steps),
        "skipped": sum(step.output == SKIP_RECORD for step in steps),
        "calls": len(run.calls),
        "repeats": len(run.calls) - len(keys),
        "partials": sum(bool(segment.get("is_partial")) for segment in run.segments),
    }


def _cause(
    scenario: Scenario, left: Observation, right: Observation, divergence: Divergence
) -> str:
    """Return the first cause of `CAUSES` that applies, or an empty string."""
    if right.end == "refused" and left.end != "refused":
        return "refused"
    if left.end == "refused" and right.end != "refused":
        return "accepted"
    if right.end == "waiting" or _is_held_back(scenario, left, right):
        return "waiting"
    if _replans(scenario):
        return "replanned"
    names = IdBinding(scenario)
    pairs = [
        (step, left.steps.get(name), right.steps.get(name))
        for step in _steps(scenario)
        for name in [names.name(str(step.get("id")))]
    ]
    lost = (
        _lost_step(step, one, other)
        for step, one, other in pairs
        if one is not None and other is not None and one.status == "failed"
        # A step that fails later and for another reason was lost here as well.
        if (other.status, other.code, other.message) != (one.status, one.code, one.message)
    )
    if cause := next(filter(None, lost), ""):
        return cause
    if divergence.layer == "L2" and divergence.path.startswith("calls["):
        return _effect(scenario, divergence)
    if divergence.layer in {"L1", "L3"}:
        named = (s for s in _steps(scenario) if names.name(str(s.get("id"))) in divergence.path)
        if any(_asks_model(scenario, str(step.get("tool_name"))) for step in named):
            return "recovery"
    return ""


def _is_held_back(scenario: Scenario, left: Observation, right: Observation) -> bool:
    """Whether a step waits for a person on the right and was begun on the left."""
    names = IdBinding(scenario)
    for step in _steps(scenario):
        if needs_confirmation(scenario.plan, step):
            name = names.name(str(step.get("id")))
            one, other = left.steps.get(name), right.steps.get(name)
            if one is not None and one.attempts and (other is None or not other.attempts):
                return True
    return False


def _lost_step(step: Mapping[str, Any], left: StepOutcome, right: StepOutcome) -> str:
    """Say why the left executor failed a step that the right one did not fail."""
    message = left.message or ""
    if left.code == "VALIDATION_FAILED" and message.startswith("Missing required booking"):
        return "booking_fields" if is_booking(str(step.get("tool_name"))) else "booking_name"
    if left.code in {"STEP_EXECUTION_FAILED", "UNKNOWN_ERROR"}:
        if message in {"[object Object]", "redis unavailable"}:
            return "save"
        if message.removeprefix("Error: ") == "realtime unavailable":
            return "sign"
    is_retried = right.attempts > left.attempts or right.status == "pending"
    if right.attempts and is_retried and _max_attempts(step) > 1:
        return "retry"
    if right.status != "completed":
        return ""
    if left.code not in {"TOOL_EXECUTION_FAILED", "TOOL_VALIDATION_FAILED"}:
        return ""
    if not is_recoverable(Outcome(success=False, error=message)):
        return ""
    is_seen = (http_code(message, LEGACY_HTTP_CODES) or 0) >= FIRST_SERVER_CODE
    return "recovery" if is_seen else "recovery_code"


def _effect(scenario: Scenario, divergence: Divergence) -> str:
    """Say why the right executor made a call that the left one did not make as often."""
    found = re.match(r"calls\[(\S+) ", divergence.path)
    tool = found[1] if found else ""
    users = [step for step in _steps(scenario) if step.get("tool_name") == tool]
    if not users:
        return "undo"
    if divergence.right > divergence.left and any(_max_attempts(step) > 1 for step in users):
        return "retry"
    return "recovery" if _asks_model(scenario, tool) else ""


def _asks_model(scenario: Scenario, tool: str) -> bool:
    """Whether the model is asked about a failure of `tool`, and something is scripted for it."""
    return bool(scenario.llm) and any(map(is_recoverable, scenario.outcomes.get(tool, [])))


def _max_attempts(step: Mapping[str, Any]) -> int:
    policy = step.get("retry_policy")
    attempts = policy.get("max_attempts", 1) if isinstance(policy, Mapping) else 1
    return attempts if isinstance(attempts, int) else 1


def _steps(scenario: Scenario) -> list[Mapping[str, Any]]:
    steps = scenario.plan.get("steps")
    return [s for s in steps if isinstance(s, Mapping)] if isinstance(steps, list) else []


def _calls(scenario: Scenario) -> list[CallOperation]:
    return [op for op in scenario.driver if isinstance(op, Execute | Resume | Run)]
