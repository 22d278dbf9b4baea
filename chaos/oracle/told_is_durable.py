"""Whatever end a caller is told of is durable when it is told, or was and the store has lost it."""

from collections.abc import Iterator

from chaos.history import LifeEnded
from chaos.oracle.facts import Facts, Finding, is_terminal


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield ends that a caller was told of and the store does not know."""
    for end in facts.history.of(LifeEnded):
        if end.how != "returned" or not is_terminal(end.status):
            continue
        durable = facts.before(end.number)
        if durable.status != end.status and not _was_lost(facts, end):
            where = (durable.number, end.number)
            yield f"the caller was told {end.status}; durable is {durable.status}", where


def _was_lost(facts: Facts, end: LifeEnded) -> bool:
    """Whether the end was durable, and went with a loss before the caller was told."""
    return any(
        one.status == end.status
        and one.number < end.number
        and facts.cut_between(one.number, end.number)
        for one in facts.checkpoints
    )
