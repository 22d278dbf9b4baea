"""The execution ends as it would have ended undisturbed, unless what failed was a tool."""

from collections.abc import Iterator

from chaos.history import Attempt, Settled
from chaos.oracle.facts import TOOL_FAULTS, Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield an end that differs; tool faults, doubts, losses, other answers and cancels have ends of their own."""
    expected = next(iter(facts.reference.of(Settled)))
    found = facts.settled
    asked_again = any(_answers_otherwise(facts, name) for name in facts.steps)
    doubted = any(facts.ever_in_doubt(name) for name in facts.steps)
    if facts.fired(TOOL_FAULTS) or doubted or asked_again or facts.plan.cancel_after_ms is not None:
        return
    if found.status != expected.status:
        yield f"it ended {found.status}; undisturbed it ends {expected.status}", (found.number,)
    elif found.state_hash != expected.state_hash:
        yield "its final state is another one than undisturbed", (found.number,)


def _answers_otherwise(facts: Facts, step: str) -> bool:
    """Whether a call that is not to be retried was repeated, and its tool then says something else."""
    script = facts.script(facts.tool_of(step))
    if len(set(script.outcomes)) == 1 or facts.steps[step].get("retry_policy"):
        return False
    undisturbed = sum(
        one.step == step and not one.compensation for one in facts.reference.of(Attempt)
    )
    return len(facts.attempts_of(step)) > undisturbed
