"""A result that is durable never changes."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield each change of a completed step's result."""
    for before, after in facts.neighbours():
        for name, was in before.steps.items():
            now = after.steps.get(name)
            if was.status != "completed" or now is None or now.status != "completed":
                continue
            if now.result_hash != was.result_hash:
                yield f"the result of {name} changed", (before.number, after.number)
