"""An execution that has ended has said so in one event, its last; one that has not, in none.

What the store lost after such an event is not durable any more, the end included: another may follow.
"""

import itertools
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
    if not ended and ends and not facts.cut_between(ends[-1], facts.settled.number):
        yield "an event tells of an end that is none", tuple(ends)
    for end, later in itertools.pairwise(ends):
        if not facts.cut_between(end, later):
            yield "more than one event tells of the end", (end, later)
    if ends and ends[-1] != events[-1].number:
        last = events[-1].number
        if not facts.cut_between(ends[-1], last):
            yield "events follow the last one", (ends[-1], last)
