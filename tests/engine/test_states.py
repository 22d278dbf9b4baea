"""Without these a status could be left by a way that nobody handles, or never be left at all."""

import itertools

import pytest

from engine.errors import InvalidTransitionError
from engine.states import TRANSITIONS, ExecutionStatus, check_transition, is_terminal

S = ExecutionStatus
TERMINAL = {
    S.COMPLETED, S.FAILED, S.REJECTED, S.TIMEOUT, S.CANCELLED, S.COMPENSATED, S.COMPENSATION_FAILED,
}  # fmt: skip
# The legacy executor's table; the unified one may add ways, never lose one.
LEGACY = {
    S.RECEIVED: {S.PARSING, S.CANCELLED},
    S.PARSING: {S.PARSED, S.REJECTED, S.TIMEOUT, S.FAILED},
    S.PARSED: {S.PLANNING, S.CANCELLED},
    S.PLANNING: {S.PLANNED, S.REJECTED, S.TIMEOUT, S.FAILED},
    S.PLANNED: {S.STARTED, S.EXECUTING, S.CANCELLED},
    S.STARTED: {S.EXECUTING, S.FAILED, S.TIMEOUT, S.CANCELLED},
    S.EXECUTING: {
        S.COMPLETED,
        S.FAILED,
        S.TIMEOUT,
        S.CANCELLED,
        S.REFLECTING,
        S.AWAITING_CONFIRMATION,
    },
    S.AWAITING_CONFIRMATION: {S.EXECUTING, S.CANCELLED, S.FAILED},
    S.REFLECTING: {S.EXECUTING, S.FAILED, S.CANCELLED},
}


def test_every_status_has_a_row() -> None:
    assert set(TRANSITIONS) == set(ExecutionStatus)


def test_terminal_statuses_are_exactly_these() -> None:
    assert {status for status in S if is_terminal(status)} == TERMINAL


@pytest.mark.parametrize("status", LEGACY)
def test_no_legacy_transition_is_lost(status: ExecutionStatus) -> None:
    assert LEGACY[status] <= TRANSITIONS[status]


@pytest.mark.parametrize(("current", "target"), list(itertools.product(S, S)))
def test_check_follows_the_table(current: ExecutionStatus, target: ExecutionStatus) -> None:
    if target in TRANSITIONS[current]:
        assert check_transition(current, target) is target
        return
    with pytest.raises(InvalidTransitionError) as caught:
        check_transition(current, target)
    assert current in str(caught.value)
    assert all(name in str(caught.value) for name in TRANSITIONS[current])


def test_every_end_is_reachable_and_every_resumable_status_may_follow_itself() -> None:
    reached = {S.EXECUTING}
    while new := {t for s in reached for t in TRANSITIONS[s]} - reached:
        reached |= new
    assert reached >= TERMINAL - {S.REJECTED}
    for status in (S.EXECUTING, S.AWAITING_CONFIRMATION, S.COMPENSATING):
        assert status in TRANSITIONS[status]


@pytest.mark.parametrize("status", [S.EXECUTING, S.AWAITING_CONFIRMATION])
@pytest.mark.parametrize("end", [S.FAILED, S.CANCELLED, S.TIMEOUT, S.COMPENSATING])
def test_a_run_and_a_wait_can_end_in_the_same_ways(
    status: ExecutionStatus, end: ExecutionStatus
) -> None:
    assert end in TRANSITIONS[status]
