"""A caller is told what became of the execution, or that the store or the lease failed; nothing else."""

from collections.abc import Iterator

from chaos.history import LifeBegan, LifeEnded
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
        gone = durable.status is None or _was_gone(facts, end)
        if end.error_code == "EXECUTION_NOT_FOUND" and not gone:
            yield "the execution was said not to exist", where
        if end.error_code == "LEASE_LOST" and not (facts.is_stale(end) or facts.cuts):
            yield "a lease was said to be lost, and nobody else had taken it", where


def _was_gone(facts: Facts, end: LifeEnded) -> bool:
    """Whether the store, having lost the execution, did not know it at some time during a life."""
    began = next(one for one in facts.history.of(LifeBegan) if one.life == end.life)
    return any(
        one.status is None and began.number < one.number < end.number for one in facts.checkpoints
    )
