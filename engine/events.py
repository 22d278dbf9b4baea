"""Events: what happened, in the words that monitoring and subscribers use."""

import logging
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict


class EventName(StrEnum):
    """Names of all events. They are written to the outbox with the state they tell of.

    Attributes:
        WORKFLOW_STARTED: an execution exists, and its first segment begins.
        WORKFLOW_RESUME: an execution wants to be resumed at `due_at_ms`; `reason` says why.
        WORKFLOW_YIELDED: a segment ended before the execution did.
        WORKFLOW_COMPLETED: every step has completed.
        WORKFLOW_FAILED: the execution has ended without completing, undone or not.
        WORKFLOW_CANCELLED: somebody cancelled the execution.
        WORKFLOW_ADOPTED: an execution was taken over from the legacy executor.
        WORKFLOW_HANDED_BACK: an execution was given back to the legacy executor.
        CONFIRMATION_REQUESTED: a step waits for a person.
        CONFIRMATION_DECIDED: a person approved or rejected the step.
        STEP_STARTED: the intent of a call is durable.
        STEP_COMPLETED: the output of a step is durable.
        STEP_FAILED: a step has failed for good.
        STEP_DEFERRED: a step did not end and will be called again after a pause.
        STEP_REPEATED: a step is begun again after a crash in its call, and may act twice.
        STEP_RESCUE_STARTED: a failed step is given another call by a failover rule or a recovery.
        STEP_IN_DOUBT: nobody knows whether the call of a step took effect.
        SAGA_STARTED: completed steps begin to be undone.
        SAGA_STEP_COMPENSATED: one step was undone.
        SAGA_STEP_FAILED: one step could not be undone.
        SAGA_COMPLETED: everything that had to be undone was.
        SAGA_FAILED: the rollback has ended and something could not be undone.
        CHECKPOINT_FAILED: the store could not be read or written; told to listeners only.
        LEASE_LOST: another process has the execution; told to listeners only.
        RESUME_REFUSED: a worker could not resume what is due; told to listeners only.
    """

    WORKFLOW_STARTED = "WORKFLOW_STARTED"
    WORKFLOW_RESUME = "WORKFLOW_RESUME"
    WORKFLOW_YIELDED = "WORKFLOW_YIELDED"
    WORKFLOW_COMPLETED = "WORKFLOW_COMPLETED"
    WORKFLOW_FAILED = "WORKFLOW_FAILED"
    WORKFLOW_CANCELLED = "WORKFLOW_CANCELLED"
    WORKFLOW_ADOPTED = "WORKFLOW_ADOPTED"
    WORKFLOW_HANDED_BACK = "WORKFLOW_HANDED_BACK"
    CONFIRMATION_REQUESTED = "CONFIRMATION_REQUESTED"
    CONFIRMATION_DECIDED = "CONFIRMATION_DECIDED"
    STEP_STARTED = "STEP_STARTED"
    STEP_COMPLETED = "STEP_COMPLETED"
    STEP_FAILED = "STEP_FAILED"
    STEP_DEFERRED = "STEP_DEFERRED"
    STEP_REPEATED = "STEP_REPEATED"
    STEP_RESCUE_STARTED = "STEP_RESCUE_STARTED"
    STEP_IN_DOUBT = "STEP_IN_DOUBT"
    SAGA_STARTED = "SAGA_STARTED"
    SAGA_STEP_COMPENSATED = "SAGA_STEP_COMPENSATED"
    SAGA_STEP_FAILED = "SAGA_STEP_FAILED"
    SAGA_COMPLETED = "SAGA_COMPLETED"
    SAGA_FAILED = "SAGA_FAILED"
    CHECKPOINT_FAILED = "CHECKPOINT_FAILED"
    LEASE_LOST = "LEASE_LOST"
    RESUME_REFUSED = "RESUME_REFUSED"


class Event(BaseModel):
    """One event; `at_ms` is epoch milliseconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: EventName
    execution_id: str
    at_ms: int
    segment_number: int
    step_id: str | None = None
    step_index: int | None = None
    detail: dict[str, Any] = {}
    trace_id: str | None = None


Listener: TypeAlias = Callable[[Event], object]

_LOG = logging.getLogger("planproof.engine")


def tell(listeners: Iterable[Listener], event: Event) -> None:
    """Call each listener; what one raises is its own affair and never fails a step."""
    for listener in listeners:
        try:
            listener(event)
        except Exception:  # noqa: BLE001 - logged; see above
            _LOG.exception("a listener failed on %s", event.name)
