"""A clause that its own broken executor passes examines nothing."""

import pytest

from conformance.kit.certification import Verdict, examine
from conformance.kit.flaws import FLAWS
from conformance.kit.requirements import read_requirements

REQUIREMENTS = read_requirements()


@pytest.mark.parametrize("clause", REQUIREMENTS.clauses, ids=lambda clause: clause.id)
def test_the_broken_executor_fails_for_the_clauses_own_reason(clause):
    verdict, reasons = examine(clause, FLAWS[clause.id])
    assert (verdict, reasons[0].code if reasons else None) == (Verdict.FAILED, clause.reason)


@pytest.mark.parametrize("clause", REQUIREMENTS.clauses, ids=lambda clause: clause.id)
def test_the_broken_executor_keeps_what_the_clause_requires(clause):
    for name in clause.requires:
        verdict, reasons = examine(REQUIREMENTS.by_id[name], FLAWS[clause.id])
        assert verdict is Verdict.PASSED, (name, reasons)
