"""Without these the Docket adapter could be certified for what it does without Docket."""

import pytest

from conformance import driver
from conformance.kit import drive
from conformance.kit.certification import Verdict, examine
from conformance.kit.requirements import read_requirements
from conformance.subjects import docket as subject
from conformance.subjects.docket import DocketSubject

CLAUSES = read_requirements().by_id


@pytest.mark.parametrize(
    "clause",
    [
        "runs-a-chain",
        "waits-between-attempts",
        "finishes-a-long-plan",
        "takes-over-in-time",
        "two-start-at-once",
        "a-late-owner-does-nothing",
        "hands-a-run-out",
    ],
)
def test_a_clause_is_kept(clause):
    assert examine(CLAUSES[clause], DocketSubject) == (Verdict.PASSED, ())


def test_without_its_workers_nothing_is_carried_out(monkeypatch):
    monkeypatch.setattr(subject.docket_executor, "register", lambda *_, **__: None)
    monkeypatch.setattr(drive, "TAKE_OVER_MS", 1)
    monkeypatch.setattr(driver, "MAX_RUN_SEGMENTS", 1)
    verdict, reasons = examine(CLAUSES["runs-a-chain"], DocketSubject)
    assert verdict is Verdict.FAILED
    assert {reason.code for reason in reasons} >= {"wrong-end", "missing-call"}


def test_a_worker_that_cannot_begin_is_an_answer(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no worker today")

    monkeypatch.setattr(subject.docket_executor, "register", refuse)
    verdict, reasons = examine(CLAUSES["runs-a-chain"], DocketSubject)
    assert verdict is Verdict.FAILED
    assert any("no worker today" in reason.text for reason in reasons)
