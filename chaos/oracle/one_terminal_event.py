"""An execution that has ended has said so in one event, its last; one that has not, in none."""

from collections.abc import Iterator

from chaos.history import EventWritten
from chaos.oracle.facts import Facts, Finding, is_terminal

_TERMINAL = frozenset({"WORKFLOW_COMPLETED", "WORKFLOW_FAILED", "WORKFLOW_CANCELLED"})


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield missing, premature and repeated ends."""
    events = list(facts.history.of(EventWritten))
    ends = [event.number for event in events if event.name in _TERMINAL]
    ended = is_terminal(facts.settled.status)
    if ended and not ends:
        yield f"the execution is {facts.settled.status}, and no event says so", ()
    if not ended and ends and not facts.cuts:
        yield "an event tells of an end that is none", tuple(ends)
    if len(ends) > 1 and not facts.cuts:
        yield "more than one event tells of the end", tuple(ends)
    if ends and ends[-1] != events[-1].number:
        yield "events follow the last one", (ends[-1], events[-1].number)
