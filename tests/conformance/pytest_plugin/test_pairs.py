"""What two outcomes of a test say together, and what a run is worth."""

from typing import get_args

import jsonschema
import pytest

from conformance.executor_pairs_schema import Executor, PairKind, TestOutcome
from conformance.pytest_plugin.pairs import (
    FAILED_OUTCOMES,
    PASSED_OUTCOMES,
    SKIPPED_OUTCOMES,
    Kind,
    PassRecord,
    pair_up,
)
from conformance.pytest_plugin.passes import EXECUTORS
from conformance.schemas import schema

VALIDATOR = jsonschema.Draft202012Validator(schema("executor-pairs"))


def records(legacy, unified, **more):
    def record(executor, outcome):
        outcomes = {} if outcome is None else {"t": outcome}
        code = 1 if outcome in {"failed", "error"} else 0
        return PassRecord(executor, code, outcomes, {"t": "why"}, ("durable_execution",), **more)

    return [record("legacy", legacy), record("unified", unified)]


@pytest.mark.parametrize(
    ("legacy", "unified", "kind", "code", "lenient_code"),
    [
        ("passed", "passed", Kind.SAME, 0, 0),
        ("skipped", "skipped", Kind.SAME, 0, 0),
        ("passed", "failed", Kind.REGRESSION, 1, 1),
        ("passed", "error", Kind.REGRESSION, 1, 1),
        ("skipped", "failed", Kind.REGRESSION, 1, 1),
        ("xfailed", "failed", Kind.REGRESSION, 1, 1),
        ("passed", None, Kind.REGRESSION, 1, 1),
        ("failed", "passed", Kind.FIXED, 1, 0),
        ("failed", "failed", Kind.BOTH_FAILED, 1, 0),
        ("failed", "error", Kind.BOTH_FAILED, 1, 0),
        ("passed", "skipped", Kind.DIFFERS, 0, 0),
        ("failed", None, Kind.NOT_RUN, 1, 0),
        (None, "passed", Kind.NOT_RUN, 1, 0),
    ],
)
def test_a_pair(legacy, unified, kind, code, lenient_code):
    given = records(legacy, unified)
    (pair,) = pair_up(given).pairs
    assert pair.kind is kind
    assert pair_up(given).verdict[0] == code
    assert pair_up(given, lenient=True).verdict[0] == lenient_code


def test_the_order_in_which_they_ran_does_not_matter():
    (pair,) = pair_up(records("passed", "failed")[::-1]).pairs
    assert pair.kind is Kind.REGRESSION
    assert pair.fault == "why"


def test_a_run_that_was_stopped_proves_no_regression():
    (pair,) = pair_up(records("passed", None, stopped=True)).pairs
    assert pair.kind is Kind.NOT_RUN


@pytest.mark.parametrize("code", [2, 3, 4])
def test_a_run_that_broke_makes_all_unknown(code):
    first, second = records("passed", "passed")
    broken = PassRecord("unified", code, second.outcomes, {}, second.reached)
    found = pair_up([first, broken]).verdict
    assert found[0] == code
    assert found[1].startswith("unknown: under unified")


def test_a_complaint_makes_all_unknown():
    first, _ = records("passed", "passed")
    assert pair_up([first, PassRecord("unified", 0, complaint="too late")]).verdict[0] == 3


def test_the_summary_ends_in_the_verdict():
    lines = list(pair_up(records("passed", "failed")).lines())
    assert lines[0].startswith("REGRESSION")
    assert "legacy passed, unified failed" in lines[0]
    assert lines[-1] == "1 regressions: passed under legacy alone"


def test_the_schema_knows_every_kind_outcome_and_executor():
    assert get_args(PairKind) == tuple(map(str, Kind))
    assert set(get_args(TestOutcome)) == PASSED_OUTCOMES | FAILED_OUTCOMES | SKIPPED_OUTCOMES
    assert get_args(Executor) == EXECUTORS


def test_a_document_is_as_its_schema_says_with_one_executor_too():
    for given in (
        records("passed", "failed"),
        records("passed", None),
        records("failed", None)[:1],
    ):
        assert list(VALIDATOR.iter_errors(pair_up(given).document())) == []


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "executor-pairs/v2"},
        {"executors": []},
        {"executors": ["other"]},
        {"counts": {"better": 1}},
        {"reached": ["durable_execution"]},
        {"pairs": [{"test": "t", "legacy": "passed"}]},
        {"pairs": [{"test": "t", "legacy": "well", "kind": "same"}]},
    ],
)
def test_a_broken_document_is_refused_by_the_schema(change):
    document = pair_up(records("passed", "failed")).document()
    assert not VALIDATOR.is_valid(document | change)
