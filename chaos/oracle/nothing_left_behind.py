"""An execution that has ended leaves nothing behind: no lease, no queue entry, no timer."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding, is_terminal


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield what should not be there any more."""
    settled = facts.settled
    if settled.left_behind and is_terminal(settled.status):
        yield f"left behind: {', '.join(settled.left_behind)}", (settled.number,)
    if is_terminal(settled.status) and (facts.last.leased or facts.last.waiting_for is not None):
        yield "an execution that has ended is leased, or waits", (facts.last.number,)
