"""An execution that was begun is there for ever, unless the store lost its beginning."""

from collections.abc import Iterator

from chaos.history import Checkpoint, Settled, StoreCut, StoreOperation
from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield the records at which an acknowledged execution is missing."""
    known: int | None = None
    for record in facts.history.records:
        if isinstance(record, StoreCut) and record.operations:
            known = None
        elif isinstance(record, StoreOperation):
            begun = record.site.startswith("begin") and record.applied and record.reply_seen
            known = record.number if begun and record.refused is None else known
        elif isinstance(record, Checkpoint | Settled):
            if record.status is not None:
                known = record.number
            elif known is not None:
                yield "the execution was durable, and is gone", (known, record.number)
                return
