"""Executors that are not ours: what the kit says of them must be what they do.

Every clause of one takes minutes, for each process of it imports its package. These are the ones
that tell the executors apart; the table in `conformance/kit/README.md` has them all.
"""

import importlib.util

import pytest

from conformance.errors import HarnessError
from conformance.kit.certification import Verdict, examine
from conformance.kit.requirements import read_requirements
from conformance.subject import find_subject
from conformance.subjects.programs import PackagedProgram

REQUIREMENTS = read_requirements()
PASSED = None
FOUND = {
    ("dbos", "repeats-under-the-same-key"): PASSED,
    ("dbos", "keeps-to-the-allowed-tools"): "not-refused",
    ("langgraph", "repeats-under-the-same-key"): PASSED,
    ("langgraph", "keeps-to-the-allowed-tools"): "not-refused",
    ("langgraph", "a-late-owner-does-nothing"): "late-call",
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "clause"), FOUND, ids=map("-".join, FOUND))
def test_a_foreign_executor_is_found_as_it_is(name, clause):
    verdict, reasons = examine(REQUIREMENTS.by_id[clause], find_subject(name), silence_s=120)
    code = FOUND[name, clause]
    assert verdict is (Verdict.PASSED if code is PASSED else Verdict.FAILED), reasons
    assert (reasons[0].code if reasons else PASSED) == code


@pytest.mark.parametrize("name", ["dbos", "langgraph"])
def test_the_development_extra_brings_the_packages(name):
    assert importlib.util.find_spec(name) is not None


def test_a_package_that_is_missing_is_named_with_its_extra():
    with pytest.raises(HarnessError, match="no_such_package is not installed") as caught:
        PackagedProgram("dbos", "no_such_package")(None)
    assert "planproof[dbos]" in caught.value.line()
