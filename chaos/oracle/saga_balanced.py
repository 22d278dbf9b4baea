"""In the end everything that can be undone was undone, once, or nothing was, or what remains is listed."""

from collections.abc import Iterator

from chaos.fault_kinds import FaultKind
from chaos.oracle.facts import Facts, Finding
from engine import EffectSemantics

_ROLLED_BACK = frozenset(
    {"COMPENSATING", "COMPENSATED", "COMPENSATION_FAILED", "CANCELLED", "FAILED", "TIMEOUT"}
)
_ASKED = frozenset({EffectSemantics.QUERYABLE, EffectSemantics.AT_MOST_ONCE})


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield steps whose effects and compensations do not match the status that is told."""
    status = facts.settled.status
    for name, step in facts.steps.items():
        forward = [effect.number for effect in facts.effects_of(name)]
        back = [effect.number for effect in facts.effects_of(name, compensation=True)]
        if len(back) > 1:
            yield f"{name} was undone {len(back)} times", tuple(back)
        if back and not forward:
            yield f"{name} was undone, and never done", tuple(back)
        if status == "COMPLETED" and back and not rollback_forgotten(facts):
            yield f"the execution is COMPLETED, and {name} was undone", tuple(back)
        undoes = status in {"COMPENSATED", "CANCELLED", "FAILED", "TIMEOUT"}
        if (
            undoes
            and "compensation" in step
            and forward
            and not back
            and not is_excused(facts, name)
        ):
            yield f"the execution is {status}, and {name} was not undone", tuple(forward)


def rollback_forgotten(facts: Facts) -> bool:
    """Whether the store has lost that the execution was being undone, or had been.

    Whoever was undoing it may go on until his next write is refused. Only durability `replicated`
    promises that this does not happen: there replicas know of a rollback before anything is undone.
    """
    if facts.plan.waits_for_replicas:
        return False
    return any(
        facts.before(cut.number).status in _ROLLED_BACK
        and facts.before(cut.number + 1).status not in _ROLLED_BACK
        for cut in facts.cuts
    )


def is_excused(facts: Facts, name: str) -> bool:
    """Whether nobody could know of a step's effect: documented, and for its tool to prevent.

    A call that raised after its effect says not how to undo it, unless its tool can be asked or is
    in doubt; a late effect is for the tool to refuse; a person may have given a doubt up.
    """
    effects = facts.effects_of(name)
    if facts.script(facts.tool_of(name)).effects not in _ASKED:
        if facts.fired([FaultKind.TIMEOUT_AFTER_EFFECT], name):
            return True
    elif facts.plan.settles_doubt is False and facts.ever_in_doubt(name):
        return True
    return all(effect.late or facts.is_stale(effect) for effect in effects) or bool(facts.cuts)
