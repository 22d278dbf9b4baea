"""Nothing that is durable as a result is called again."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield calls of completed steps; one that a process makes after it was superseded is excused."""
    for attempt in facts.attempts:
        durable = facts.before(attempt.number)
        view = durable.steps.get(attempt.step)
        if attempt.compensation or view is None or view.status != "completed":
            continue
        if not facts.is_stale(attempt):
            where = (durable.number, attempt.number)
            yield f"{attempt.step} was completed and is called again", where
