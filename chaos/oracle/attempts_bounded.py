"""Calls are repeated only because an attempt failed or was cut short: each fault costs one at most."""

from collections.abc import Iterator

from chaos.history import FaultFired, LifeBegan
from chaos.oracle.facts import Facts, Finding
from engine.limits import COMPENSATION_ATTEMPTS


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield steps that were called more often than failures, faults and lives account for."""
    lives = sum(1 for _ in facts.history.of(LifeBegan)) - 1
    allowed = max(lives, 0) + sum(1 for _ in facts.history.of(FaultFired))
    for name in facts.steps:
        for compensation in (False, True):
            calls = facts.attempts_of(name, compensation=compensation)
            for tool in sorted({one.tool for one in calls}):
                own = [one.number for one in calls if one.tool == tool]
                needed = _needed(facts, name, tool, compensation=compensation)
                if len(own) > needed + allowed:
                    said = f"{needed} and {allowed} for what went wrong"
                    yield f"{name}: {len(own)} calls of {tool}, not {said}", tuple(own)


def _needed(facts: Facts, name: str, tool: str, *, compensation: bool) -> int:
    outcomes = facts.script(tool).outcomes
    if "ok" in outcomes:
        return outcomes.index("ok") + 1
    if compensation:
        return COMPENSATION_ATTEMPTS * len([1 for _ in facts.history.of(LifeBegan)])
    return int((facts.steps[name].get("retry_policy") or {}).get("max_attempts", 1))
