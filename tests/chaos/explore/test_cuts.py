"""Without these a loss of writes could be tried at a few places only, or never reach the executor."""

from chaos.case import Judgement
from chaos.explore.cuts import cuts
from chaos.fault_id import format_case
from chaos.fault_kinds import FaultKind
from chaos.running import run_case

CUTS_OF_CHAIN1 = 42


def test_a_chain_survives_the_loss_of_any_last_writes_at_every_node():
    results = list(cuts("chain1"))
    failed = {format_case(one.case): one.violations for one in results if one.judgement != "held"}
    assert failed == {}
    assert len(results) == CUTS_OF_CHAIN1


def test_a_cut_at_a_node_is_the_same_case_from_the_begin():
    for result in cuts("chain1", kind=FaultKind.FAILOVER, bound=2):
        again = run_case(result.case)
        assert (again.judgement, again.digest) == (Judgement.HELD, result.digest)
