"""Losses of the store: at every place that crashes lead to, it comes back without its last writes."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from chaos.case import Case, CaseResult, FaultPoint, StorePolicy
from chaos.explore.closure import CRASHES, Bounds, closure
from chaos.explore.singles import ALL_WRITES, CUTTING, server_point, sites_of
from chaos.fault_kinds import FaultKind, Target
from chaos.port import PortFactory
from chaos.running import run_case, simulate, verdict_on
from chaos.unified.port import UnifiedPort
from chaos.worlds.snapshot import Snapshot

CUT_MAX = 8
"""Writes that are lost at most: more than lie between two commits of any plan here."""
UNDER_A_LIFE = (1, 3)
"""Writes that are lost while a worker is at work: the one just acknowledged, and an intent before."""
RETRIES = (0, 10)
"""Settings of the Redis client under which they are: a client that repeats notices nothing."""
GRANTING = frozenset({"begin", "claim"})
MEETINGS = ("1.2", "1.3", "1.4")
"""Schedules: the second process goes on to its grant, its first write, or its second."""


@dataclass(frozen=True, slots=True)
class CutTask:
    """A case that goes on from a node. Plain data, so that it can be sent to another process."""

    case: Case
    start: Snapshot | None
    port_factory: PortFactory = UnifiedPort


Mapper: TypeAlias = Callable[
    [Callable[[CutTask], CaseResult], Iterable[CutTask]], Iterable[CaseResult]
]


def cuts(
    plan: str,
    *,
    kind: FaultKind = FaultKind.LAST_WRITES_LOST,
    bound: int = CUT_MAX,
    mapper: Mapper = map,
    port_factory: PortFactory = UnifiedPort,
) -> Iterator[CaseResult]:
    """Yield the verdicts on every cut, up to `bound` writes, at every node and under every life.

    Under a life a lost grant of the lease is given to a second process as well. Nodes are those of the closure over crashes (`chaos.explore.closure.CRASHES`).
    """
    yield from mapper(run_cut, cut_tasks(plan, kind, bound, port_factory))


def cut_tasks(
    plan: str, kind: FaultKind, bound: int, port_factory: PortFactory = UnifiedPort
) -> Iterator[CutTask]:
    """Yield the cases of `cuts`."""
    base = Case(plan, policy=CUTTING[kind])
    for case in _under_a_life(base, kind, port_factory):
        yield CutTask(case, None, port_factory)
    for case in _granted_twice(base, kind, port_factory):
        yield CutTask(case, None, port_factory)
    nodes: list[Snapshot] = []
    closure(
        plan,
        Bounds(kinds=CRASHES, audited_share=0),
        port_factory=port_factory,
        found=lambda _, snapshot: nodes.append(snapshot),
    )
    for node in nodes:
        for amount in range(1, min(bound, len(node.images)) + 1):
            faults = (*node.fired, server_point(node.lives, kind, amount))
            yield CutTask(replace(base, faults=faults), node, port_factory)


def _under_a_life(base: Case, kind: FaultKind, port_factory: PortFactory) -> Iterator[Case]:
    """Yield cases in which a worker goes on while the store loses its last writes, or all of them."""
    losses = [(amount, base.policy) for amount in UNDER_A_LIFE]
    if kind is FaultKind.LAST_WRITES_LOST:
        losses.append((ALL_WRITES, StorePolicy.OFF))
    for life, site, nth, target in sites_of(base.plan, port_factory):
        if target != Target.STORE:
            continue
        for (amount, policy), retries in itertools.product(losses, RETRIES):
            point = FaultPoint(life, site, nth, kind, amount)
            yield replace(base, faults=(point,), retries=retries, policy=policy)


def _granted_twice(base: Case, kind: FaultKind, port_factory: PortFactory) -> Iterator[Case]:
    """Yield cases in which a grant of the lease is lost, and given to another while its holder lives."""
    sites = [site for site in sites_of(base.plan, port_factory) if site[3] == Target.STORE]
    for (life, site, nth, _), (heir, after, nth_after, _) in itertools.pairwise(sites):
        if site not in GRANTING or heir != life:
            continue
        points = (
            FaultPoint(life, site, nth, kind, 1),
            FaultPoint(life, after, nth_after, FaultKind.SECOND_RESUMER),
        )
        for schedule in MEETINGS:
            yield replace(base, faults=points, retries=max(RETRIES), schedule=schedule)


def run_cut(task: CutTask) -> CaseResult:
    """Run one case from its node on."""
    if task.start is None:
        return run_case(task.case, port_factory=task.port_factory)
    began_s = time.process_time()
    world = simulate(task.case, port_factory=task.port_factory, start=task.start)
    result = verdict_on(world, task.case, port_factory=task.port_factory)
    return replace(result, seconds=time.process_time() - began_s)
