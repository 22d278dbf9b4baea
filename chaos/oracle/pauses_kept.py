"""A retry that is to wait waits, and a later one is not made without need."""

from collections.abc import Iterator
from itertools import pairwise

from chaos.oracle.facts import CLOCK_FAULTS, Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield retries before their time; a call that a fault has cut short is repeated at once."""
    for name, step in facts.steps.items():
        pause_ms = (step.get("retry_policy") or {}).get("backoff_ms", 0)
        for before, after in pairwise(facts.attempts_of(name)):
            disturbed = any(
                before.number < fault.number < after.number and fault.kind not in CLOCK_FAULTS
                for fault in facts.faults
            )
            waited_ms = after.at_ms - before.at_ms
            if waited_ms < pause_ms and before.tool == after.tool and not disturbed:
                where = (before.number, after.number)
                yield f"{name} is called again after {waited_ms} ms, not {pause_ms} ms", where
