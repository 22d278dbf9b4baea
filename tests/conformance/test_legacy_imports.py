"""Zero uses is only met when everything was looked at."""

import pytest

from conformance.errors import ExitCode
from conformance.metrics.legacy_imports import ScanEvidence, judge
from conformance.report import Verdict


@pytest.mark.parametrize(
    ("evidence", "verdict", "code"),
    [
        (ScanEvidence(files=3), Verdict.MET, ExitCode.PASSED),
        (ScanEvidence(files=3, allowed=2), Verdict.MET, ExitCode.PASSED),
        (ScanEvidence(files=0), Verdict.UNKNOWN, ExitCode.VACUOUS),
        (ScanEvidence(files=3, occurrences=("a.py:1",)), Verdict.MISSED, ExitCode.FAILED),
        (ScanEvidence(files=3, undecided=("a.py:1",)), Verdict.UNKNOWN, ExitCode.VACUOUS),
        (ScanEvidence(files=3, unexamined=("a.py",)), Verdict.UNKNOWN, ExitCode.VACUOUS),
        (
            ScanEvidence(files=3, unexamined=("a.py",), occurrences=("b.py:1",)),
            Verdict.MISSED,
            ExitCode.FAILED,
        ),
        (ScanEvidence(files=3, allowance_faults=("stale",)), Verdict.UNKNOWN, ExitCode.LEDGER),
        (
            ScanEvidence(files=3, allowance_faults=("stale",), occurrences=("b.py:1",)),
            Verdict.MISSED,
            ExitCode.FAILED,
        ),
    ],
)
def test_verdict_and_exit_code(evidence, verdict, code):
    finding = judge(evidence)
    assert (finding.verdict, finding.exit_code) == (verdict, code)
    assert bool(finding.reason) == (verdict is not Verdict.MET)


def test_the_places_are_the_evidence_and_the_figure_counts_them_all():
    places = tuple(f"a.py:{line}" for line in range(1, 10))
    finding = judge(ScanEvidence(files=2, occurrences=places, allowed=1))
    assert finding.evidence == places[:5]
    assert finding.figure == "9 uses, 2 files examined, 1 allowed"
    assert finding.details["occurrences"] == list(places)
