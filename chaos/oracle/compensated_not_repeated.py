"""A compensation whose success is durable is not called again."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield compensations that are called although the store has their end."""
    for attempt in facts.attempts:
        durable = facts.before(attempt.number)
        view = durable.steps.get(attempt.step)
        if not attempt.compensation or view is None or view.compensation_status is None:
            continue
        if not facts.is_stale(attempt):
            where = (durable.number, attempt.number)
            yield f"{attempt.step} was {view.compensation_status} and is undone again", where
