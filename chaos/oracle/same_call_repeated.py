"""Every attempt at the same work carries the same key and the same arguments, and no other work has that key."""

from collections.abc import Iterator

from chaos.history import Attempt
from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield attempts that differ from the first one of their step and tool."""
    first: dict[tuple[str, str, bool], Attempt] = {}
    owner: dict[str, tuple[str, str, bool]] = {}
    for attempt in facts.attempts:
        work = (attempt.step, attempt.tool, attempt.compensation)
        before = first.setdefault(work, attempt)
        where = (before.number, attempt.number)
        if attempt.key != before.key:
            yield f"{attempt.step}: {attempt.tool} is called again under another key", where
        if attempt.arguments_hash != before.arguments_hash:
            yield f"{attempt.step}: {attempt.tool} is called again with other arguments", where
        if owner.setdefault(attempt.key, work) != work:
            yield f"{attempt.step}: its key is that of other work", (attempt.number,)
