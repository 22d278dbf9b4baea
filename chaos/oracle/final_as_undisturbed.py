"""The execution ends as it would have ended undisturbed, unless what failed was a tool."""

from collections.abc import Iterator

from chaos.history import Settled
from chaos.oracle.facts import TOOL_FAULTS, Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield an end that differs; tool faults, doubts, losses and cancels have ends of their own."""
    expected = next(iter(facts.reference.of(Settled)))
    found = facts.settled
    doubted = any(facts.ever_in_doubt(name) for name in facts.steps)
    if facts.fired(TOOL_FAULTS) or doubted or facts.plan.cancel_after_ms is not None:
        return
    if found.status != expected.status:
        yield f"it ended {found.status}; undisturbed it ends {expected.status}", (found.number,)
    elif found.state_hash != expected.state_hash:
        yield "its final state is another one than undisturbed", (found.number,)
