"""No increase in failures: pair by pair, and in production by a test that can say "unknown"."""

import sys

import pytest

from conformance.errors import ExitCode, UsageError
from conformance.metrics.failures import (
    PairEvidence,
    ProductionRecords,
    StatisticsMissingError,
    compare_rates,
    judge,
    judge_pairs,
    read_records,
)
from conformance.report import Verdict
from conformance.report_model_failures import Rates

GOOD = PairEvidence(pairs=10)


@pytest.mark.parametrize(
    ("changes", "verdict", "cause"),
    [
        ({}, Verdict.MET, None),
        ({"ledgered": ("a",)}, Verdict.MET, None),
        ({"increased": ("a",)}, Verdict.MISSED, None),
        ({"increased": ("a",), "ledger_faults": ("stale",)}, Verdict.MISSED, None),
        ({"unexplained": ("a",)}, Verdict.MISSED, None),
        ({"undecided": ("a",)}, Verdict.UNKNOWN, None),
        ({"pairs": 0}, Verdict.UNKNOWN, None),
        ({"ledger_faults": ("stale",)}, Verdict.UNKNOWN, ExitCode.LEDGER),
        ({"harness_faults": ("died",)}, Verdict.UNKNOWN, ExitCode.HARNESS),
        ({"harness_faults": ("died",), "increased": ("a",)}, Verdict.UNKNOWN, ExitCode.HARNESS),
    ],
)
def test_pairs(changes, verdict, cause):
    found, reason, found_cause = judge_pairs(PairEvidence(**{"pairs": 10, **changes}))
    assert (found, found_cause) == (verdict, cause)
    assert bool(reason) == (verdict is not Verdict.MET)


def _records(executions, failures):
    return ProductionRecords(executions, failures, "records.jsonl")


@pytest.mark.parametrize(
    ("legacy", "unified", "verdict"),
    [
        ((1000, 0), (1000, 0), Verdict.MET),
        ((100_000, 1000), (100_000, 1000), Verdict.MET),
        ((100_000, 1000), (100_000, 1100), Verdict.MET),  # a rise, within the stated margin
        ((1000, 10), (1000, 30), Verdict.MISSED),
        ((50, 0), (50, 50), Verdict.MISSED),
        ((100, 1), (100, 1), Verdict.UNKNOWN),  # too few to exclude a rise of a whole point
        ((0, 0), (1000, 0), Verdict.UNKNOWN),
        ((1000, 0), (0, 0), Verdict.UNKNOWN),
    ],
)
def test_rates(legacy, unified, verdict):
    compared = compare_rates(_records(*legacy), _records(*unified), margin=0.01, confidence=0.95)
    assert compared.verdict is verdict


def test_the_bound_holds_and_tightens_with_more_records():
    bounds = [
        compare_rates(
            _records(size, size // 100), _records(size, size // 100), margin=0.01, confidence=0.95
        ).upper_bound
        for size in (100, 1000, 10_000)
    ]
    assert bounds == sorted(bounds, reverse=True)
    assert all(bound > 0 for bound in bounds)


def test_more_confidence_needs_more_records():
    arguments = (_records(1000, 0), _records(1000, 0))
    assert compare_rates(*arguments, margin=0.004, confidence=0.95).verdict is Verdict.MET
    assert compare_rates(*arguments, margin=0.004, confidence=0.999).verdict is Verdict.UNKNOWN


def test_records_join_the_pairs_and_the_worse_verdict_wins():
    finding = judge(GOOD, (_records(1000, 10), _records(1000, 30)), margin=0.01, confidence=0.95)
    assert finding.verdict is Verdict.MISSED
    assert "production 30/1000 against 10/1000" in finding.figure
    assert "rate at most +1.00%" in finding.target
    assert "Fisher's exact p = 0.001" in finding.reason
    rates = Rates.model_validate(finding.details["rates"])
    assert [each.failures for each in rates.intervals] == [10, 30]
    assert rates.bound == rates.intervals[1].high - rates.intervals[0].low


def test_without_the_extra_the_rates_are_unknown_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    records = (_records(10, 0), _records(10, 0))
    with pytest.raises(StatisticsMissingError):
        compare_rates(*records, margin=0.01, confidence=0.95)
    finding = judge(GOOD, records, margin=0.01, confidence=0.95)
    assert finding.verdict is Verdict.UNKNOWN
    assert "pip install 'planproof[statistics]'" in finding.reason
    assert "rates" not in finding.details


def test_records_are_counted(tmp_path):
    file = tmp_path / "records.jsonl"
    file.write_text('{"success": true, "execution_id": "a"}\n\n{"success": false}\n')
    assert read_records(file) == ProductionRecords(2, 1, str(file))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", ":1: invalid JSON"),
        ('{"success": true}\n[]\n', ":2: expected an object with a boolean `success`"),
        ('{"success": "yes"}\n', ":1: expected an object with a boolean `success`"),
        ('{"success": true, "execution_id": "a"}\n' * 2, ":2: execution a is recorded twice"),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, text, message):
    file = tmp_path / "records.jsonl"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_records(file)
    assert caught.value.line().startswith(f"{file}{message}")
