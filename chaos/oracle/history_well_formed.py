"""The history is one: numbered, in the order of time, with one end, beside an undisturbed reference."""

from collections.abc import Iterator

from chaos.history import FaultFired, LifeBegan, Settled
from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield what makes every other judgement worthless."""
    records = facts.history.records
    if [record.number for record in records] != list(range(len(records))):
        yield "records are not numbered 0, 1, 2, ...", ()
    ends = [record.number for record in facts.history.of(Settled)]
    if len(ends) != 1 or ends[0] != len(records) - 1:
        yield "a history ends with the one record of its end", tuple(ends)
    if not any(facts.history.of(LifeBegan)):
        yield "nobody ever began", ()
    if len(list(facts.reference.of(Settled))) != 1 or any(facts.reference.of(FaultFired)):
        yield "the reference is no undisturbed history", ()
    foreign = {one.step for one in facts.attempts} - set(facts.steps)
    if foreign:
        yield f"calls are of steps that the plan has not: {sorted(foreign)}", ()
