"""Without these a loss of writes could be tried at a few places only, or never reach the executor."""

import pytest

from chaos.case import Judgement
from chaos.explore.cuts import cuts
from chaos.fault_id import format_case, parse_case
from chaos.fault_kinds import FaultKind
from chaos.running import run_case

CUTS_OF_CHAIN1 = 29


def test_a_chain_survives_the_loss_of_any_last_writes_at_every_node():
    results = list(cuts("chain1"))
    failed = {format_case(one.case): one.violations for one in results if one.judgement != "held"}
    assert failed == {}
    assert len(results) == CUTS_OF_CHAIN1


def test_a_cut_at_a_node_is_the_same_case_from_the_begin():
    for result in cuts("chain1", kind=FaultKind.FAILOVER, bound=2):
        again = run_case(result.case)
        assert (again.judgement, again.digest) == (Judgement.HELD, result.digest)


@pytest.mark.parametrize(
    "fault_id",
    [
        "cancel/L1@s3.commit+s2.undoing#1:CUT=3/policy=everysec",
        "cancel/L1@s2.undone+s1.undoing#1:CUT=1000/policy=off",
        "cancel/L1@s3.commit+s2.undoing#1:FAILOVER=3/retries=10/policy=failover",
    ],
)
def test_a_cancel_request_that_is_lost_with_its_rollback_is_forgotten(fault_id):
    assert run_case(parse_case(fault_id)).judgement is Judgement.HELD
