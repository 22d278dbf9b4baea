"""All keys of one script lie in one slot of a cluster: else it runs on a single server only."""

from collections.abc import Iterator

from chaos.history import StoreOperation
from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield operations that a cluster would refuse with CROSSSLOT."""
    for operation in facts.history.of(StoreOperation):
        if operation.slots > 1:
            what = f"the keys of {operation.site} lie in {operation.slots} slots"
            yield what, (operation.number,)
