"""Statuses and the one table of legal transitions."""

from collections.abc import Mapping
from enum import StrEnum

from engine.errors import InvalidTransitionError


class ExecutionStatus(StrEnum):
    """Where an execution stands. The first fourteen are the legacy executor's names."""

    RECEIVED = "RECEIVED"
    PARSING = "PARSING"
    PARSED = "PARSED"
    PLANNING = "PLANNING"
    PLANNED = "PLANNED"
    STARTED = "STARTED"
    EXECUTING = "EXECUTING"
    AWAITING_CONFIRMATION = "AWAITING_CONFIRMATION"
    REFLECTING = "REFLECTING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    COMPENSATING = "COMPENSATING"
    COMPENSATED = "COMPENSATED"
    COMPENSATION_FAILED = "COMPENSATION_FAILED"


class StepStatus(StrEnum):
    """Where a step stands. `in_doubt`: its effect may have happened, and nobody can tell yet."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    COMPLETED = "completed"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"


class CompensationStatus(StrEnum):
    """How the undoing of a completed step ended."""

    COMPENSATED = "compensated"
    FAILED = "failed"


_S = ExecutionStatus
_BEFORE_EXECUTION: Mapping[ExecutionStatus, frozenset[ExecutionStatus]] = {
    _S.RECEIVED: frozenset({_S.PARSING, _S.PLANNED, _S.CANCELLED}),
    _S.PARSING: frozenset({_S.PARSED, _S.REJECTED, _S.TIMEOUT, _S.FAILED}),
    _S.PARSED: frozenset({_S.PLANNING, _S.CANCELLED}),
    _S.PLANNING: frozenset({_S.PLANNED, _S.REJECTED, _S.TIMEOUT, _S.FAILED}),
    _S.PLANNED: frozenset({_S.STARTED, _S.EXECUTING, _S.REJECTED, _S.CANCELLED}),
    _S.STARTED: frozenset({_S.EXECUTING, _S.FAILED, _S.TIMEOUT, _S.CANCELLED}),
}
_ENDS = frozenset({_S.COMPLETED, _S.FAILED, _S.TIMEOUT, _S.CANCELLED})
# EXECUTING and COMPENSATING may follow themselves: that is what a resume is.
TRANSITIONS: Mapping[ExecutionStatus, frozenset[ExecutionStatus]] = {
    **_BEFORE_EXECUTION,
    _S.EXECUTING: _ENDS | {_S.EXECUTING, _S.REFLECTING, _S.AWAITING_CONFIRMATION, _S.COMPENSATING},
    _S.AWAITING_CONFIRMATION: frozenset(
        _ENDS - {_S.COMPLETED} | {_S.EXECUTING, _S.AWAITING_CONFIRMATION, _S.COMPENSATING}
    ),
    _S.REFLECTING: frozenset({_S.EXECUTING, _S.FAILED, _S.CANCELLED, _S.COMPENSATING}),
    _S.COMPENSATING: frozenset(
        {_S.COMPENSATING, _S.COMPENSATED, _S.COMPENSATION_FAILED, _S.CANCELLED}
    ),
    **dict.fromkeys(
        (
            _S.COMPLETED,
            _S.FAILED,
            _S.REJECTED,
            _S.TIMEOUT,
            _S.CANCELLED,
            _S.COMPENSATED,
            _S.COMPENSATION_FAILED,
        ),
        frozenset[ExecutionStatus](),
    ),
}


def is_terminal(status: ExecutionStatus) -> bool:
    """Whether no transition leads out of `status`."""
    return not TRANSITIONS[status]


def check_transition(current: ExecutionStatus, target: ExecutionStatus) -> ExecutionStatus:
    """Return `target` if the table allows it.

    Raises:
        InvalidTransitionError: it does not; the message lists what would be allowed.
    """
    allowed = TRANSITIONS[current]
    if target in allowed:
        return target
    if not allowed:
        raise InvalidTransitionError(f"cannot transition from terminal state '{current}'")
    names = ", ".join(sorted(allowed))
    raise InvalidTransitionError(
        f"invalid transition from '{current}' to '{target}'; allowed: {names}"
    )
