"""What settled results say about failures: which divergences count, and as what."""

import pytest

from conformance.differential import PairResult
from conformance.evidence.pairs import pair_evidence
from conformance.verdict import Verdict

ANEW = {"legacy": {"success": True}, "unified": {"success": False}}
BETTER = {"legacy": {"success": False}, "unified": {"success": True}}
LOST = {"legacy": {"success": True}, "unified": {"success": None}}


@pytest.mark.parametrize(
    ("verdict", "facts", "field"),
    [
        (Verdict.REGRESSION, ANEW, "increased"),
        (Verdict.REGRESSION, LOST, "increased"),
        (Verdict.REGRESSION, BETTER, "unexplained"),
        (Verdict.REGRESSION, None, "unexplained"),
        (Verdict.NONDETERMINISTIC, None, "unexplained"),
        (Verdict.LEDGERED, ANEW, "ledgered"),
        (Verdict.UNTESTABLE, ANEW, "undecided"),
        (Verdict.PASS, None, None),
    ],
)
def test_each_verdict_counts_once(verdict, facts, field):
    evidence = pair_evidence(
        [PairResult("a", verdict, facts=facts)], ledger_faults=(), source="here"
    )
    found = {
        name: getattr(evidence, name)
        for name in ("increased", "unexplained", "ledgered", "undecided", "harness_faults")
    }
    assert found == {name: ("a",) if name == field else () for name in found}
    assert (evidence.pairs, evidence.source) == (1, "here")


def test_a_fault_of_the_harness_is_named_with_its_scenario():
    result = PairResult("a", Verdict.HARNESS_ERROR, reason="the store died")
    evidence = pair_evidence([result], ledger_faults=("DIV-001: stale",), source="here")
    assert evidence.harness_faults == ("a: the store died",)
    assert evidence.ledger_faults == ("DIV-001: stale",)
