"""A segment starts nothing new once its time is used up."""

from collections.abc import Iterator

from chaos.fault_kinds import FaultKind
from chaos.history import StoreOperation
from chaos.oracle.facts import CLOCK_FAULTS, Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield calls that a process begins after its budget; while it is stopped it counts no time."""
    budget_ms = facts.plan.settings.checkpoint_threshold_ms
    if budget_ms is None:
        return
    excused = {fault.life for fault in facts.fired([FaultKind.FROZEN])}
    began: dict[int, StoreOperation] = {}
    for operation in facts.history.of(StoreOperation):
        if operation.changed:  # a segment begins with its lease
            began.setdefault(operation.life, operation)
    for attempt in facts.attempts:
        life = began.get(attempt.life)
        if life is None or attempt.compensation or attempt.life in excused:
            continue
        used_ms = attempt.at_ms - life.at_ms
        if used_ms > budget_ms + _waited_ms(facts, life.life):
            where = (life.number, attempt.number)
            yield f"{attempt.step} is called {used_ms} ms after the begin of its segment", where


def _waited_ms(facts: Facts, life: int) -> int:
    """Return how long faults may have held the process up before its budget began to count."""
    return 10_000 * sum(
        fault.life == life and fault.kind not in CLOCK_FAULTS for fault in facts.faults
    )
