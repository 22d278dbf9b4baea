"""No tool is called before the intent to call it is durable, nor a compensation before the rollback is."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield calls that the store would not know of if the process died in them."""
    for attempt in facts.attempts:
        if facts.is_stale(attempt) or facts.cuts:
            continue
        durable = facts.before(attempt.number)
        where = (durable.number, attempt.number)
        view = durable.steps.get(attempt.step)
        if attempt.compensation:
            if durable.status != "COMPENSATING":
                yield f"{attempt.step} is undone, but the store says {durable.status}", where
        elif view is None or view.status == "pending":
            yield f"{attempt.step} is called without a durable intent", where
