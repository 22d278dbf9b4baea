"""The metric "all execution tests pass, and none of them still uses legacy"."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from conformance.errors import HarnessError
from conformance.metrics.legacy_imports import ScanEvidence
from conformance.report import Finding, Verdict

METRIC = "execution-tests"
SHOWN = 5  # names of failing tests that a report lists; the rest is counted

Outcome = Literal["passed", "failed", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class TestCase:
    """One test of a run, by the names that JUnit gives it."""

    __test__ = False  # not a pytest class

    classname: str
    name: str
    outcome: Outcome

    @property
    def label(self) -> str:
        """The name under which a report shows the test."""
        return f"{self.classname}::{self.name}" if self.classname else self.name


@dataclass(frozen=True, slots=True)
class TestEvidence:
    """The tests of one run, where their results were read, and the scan of the tests' own source.

    `unavailable` says why there are no results (no command, a stale file); `cases` is empty then.
    """

    __test__ = False  # not a pytest class

    cases: tuple[TestCase, ...]
    source: str
    unavailable: str = ""
    scan: ScanEvidence | None = None


def read_junit(file: Path) -> tuple[TestCase, ...]:
    """Return the test cases in a JUnit XML file.

    Raises:
        HarnessError: the file cannot be read or is no JUnit XML (a run that was cut short).
    """
    try:
        root = ET.fromstring(file.read_bytes())  # noqa: S314 - the user's own test run
    except OSError as error:
        raise HarnessError(error.strerror or "cannot be read", place=str(file)) from None
    except ET.ParseError as error:
        raise HarnessError(f"is not XML: {error}", place=str(file)) from None
    if root.tag not in {"testsuites", "testsuite"}:
        raise HarnessError(f"is not JUnit XML: the root is <{root.tag}>", place=str(file))
    return tuple(
        TestCase(case.get("classname", ""), case.get("name", ""), _outcome(case))
        for case in root.iter("testcase")
    )


def judge(evidence: TestEvidence) -> Finding:
    """Return whether every test passed and none uses legacy. A run without tests is no pass."""
    counts = {
        kind: [case for case in evidence.cases if case.outcome == kind]
        for kind in ("passed", "failed", "error", "skipped")
    }
    broken = (*counts["error"], *counts["failed"])
    verdict, reason = _verdict(evidence, len(counts["passed"]), broken)
    scan = evidence.scan
    still = "unknown" if scan is None or scan.unexamined else str(len(scan.occurrences))
    return Finding(
        id=METRIC,
        title="All execution tests pass",
        verdict=verdict,
        figure=(
            f"{len(counts['passed'])} passed, {len(broken)} failed, {len(counts['skipped'])} skipped; "
            f"uses of legacy in tests: {still}"
        ),
        target="all pass, at least one, no use of legacy",
        evidence=(evidence.source, *(scan.places(SHOWN) if scan is not None else ())),
        reason=reason,
        details={
            "failed": [case.label for case in broken],
            "passed": len(counts["passed"]),
            "ran": len(counts["passed"]) + len(broken),
        },
    )


def _verdict(
    evidence: TestEvidence, passed: int, broken: Sequence[TestCase]
) -> tuple[Verdict, str]:
    if broken:
        names = ", ".join(case.label for case in broken[:SHOWN])
        more = f" and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        return Verdict.MISSED, f"{names}{more}"
    scan = evidence.scan
    if scan is not None and scan.occurrences:
        return Verdict.MISSED, f"{len(scan.occurrences)} uses of legacy in tests"
    unknown = _unexamined(scan)
    if evidence.unavailable or passed == 0:
        unknown = evidence.unavailable or "no test ran to a pass"
    return (Verdict.UNKNOWN, unknown) if unknown else (Verdict.MET, "")


def _unexamined(scan: ScanEvidence | None) -> str:
    if scan is None or scan.files == 0:
        return "the source of the tests was not examined"
    open_ = len(scan.unexamined) + len(scan.undecided)
    return f"{open_} candidates in tests could not be decided" if open_ else ""


def _outcome(case: ET.Element) -> Outcome:
    if case.find("error") is not None:
        return "error"
    if case.find("failure") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"
