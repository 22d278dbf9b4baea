"""What a person is asked is decided once, and nothing that needs a decision is done before it."""

from collections.abc import Iterator

from chaos.history import EventWritten
from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield second decisions, and calls that nobody has approved."""
    if facts.cuts:
        return
    decided = [one for one in facts.history.of(EventWritten) if one.name == "CONFIRMATION_DECIDED"]
    for name, step in facts.steps.items():
        if not step.get("requires_confirmation"):
            continue
        own = [event.number for event in decided if event.step == name]
        if len(own) > 1 and not facts.ever_in_doubt(name):
            yield f"{name} was decided {len(own)} times", tuple(own)
        calls = facts.attempts_of(name)
        if calls and (not own or calls[0].number < own[0]):
            yield f"{name} is called before a person has approved it", (calls[0].number,)
        if calls and not facts.plan.approves:
            yield f"{name} is called although it was rejected", (calls[0].number,)
