"""Several processes on one execution: every interleaving up to two preemptions, then samples.

They meet where nobody holds the lease: at the begin, and after a crash or a yield, when two workers
got the message. A preemption takes the turn away before an operation of the store; see
`chaos.worlds.turns`. What lies between two operations of a process touches nobody else.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from chaos.case import Case, FaultPoint
from chaos.explore.singles import sites_of
from chaos.fault_kinds import FaultKind, Target
from chaos.port import PortFactory
from chaos.unified.port import UnifiedPort

CLAIM_OPERATIONS = 3
"""Operations of one that resumes until it holds the lease, or knows that another does, and one more:
behind them a preempted process is a stopped one, which is a fault of its own."""
SAMPLES = 20
DEPTHS = (2, 3)


def schedules(plan: str, *, port_factory: PortFactory = UnifiedPort) -> Iterator[Case]:
    """Yield all schedules of two processes with at most two preemptions, wherever they meet."""
    for base in meetings(plan, port_factory=port_factory):
        operations = _operations(plan, port_factory)
        yield base
        for first in range(operations + 1):
            yield replace(base, schedule=str(first))
            for second in range(1, CLAIM_OPERATIONS + 1):
                yield replace(base, schedule=f"{first}.{second}")


def sampled_schedules(
    plan: str,
    *,
    seeds: Iterable[int] = range(SAMPLES),
    port_factory: PortFactory = UnifiedPort,
) -> Iterator[Case]:
    """Yield schedules of three processes by seed; a depth bounds the preemptions."""
    seeds = list(seeds)
    for base in meetings(plan, others=2, port_factory=port_factory):
        for depth in DEPTHS:
            for seed in seeds:
                yield replace(base, schedule=f"pct{depth}-{seed}")


def meetings(
    plan: str, *, others: int = 1, port_factory: PortFactory = UnifiedPort
) -> Iterator[Case]:
    """Yield the cases in which several processes come at once, each without a schedule."""
    amount = None if others == 1 else others
    sites = [site for site in sites_of(plan, port_factory) if site[3] == Target.STORE]
    beside = FaultPoint(1, sites[0][1], 1, FaultKind.SECOND_RESUMER, amount)
    yield Case(plan, (beside,))
    resumed = FaultPoint(2, "look", 1, FaultKind.SECOND_RESUMER, amount)
    if any(life > 1 for life, *_ in sites):
        yield Case(plan, (resumed,))
    for life, site, nth, _ in sites:
        if life == 1 and not site.endswith("finish"):
            killed = FaultPoint(1, site, nth, FaultKind.KILLED_AFTER)
            yield Case(plan, (killed, resumed))


def _operations(plan: str, port_factory: PortFactory) -> int:
    """Return how many operations a life of the plan has at most."""
    lives = [life for life, _, _, target in sites_of(plan, port_factory) if target == Target.STORE]
    return max(lives.count(life) for life in set(lives)) + CLAIM_OPERATIONS
