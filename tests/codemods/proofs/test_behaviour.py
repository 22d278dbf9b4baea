"""Without these a comparison that judged nothing could count as agreement."""

import pytest

from codemods.proofs import behaviour
from codemods.proofs.proof import BehaviourReport


def prove(shop, report):
    compare = None if report is None else lambda: report
    return list(behaviour.prove(shop.claim(behaviour=compare)))


@pytest.mark.parametrize("report", [None, BehaviourReport(0), BehaviourReport(0, ("a: differs",))])
def test_no_comparison_is_not_run(shop, report):
    (proof,) = prove(shop, report)
    assert proof.is_unexamined and proof.path == "."


def test_agreement_says_how_much_was_compared(shop):
    (proof,) = prove(shop, BehaviourReport(7, source="the corpus"))
    assert (proof.fault, proof.detail) == ("", "7 scenarios of the corpus")


def test_every_divergence_is_a_fault_and_none_is_lost(shop):
    proofs = prove(shop, BehaviourReport(30, tuple(f"s{n}: differs" for n in range(25))))
    assert [item.fault for item in proofs[:2]] == ["s0: differs", "s1: differs"]
    assert len(proofs) == 21 and proofs[-1].fault == "5 further divergences"
    assert all(item.path == "." and not item.is_unexamined for item in proofs)
