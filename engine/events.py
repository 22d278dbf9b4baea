"""Events: what happened, in the words that monitoring and subscribers use."""

import logging
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict


class EventName(StrEnum):
    """Names of all events. They are written to the outbox with the state they tell of."""

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
