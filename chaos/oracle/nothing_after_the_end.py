"""Nothing is called, and nothing changes, after an execution has ended."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding, is_terminal


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield calls after the end; those of a process that was superseded are excused."""
    for attempt in facts.attempts:
        durable = facts.before(attempt.number)
        if is_terminal(durable.status) and not facts.is_stale(attempt):
            where = (durable.number, attempt.number)
            yield f"{attempt.step} is called although the execution is {durable.status}", where
    for before, after in facts.neighbours():
        if is_terminal(before.status) and after.status is not None and after.steps != before.steps:
            yield "steps change after the end", (before.number, after.number)
