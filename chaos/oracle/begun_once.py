"""However often an execution is begun under its id, it begins once."""

from collections.abc import Iterator

from chaos.history import EventWritten
from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield second beginnings; where the store lost the first one, it may begin again."""
    if facts.cuts:
        return
    begun = [one for one in facts.history.of(EventWritten) if one.name == "WORKFLOW_STARTED"]
    if len({event.seq for event in begun}) > 1:
        yield "the execution began twice", tuple(event.number for event in begun)
