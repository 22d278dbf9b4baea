"""Every fault that a plan can meet, once: each kind at each point that an undisturbed run passes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from chaos.case import Case, FaultPoint, StorePolicy
from chaos.fault_kinds import CATALOGUE, Fault, FaultKind, Target
from chaos.faults.agenda import SERVER_SITE
from chaos.history import Settled
from chaos.plans import find_plan
from chaos.port import PortFactory
from chaos.running import simulate
from chaos.unified.port import UnifiedPort

CUTTING = {
    FaultKind.LAST_WRITES_LOST: StorePolicy.EVERYSEC,
    FaultKind.FAILOVER: StorePolicy.FAILOVER,
}
"""Kinds that lose writes, and the policy under which the store may. See `chaos.explore.cuts`."""

ALL_WRITES = 1_000
"""More than any plan makes: what a server loses that writes no file and has taken no snapshot."""

AMOUNTS: Mapping[FaultKind, tuple[int | None, ...]] = {
    FaultKind.APPLIED_LATE: (1, 3),
    FaultKind.EFFECT_LATE: (1, 3),
    FaultKind.APPLIED_AFTER_TIMEOUT: (1, 3),
    FaultKind.FROZEN: (None, 2),
}
"""What comes late comes between the next life's look and its claim, and after its first write; a
stopped process wakes when the next has taken the lease, and when it is over."""

ONLY_AT = {
    "lookup": frozenset({FaultKind.KILLED_BEFORE_EFFECT, FaultKind.TOOL_ERROR}),
}
"""Kinds of a call that has no effect of its own."""


class UndisturbedError(Exception):
    """A plan comes to no end although nothing disturbs it: the harness, or the executor, is broken."""


def points(sites: Iterable[tuple[int, str, int, str]], world: str = "sim") -> Iterator[FaultPoint]:
    """Yield every fault at each of these points, in their order; without those that lose writes."""
    for life, site, nth, target in sites:
        for fault in CATALOGUE:
            if fault.kind in CUTTING or not fault.available(world) or not _meets(fault, target):
                continue
            allowed = ONLY_AT.get(site.rpartition(".")[2])
            if allowed is not None and fault.kind not in allowed:
                continue
            for amount in AMOUNTS.get(fault.kind, (None,)):
                yield FaultPoint(life, site, nth, fault.kind, amount)


def _meets(fault: Fault, target: str) -> bool:
    """Whether a fault can happen at a point of `target`: all but a tool's at operations."""
    return (fault.target is Target.TOOL) == (target == Target.TOOL)


@cache
def sites_of(
    plan: str, port_factory: PortFactory = UnifiedPort
) -> tuple[tuple[int, str, int, str], ...]:
    """Return the points that an undisturbed run of a plan passes: (life, site, nth, target).

    Raises:
        UndisturbedError: the run does not even end without a fault.
    """
    world = simulate(Case(plan), port_factory=port_factory)
    last = world.recorder.history.records[-1]
    if not (isinstance(last, Settled) and last.status is not None and last.in_time):
        raise UndisturbedError(f"plan {plan} comes to no end without any fault: {last}")
    return tuple(point for point in world.sites if point[0])


def singles(
    plan: str,
    *,
    retries: Iterable[int] = (0,),
    world: str = "sim",
    port_factory: PortFactory = UnifiedPort,
) -> Iterator[Case]:
    """Yield the cases of one plan with exactly one fault, that lose no acknowledged write."""
    base = Case(plan, subject=port_factory(find_plan(plan)).name, world=world)
    for count in retries:
        for point in points(sites_of(plan, port_factory), world):
            yield replace(base, faults=(point,), retries=count)


def server_point(life: int, kind: FaultKind, amount: int | None = None) -> FaultPoint:
    """Return a fault of the store between a life and the next."""
    return FaultPoint(life, SERVER_SITE, 1, kind, amount)
