"""Events of an execution are numbered 1, 2, 3, ... without a gap or a repetition."""

from collections.abc import Iterator

from chaos.history import EventWritten, StoreCut
from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield events whose number does not follow; what the store lost is numbered again."""
    expected: int | None = 1
    for record in facts.history.records:
        if isinstance(record, StoreCut) and record.operations:
            expected = None
        elif isinstance(record, EventWritten):
            if expected is not None and record.seq != expected:
                yield f"event {record.seq} stands where {expected} should", (record.number,)
            expected = record.seq + 1
