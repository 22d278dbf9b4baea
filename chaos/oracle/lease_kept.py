"""A process that lives and works never lets its lease run out."""

from collections.abc import Iterator

from chaos.fault_kinds import FaultKind
from chaos.history import Attempt, Effect
from chaos.oracle.facts import CLOCK_FAULTS, Facts, Finding

_EXCUSES = CLOCK_FAULTS | {FaultKind.FROZEN, FaultKind.EFFECT_LATE}


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield work under a lease that had run out; a frozen process could not renew it."""
    excused = {fault.life for fault in facts.fired(_EXCUSES)}
    for record in facts.history.records:
        if not isinstance(record, Attempt | Effect) or record.life in excused:
            continue
        if isinstance(record, Effect) and record.late:
            continue
        durable = facts.before(record.number)
        end_ms = facts.lease_end_ms(durable)
        over = end_ms is not None and record.at_ms > end_ms
        if over and not facts.is_stale(record) and not facts.cuts:
            where = (durable.number, record.number)
            yield f"life {record.life} works after its lease has run out", where
