"""At no time is a live execution without a time at which somebody looks after it, or a person to ask."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding, is_terminal


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield the first moment at which a crash would have left the execution to nobody."""
    for checkpoint in facts.checkpoints:
        live = checkpoint.status is not None and not is_terminal(checkpoint.status)
        if live and checkpoint.due_at_ms is None and checkpoint.waiting_for is None:
            yield "a live execution is not due, and waits for nobody", (checkpoint.number,)
            return
        if live and checkpoint.due_at_ms is None and checkpoint.leased:
            yield "a lease that nobody would miss: it is not in the queue", (checkpoint.number,)
            return
