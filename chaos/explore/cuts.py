"""Losses of the store: at every place that crashes lead to, it comes back without its last writes."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from chaos.case import Case, CaseResult, FaultPoint
from chaos.explore.closure import CRASHES, Bounds, closure
from chaos.explore.singles import CUTTING, server_point, sites_of
from chaos.fault_kinds import FaultKind, Target
from chaos.port import PortFactory
from chaos.running import run_case, simulate, verdict_on
from chaos.unified.port import UnifiedPort
from chaos.worlds.snapshot import Snapshot

CUT_MAX = 8
"""Writes that are lost at most: more than lie between two commits of any plan here."""
UNDER_A_LIFE = (1, 3)
"""Writes that are lost while a worker is at work: the one just acknowledged, and an intent before."""


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
    """Yield the verdicts on every cut, up to `bound` writes, at every node and under a first life.

    Nodes are those of the closure over crashes (`chaos.explore.closure.CRASHES`).
    """
    yield from mapper(run_cut, cut_tasks(plan, kind, bound, port_factory))


def cut_tasks(
    plan: str, kind: FaultKind, bound: int, port_factory: PortFactory = UnifiedPort
) -> Iterator[CutTask]:
    """Yield the cases of `cuts`."""
    base = Case(plan, policy=CUTTING[kind])
    for life, site, nth, target in sites_of(plan, port_factory):
        if target == Target.STORE:
            for amount in UNDER_A_LIFE:
                point = FaultPoint(life, site, nth, kind, amount)
                yield CutTask(replace(base, faults=(point,)), None, port_factory)
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


def run_cut(task: CutTask) -> CaseResult:
    """Run one case from its node on."""
    if task.start is None:
        return run_case(task.case, port_factory=task.port_factory)
    began_s = time.process_time()
    world = simulate(task.case, port_factory=task.port_factory, start=task.start)
    result = verdict_on(world, task.case, port_factory=task.port_factory)
    return replace(result, seconds=time.process_time() - began_s)
