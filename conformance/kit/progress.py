"""progress/v1: how far a run has come, in a form that one executor hands to another.

    {"schema": "progress/v1", "execution_id": uuid, "plan": {...}, "intent": {...} | null,
     "steps": [{"id", "status": "pending" | "completed", "output": any}, ...]}

A step that was under way when its process died is `pending`: it is to be called again.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from conformance.scenario import Scenario

PROGRESS_SCHEMA = "progress/v1"


@runtime_checkable
class MigratingSubject(Protocol):
    """What a subject adds to `conformance.subject.Subject` to migrate (level C5)."""

    async def hand_out(self, execution_id: str) -> Mapping[str, Any]:
        """Give the run away as progress/v1; from now on it is not gone on with here."""

    async def take_in(self, progress: Mapping[str, Any]) -> None:
        """Store a run that another executor has begun; `resume` goes on with it."""


def progress_document(scenario: Scenario, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the progress of `scenario` in which the steps of `outputs` are completed."""
    return {
        "schema": PROGRESS_SCHEMA,
        "execution_id": scenario.execution_id,
        "plan": dict(scenario.plan),
        "intent": scenario.intent,
        "steps": [
            {"id": step["id"], "status": "completed", "output": outputs[step["id"]]}
            if step["id"] in outputs
            else {"id": step["id"], "status": "pending", "output": None}
            for step in scenario.plan["steps"]
        ],
    }


def progress_fault(document: Any, scenario: Scenario) -> str | None:
    """Return what is wrong with a document that should be the progress of `scenario`."""
    if not isinstance(document, Mapping) or document.get("schema") != PROGRESS_SCHEMA:
        return f"the run was not handed out as {PROGRESS_SCHEMA}"
    steps = document.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        return "steps is not a list of objects"
    if [step.get("id") for step in steps] != [step["id"] for step in scenario.plan["steps"]]:
        return "the steps are not those of the plan, in its order"
    known = {"pending", "completed"}
    return next(
        (
            f"no step has the status {s.get('status')!r}"
            for s in steps
            if s.get("status") not in known
        ),
        None,
    )
