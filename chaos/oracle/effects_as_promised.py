"""A step has as many effects as the promises allow for its tool and for what happened to it."""

from collections.abc import Iterator

from chaos.case import StorePolicy
from chaos.oracle.facts import Facts, Finding
from chaos.oracle.promises import Disturbance, promised


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield steps with more effects than promised; further faults allow for further duplicates."""
    for name in facts.steps:
        disturbance = facts.disturbance(name)
        effects = facts.effects_of(name)
        for tool in sorted({effect.tool for effect in effects}):
            own = [effect.number for effect in effects if effect.tool == tool]
            promise = promised(facts.script(tool).effects, disturbance, StorePolicy.FAILOVER)
            if promise is None or promise.most is None:
                continue
            most = promise.most
            if most > 1:
                most = 1 + facts.interruptions(own[0], None)
            if len(own) > most:
                said = f"{promise.says} ({disturbance})"
                yield f"{name} had {len(own)} effects of {tool}; promised: {said}", tuple(own)
        if not effects and _is_said_completed(facts, name):
            yield f"{name} is completed and had no effect", (facts.last.number,)


def _is_said_completed(facts: Facts, name: str) -> bool:
    view = facts.last.steps.get(name)
    called = facts.attempts_of(name)
    if view is None or view.status != "completed" or not called:
        return False
    promise = promised(facts.script(called[-1].tool).effects, Disturbance.NONE)
    return promise is not None and promise.least > 0
