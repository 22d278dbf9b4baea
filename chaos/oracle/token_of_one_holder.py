"""A fencing token has one holder: nobody else changes the store under it.

A store that loses the grant of a token gives the same one out again; then the later grant counts.
"""

from collections.abc import Iterator

from chaos.history import StoreCut, StoreOperation
from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield changes under a token that was granted to another process and is still its."""
    granted = {
        one.number: one
        for before, one in zip(facts.checkpoints, facts.checkpoints[1:], strict=False)
        if one.epoch != before.epoch and one.life
    }
    holders: dict[int, tuple[int, int]] = {}
    for record in facts.history.records:
        if isinstance(record, StoreCut) and record.operations:
            holders.clear()
        elif record.number in granted:
            holders[granted[record.number].epoch] = (record.life, record.number)
        elif isinstance(record, StoreOperation) and record.changed and record.epoch is not None:
            holder, since = holders.get(record.epoch, (record.life, record.number))
            if holder != record.life:
                what = f"token {record.epoch}, which is worker {holder}'s"
                yield f"{record.site} changed the store under {what}", (since, record.number)
