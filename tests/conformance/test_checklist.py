"""Each row can be met and can be missed, by what the source and the test results show."""

import pytest

from conformance.checklist import LEGACY_NAMES, ROWS, ChecklistEvidence, answer
from conformance.config import Attestation
from conformance.errors import UsageError
from conformance.metrics.execution_tests import TestCase, TestEvidence
from conformance.metrics.legacy_imports import ScanEvidence
from conformance.metrics.monitoring import AlertTests
from conformance.report import Finding, Verdict
from tests.conformance.test_monitoring import MONITORED

UTILITIES = "\n".join(
    f"def {name}(): ..."
    for name in ("resolve_step_parameters", "find_ready_steps", "execute_step_with_checkpointing")
)
INTERFACE = """
class WorkflowExecutor(Protocol):
    async def execute(self): ...
    async def get_state(self): ...
class ExecutionResult: ...
class SingleStepResult: ...
"""
MACHINE = """
from engine.utils.execution_utils import find_ready_steps
class WorkflowMachine:
    async def execute(self): ...
    async def get_state(self): ...
"""
FRONT = "from engine.router import Router\n" + "\n".join(
    f"@deprecated('x')\nclass {name}: ..." for name in (*LEGACY_NAMES, "StepState")
)
PASSED = AlertTests("passed")
SOURCES = {
    "engine/utils/execution_utils.py": UTILITIES,
    "engine/types/execution.py": INTERFACE,
    "engine/workflow_machine.py": MACHINE,
    "engine/router.py": 'class Router:\n    modes = ("legacy", "unified", "shadow")\n',
    **MONITORED,
    "legacy/executor.py": '__all__ = ["LIMIT_MS", "execute_segment", "StepState"]\n',
    "legacy/front.py": FRONT,
}
TESTS = TestEvidence(
    (TestCase("tests.chaos.test_kill", "test_resumes", "passed"),),
    "junit.xml",
)
SCAN = ScanEvidence(files=3)
DOCUMENTED = Finding(id="d", title="D", verdict=Verdict.MET, figure="all", target="all")


def _rows(
    sources=SOURCES,
    *,
    tests=TESTS,
    scan=SCAN,
    documentation=DOCUMENTED,
    attested=None,
    alert_tests=PASSED,
):
    evidence = ChecklistEvidence(sources, tests, scan, documentation, alert_tests)
    return {row.id: row for row in answer(evidence, attested or {}, "pyproject.toml")}


def test_the_rows_are_the_plan_s_and_all_can_be_met():
    rows = _rows()
    assert list(rows) == [row.id for row in ROWS]
    assert {name: row.reason for name, row in rows.items() if row.verdict is not Verdict.MET} == {}


@pytest.mark.parametrize(
    ("path", "text", "row", "reason"),
    [
        ("legacy/front.py", "class ToolExecutor: ...", "deprecate-legacy", "planned: execute_seg"),
        (
            "legacy/front.py",
            FRONT.replace("class StepState", "class Other"),
            "deprecate-legacy",
            "planned: StepState",
        ),
        (
            "legacy/front.py",
            FRONT.partition("\n")[2],
            "deprecate-legacy",
            "planned: calls through engine.router",
        ),
        ("engine/utils/execution_utils.py", "", "shared-utilities", "planned: resolve_step"),
        ("engine/workflow_machine.py", "", "shared-utilities", "nothing in the engine uses them"),
        ("engine/workflow_machine.py", "", "one-interface", "planned: WorkflowMachine"),
        (
            "engine/workflow_machine.py",
            "class WorkflowMachine:\n    def execute(self): ...\n",
            "one-interface",
            "planned: get_state",
        ),
        ("engine/types/execution.py", "", "one-interface", "planned: WorkflowExecutor"),
        ("engine/router.py", "", "feature-flag", "planned: a Router"),
        (
            "engine/router.py",
            'class Router:\n    x = "legacy"\n',
            "feature-flag",
            "unified, shadow",
        ),
        ("engine/segment.py", "", "resume-monitoring", "emits no WORKFLOW_RESUME"),
        (
            "engine/watch/alerts.yml",
            "groups: []",
            "resume-monitoring",
            "planned: an alert on p_resum",
        ),
        (
            "engine/watch/alerts.yml",
            "groups: []",
            "checkpoint-alerts",
            "planned: an alert on p_fail",
        ),
    ],
)
def test_what_the_source_lacks_is_missed_with_the_reason(path, text, row, reason):
    found = _rows(sources={**SOURCES, path: text})[row]
    assert found.verdict is Verdict.MISSED
    assert reason in found.reason


def _tests(*cases):
    return TestEvidence(cases, "junit.xml")


@pytest.mark.parametrize(
    ("tests", "verdict"),
    [
        (None, Verdict.UNKNOWN),
        (_tests(), Verdict.UNKNOWN),
        (_tests(TestCase("tests.plain", "test_x", "passed")), Verdict.MISSED),
        (_tests(TestCase("tests.chaos", "test_x", "skipped")), Verdict.MISSED),
        (_tests(TestCase("tests.chaos", "test_x", "failed")), Verdict.MISSED),
    ],
)
def test_the_row_on_chaos_follows_from_the_results(tests, verdict):
    row = _rows(tests=tests)["chaos-tests"]
    assert row.verdict is verdict
    if "0 passed, 0 failed" in row.figure.replace(" tests of crash and resume", ""):
        assert "the fixture `chaos`" in row.reason, "the way out is told"


@pytest.mark.parametrize(
    ("scan", "verdict"),
    [
        (None, Verdict.UNKNOWN),
        (ScanEvidence(0), Verdict.UNKNOWN),
        (ScanEvidence(2, unexamined=("a",)), Verdict.UNKNOWN),
        (ScanEvidence(2, ("a.py:1",)), Verdict.MISSED),
    ],
)
def test_the_row_on_one_engine_follows_from_the_scan(scan, verdict):
    assert _rows(scan=scan)["one-engine-tests"].verdict is verdict


@pytest.mark.parametrize("row", ["resume-monitoring", "checkpoint-alerts"])
def test_the_rows_on_alerts_follow_from_their_tests(row):
    assert _rows(alert_tests=None)[row].verdict is Verdict.UNKNOWN
    assert _rows(alert_tests=AlertTests("not run", "no tool"))[row].reason == "no tool"
    assert _rows(alert_tests=AlertTests("failed", "no alert"))[row].verdict is Verdict.MISSED


def test_the_documentation_row_follows_the_metric():
    assert _rows(documentation=None)["documentation"].verdict is Verdict.UNKNOWN
    missed = DOCUMENTED.model_copy(update={"verdict": Verdict.MISSED})
    assert _rows(documentation=missed)["documentation"].verdict is Verdict.MISSED


def test_an_attestation_overrides_the_check_and_is_marked():
    note = Attestation(verdict="unknown", reason="asked the team", evidence="notes.md")
    found = _rows(attested={"feature-flag": note})["feature-flag"]
    assert (found.verdict, found.figure) == (Verdict.UNKNOWN, "attested")
    assert (found.evidence, found.reason) == (("notes.md",), "asked the team")


def test_an_attestation_of_an_unknown_row_lists_the_rows():
    note = Attestation(verdict="met", reason="r", evidence="e")
    with pytest.raises(UsageError, match=r"checklist\.docs: unknown row; rows: deprecate-legacy"):
        _rows(attested={"docs": note})
