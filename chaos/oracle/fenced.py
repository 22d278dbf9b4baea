"""Whoever has lost the lease can change nothing any more: tokens of changes never decrease."""

from collections.abc import Iterator

from chaos.history import StoreCut, StoreOperation
from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield changes under an older token than one that was already in force."""
    newest, since = 0, 0
    for record in facts.history.records:
        if isinstance(record, StoreCut) and record.operations:
            newest = 0
        elif isinstance(record, StoreOperation) and record.changed and record.epoch is not None:
            in_force = max(newest, facts.before(record.number).epoch)
            if record.epoch < in_force and not facts.cuts:
                what = f"token {record.epoch}, where {in_force} is in force"
                yield f"{record.site} changed the store under {what}", (since, record.number)
            newest, since = max(newest, record.epoch), record.number
