"""A retry that is to wait waits; a call that was cut short is repeated at once.

Pauses run on the clocks of workers: one that goes back by an hour makes a retry an hour early.
"""

from collections.abc import Iterator
from itertools import pairwise

from chaos.fault_kinds import FaultKind
from chaos.history import LifeEnded
from chaos.oracle.facts import CLOCK_FAULTS, Facts, Finding

JUMP_MS = 3_600_000
"""How far a clock fault sets a worker's clock back."""


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield retries before their time."""
    cut_short = [end.number for end in facts.history.of(LifeEnded) if end.how != "returned"]
    cut_short += [fault.number for fault in facts.faults if fault.kind not in CLOCK_FAULTS]
    early_ms = JUMP_MS * len(facts.fired([FaultKind.CLOCK_BACK]))
    for name, step in facts.steps.items():
        pause_ms = (step.get("retry_policy") or {}).get("backoff_ms", 0) - early_ms
        for before, after in pairwise(facts.attempts_of(name)):
            # A fault of a call is recorded just before the call.
            disturbed = any(before.number - 1 <= number < after.number for number in cut_short)
            waited_ms = after.at_ms - before.at_ms
            if waited_ms < pause_ms and before.tool == after.tool and not disturbed:
                where = (before.number, after.number)
                yield f"{name} is called again after {waited_ms} ms, not {pause_ms} ms", where
