"""A call that must not be repeated and whose outcome nobody knows leaves its step in doubt."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding
from engine import EffectSemantics


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield steps that are said to have failed, or not to have begun, although they took effect."""
    if facts.cuts:
        return
    for name in facts.steps:
        if facts.script(facts.tool_of(name)).effects is not EffectSemantics.AT_MOST_ONCE:
            continue
        view = facts.last.steps.get(name)
        status = "pending" if view is None else view.status
        given_up = facts.plan.settles_doubt is False and facts.ever_in_doubt(name)
        effects = facts.effects_of(name)
        if effects and status not in {"completed", "in_doubt", "in_progress"} and not given_up:
            where = (effects[0].number, facts.last.number)
            yield f"{name} took effect, and is said to be {status}", where
