"""Whatever end a caller is told of is durable when it is told."""

from collections.abc import Iterator

from chaos.history import LifeEnded
from chaos.oracle.facts import Facts, Finding, is_terminal


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield ends that a caller was told of and the store does not know."""
    for end in facts.history.of(LifeEnded):
        if end.how != "returned" or not is_terminal(end.status):
            continue
        durable = facts.before(end.number)
        if durable.status != end.status:
            where = (durable.number, end.number)
            yield f"the caller was told {end.status}; durable is {durable.status}", where
