"""A call that must be made at most once is never made again without a person's word."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding
from engine import EffectSemantics


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield second calls; where the store lost the intent of the first, nothing is promised."""
    if facts.plan.settles_doubt or facts.cuts:
        return
    for name in facts.steps:
        calls = [
            one.number
            for one in facts.attempts_of(name)
            if facts.script(one.tool).effects is EffectSemantics.AT_MOST_ONCE
        ]
        if len(calls) > 1:
            yield f"{name} is called again, although it must not be", tuple(calls)
