"""A prediction of the reference model as a trace/v1, for whatever reads traces.

It shows what a perfect executor would: the comparison's own tests plant their defects in it.
"""

from typing import Any

from conformance.reference_run import Prediction
from conformance.scenario import Scenario
from conformance.trace import Trace

_STATUSES = {
    "completed": "COMPLETED",
    "failed": "FAILED",
    "compensated": "COMPENSATED",
    "compensation_failed": "COMPENSATION_FAILED",
    "waiting": "AWAITING_CONFIRMATION",
}


def reference_trace(prediction: Prediction, scenario: Scenario) -> Trace:
    """Return the trace of a run that is exactly as predicted, under the name `unified`."""
    is_unknown = not prediction.steps and prediction.success is None
    status = None if is_unknown else _STATUSES.get(prediction.end, "EXECUTING")
    steps = [
        {
            "id": name,
            "status": step.status,
            "output": step.output,
            "has_output": step.output is not None,
            "error_code": step.code,
            "error_message": step.message,
            "attempts": step.attempts,
            "latency_ms": None,
        }
        for name, step in prediction.steps.items()
    ]
    return {
        "schema": "trace/v1",
        "executor": "unified",
        "scenario": scenario.name,
        "calls": [
            {
                "segment": 1,
                "tool": call.tool,
                "parameters": dict(call.parameters),
                "timeout_ms": None,
                "at_ms": call.at_ms,
            }
            for call in prediction.calls
        ],
        "segments": [_segment(prediction)],
        "status": status,
        "persisted_status": status,
        "steps": steps,
        "persisted_steps": "".join(str(step["status"])[0] for step in steps),
        "events": [],
        "step_updates": [],
        "task": None,
        "scheduled": [],
        "context": {},
        "writes": [],
    }


def _segment(prediction: Prediction) -> dict[str, Any]:
    if prediction.end == "crashed":
        return {"op": "execute", "crashed": True}
    if prediction.end in {"refused", "threw"}:
        name = "EXECUTION_NOT_FOUND" if prediction.end == "threw" else "INVALID_PLAN"
        return {"op": "execute", "threw": prediction.end, "threw_name": name}
    statuses = [step.status for step in prediction.steps.values()]
    return {
        "op": "execute",
        "success": prediction.end == "completed",
        "is_partial": prediction.end in {"yielded", "waiting"},
        "completed_steps": statuses.count("completed"),
        "failed_steps": statuses.count("failed"),
        "total_steps": len(statuses),
        "next_step_index": None,
        "segment_number": None,
        "error_code": None,
        "error_message": None,
    }
