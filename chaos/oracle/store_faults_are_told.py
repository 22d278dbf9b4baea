"""A caller is told what became of the execution, or that the store or the lease failed; nothing else."""

from collections.abc import Iterator

from chaos.history import LifeEnded
from chaos.oracle.facts import Facts, Finding

HONEST = frozenset(
    {"STORE_UNAVAILABLE", "LEASE_LOST", "LEASE_HELD", "COMPENSATION_BEGUN", "NOT_REPLICATED"}
)
_AFTER_A_LOSS = frozenset({"EXECUTION_NOT_FOUND", "CONFIRMATION_REFUSED", "STATE_CONFLICT"})


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield lives that ended in an error which no fault accounts for."""
    for end in facts.history.of(LifeEnded):
        if end.how != "raised":
            continue
        if end.error_code not in HONEST | _AFTER_A_LOSS:
            yield f"a life ended in {end.error_code or 'an error without a code'}", (end.number,)
            continue
        durable = facts.before(end.number)
        where = (durable.number, end.number)
        if end.error_code == "EXECUTION_NOT_FOUND" and durable.status is not None:
            yield "the execution was said not to exist", where
        if end.error_code == "LEASE_LOST" and not (facts.is_stale(end) or facts.cuts):
            yield "a lease was said to be lost, and nobody else had taken it", where
