"""A report with one item of every status, and texts that formats trip over."""

import pytest

from conformance.errors import ExitCode
from conformance.report import Verdict
from conformance.report_model import (
    LEDGER_GROUP,
    Change,
    Codemod,
    Divergence,
    Gauge,
    Item,
    LedgerRow,
    LedgerSection,
    Metric,
    Place,
    RunReport,
    Status,
    Timeline,
)
from conformance.report_model_chaos import (
    Chaos,
    CoverageCell,
    Guarantee,
    KillCell,
    Mutant,
    SideBySide,
)

NASTY = "</script><b>&\"'`|\x00\x1b[31m\ud800 ]]> ä \u2028 end"
TIMELINE = Timeline(
    left=("call a {}", "call c {}", "execute: failure, 2 completed", "b: pending"),
    right=("call a {}", "call c {}", "call b {}", "execute: success, 3 completed"),
    differs_at=2,
)
DIVERGENCE = Divergence(
    layer="L0", subject="terminal outcome", path="terminal", left="failed", right="completed"
)


def scenario(name, status, **fields):
    return Item(id=name, group="scenarios", status=status, **fields)


ITEMS = (
    scenario("fine", Status.PASSED, duration_ms=12.5),
    scenario(
        "accepted",
        Status.LEDGERED,
        message="accepted by DIV-001",
        entries=("DIV-001",),
        layers=("L0", "L2"),
        divergence=DIVERGENCE,
        timeline=TIMELINE,
    ),
    scenario(
        "broken",
        Status.FAILED,
        kind="unified wrong",
        message=f"L0 terminal outcome: terminal {NASTY}",
        layers=("L0",),
        divergence=DIVERGENCE,
        timeline=TIMELINE,
        place=Place(path=".planproof/findings/broken.json", line=1),
        evidence=("smallest: 2 of 9 steps",),
        replay="planproof diff --scenarios .planproof/findings/broken.json",
        proposal='[[divergence]]\nid = "DIV-002"',
    ),
    scenario("noisy", Status.NONDETERMINISTIC, message="two runs of legacy differ"),
    scenario("refused", Status.UNTESTABLE, message="an executor refuses it"),
    scenario("crashed", Status.HARNESS_ERROR, message="KeyError: 'x'"),
    Item(
        id="DIV-003: stale",
        group=LEDGER_GROUP,
        status=Status.LEDGER_FAULT,
        kind="stale",
        title="DIV-003",
        message="its example does not diverge any more",
        place=Place(path="divergences.toml", line=7),
    ),
    Item(
        id="rollout",
        group="checklist",
        status=Status.FAILED,
        title="The flag is rolled out",
        message="planned",
        role="advisory",
    ),
    Item(
        id="src/a b.py:3:6 DE002",
        group="production code",
        status=Status.FAILED,
        kind="DE002",
        title="from_import of durable_execution",
        message="durable_execution is used",
        place=Place(
            path="src/a b.py", line=3, column=6, end_column=23, text="from durable_execution"
        ),
    ),
)
METRICS = (
    Metric(
        id="engine-size",
        title="workflow_machine is smaller",
        verdict=Verdict.MET,
        figure="1000 code lines",
        target="at most 1283 lines",
        gauge=Gauge(value=37.6, goal=20, low=0, high=100, unit="%", better="higher"),
    ),
    Metric(
        id="failures",
        title="No increase in execution failures",
        verdict=Verdict.MISSED,
        figure="1 of 9 pairs",
        reason="legacy succeeded, unified did not: broken",
        gauge=Gauge(value=1, goal=0, low=0, high=10, unit="pairs", better="lower"),
    ),
    Metric(
        id="documentation",
        title="Documentation is complete",
        verdict=Verdict.UNKNOWN,
        figure="not measured",
        cause=ExitCode.HARNESS,
        reason="ValueError: no",
    ),
)
LEDGER = LedgerSection(
    path="divergences.toml",
    rows=(
        LedgerRow(
            id="DIV-001",
            title="legacy hides a step from itself",
            layers=("L0", "L2"),
            when='legacy.end == "deadlock"',
            legacy="fails",
            unified="completes",
            reason="a plan that can be carried out is carried out",
            decision="fix",
            owner="engine",
            since="2026-11-22",
            expires="2027-11-22",
            example="accepted.json",
            max_share=0.1,
            used=1,
            line=3,
        ),
    ),
)
CHAOS = Chaos(
    world="sim",
    seed=7,
    coverage=(
        CoverageCell(site="charge.commit", kind="A", runs=4, fired=4),
        CoverageCell(site="charge.commit", kind="B", runs=4, fired=4, violations=1),
        CoverageCell(site="charge.tool", kind="TA", runs=2, fired=0),
    ),
    mutants=(
        Mutant(id="M01", title="done is written before the call"),
        Mutant(id="M02", title="a comment more", harmless=True),
    ),
    kills=(
        KillCell(mutant="M01", kind="A", killed=True, witness="chain3/L1@charge.commit#1:A"),
        KillCell(mutant="M02", kind="A", killed=False),
    ),
    guarantees=(
        Guarantee(
            tool_class="keyed",
            store_policy="fsync always",
            failure="kill",
            promised="exactly once",
            measured="exactly once",
            holds=True,
            cases=120,
        ),
        Guarantee(
            tool_class="unkeyed",
            store_policy="everysec",
            failure="power loss",
            promised="at least once",
            measured="",
            holds=None,
        ),
    ),
    legacy_side_by_side=(
        SideBySide(executor="legacy", outcome="lost", points=12, of=64),
        SideBySide(executor="unified", outcome="lost", points=0, of=64),
    ),
)
CODEMOD = Codemod(
    written=False,
    files=1,
    changes=(
        Change(
            path="src/a.py",
            line=3,
            before="from durable_execution import execute_segment\n",
            after="from engine import execute_workflow\n",
            rules=("CM001",),
        ),
    ),
)


def report_of(**changes):
    fields = {
        "kind": "gate",
        "product_version": "0.1.0",
        "subject": "a <repository>",
        "source": "pyproject.toml",
        "root": "/repo",
        "command": "planproof gate --profile pr",
        "profile": "pr",
        "executors": ("legacy", "unified"),
        "started_at": "2026-11-29T10:00:00.000Z",
        "duration_ms": 1500,
        "metrics": METRICS,
        "items": ITEMS,
        "ledger": LEDGER,
        "rules": {"ids@1": 3},
        "facts": (("store", "fake"),),
    }
    return RunReport(**(fields | changes))


@pytest.fixture
def report():
    return report_of()
