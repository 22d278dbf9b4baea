"""Without these the migration's evidence could compare two executors that were not struck alike."""

import pytest

from chaos.case import FaultPoint
from chaos.fault_id import parse_case
from conformance.side_by_side import PORTS, Fate, strike, struck_cases

AFTER_EFFECT = "chain2/L1@s1.tool#1:TA"


@pytest.mark.parametrize(
    ("executor", "case", "fate"),
    [
        ("legacy", AFTER_EFFECT, Fate.STUCK),
        ("legacy-restarted", AFTER_EFFECT, Fate.DUPLICATED),
        ("unified", AFTER_EFFECT, Fate.CLEAN),
        ("legacy", "chain2/L1@s2.commit#1:B", Fate.STUCK),
        ("legacy-restarted", "chain2/L1@s2.commit#1:B", Fate.DUPLICATED),
        ("legacy", "chain2/L1@s1.intent#1:B'", Fate.DIVERGED),
        ("legacy", "chain2/L1@finish#1:A", Fate.CLEAN),
    ],
)
def test_what_comes_of_a_fault(executor, case, fate):
    assert strike(executor, parse_case(case)).fate is fate


def test_calls_of_tools_are_struck_at_the_same_ids():
    calls: dict[str, set[tuple[str, FaultPoint]]] = {
        executor: {
            (case.plan, case.faults[0])
            for case in struck_cases(executor, ["diamond"])
            if case.faults[0].site.endswith(".tool")
        }
        for executor in PORTS
    }
    assert len(calls["unified"]) == 8
    assert len(set(map(frozenset, calls.values()))) == 1
