"""Without these two worlds could let somebody else act next, and nobody would know which is right."""

import pytest

from chaos.fault_id import parse_case
from chaos.plans import find_plan
from chaos.port import DurableView
from chaos.worlds.rules import (
    ASK_AGAIN_MS,
    PAUSE_MS,
    ImpossibleCaseError,
    answer_of,
    check_case,
    next_due_ms,
)

ASKED = DurableView(
    "AWAITING_CONFIRMATION", waiting_for="s2", waiting_reason="requires_confirmation"
)
DOUBT = DurableView("AWAITING_CONFIRMATION", waiting_for="s2", waiting_reason="in_doubt")


@pytest.mark.parametrize(
    ("view", "first", "failed", "due"),
    [
        (DurableView(), True, False, 50),
        (DurableView(), False, False, 50 + ASK_AGAIN_MS),
        (DurableView("COMPLETED", ended=True), False, False, None),
        (DurableView("EXECUTING", due_at_ms=900), False, True, 900),
        (DurableView("EXECUTING", due_at_ms=20), False, False, 50),
        (DurableView("EXECUTING", due_at_ms=20), False, True, 50 + PAUSE_MS),
        (ASKED, False, False, 50),
        (DOUBT, False, False, None),
    ],
)
def test_who_acts_next(view, first, failed, due):
    plan = find_plan("chain1")
    assert next_due_ms(view, plan, 50, is_first=first, failed_last=failed) == due


def test_what_a_person_says():
    assert answer_of(ASKED, find_plan("confirmation")) is True
    assert answer_of(ASKED, find_plan("rejection")) is False
    assert answer_of(DOUBT, find_plan("doubt-given-up")) is False
    assert answer_of(DurableView("EXECUTING"), find_plan("confirmation")) is None


@pytest.mark.parametrize(
    "fault_id",
    ["chain1/L1@server#1:CUT=1", "chain1/L1@server#1:FAILOVER=1/policy=everysec"],
)
def test_a_store_that_keeps_everything_loses_nothing(fault_id):
    with pytest.raises(ImpossibleCaseError, match="give the case policy"):
        check_case(parse_case(fault_id))


def test_a_store_without_a_file_keeps_nothing_over_a_restart():
    with pytest.raises(ImpossibleCaseError, match="give the case another policy"):
        check_case(parse_case("chain1/L1@begin#1:RESTART/policy=off"))
