"""Samples of what cannot be enumerated: pairwise complete first, then swarms that seek empty cells.

The factors of a case are its plan, the kind of its last fault, the phase in which that strikes, the
store's policy and the client's retries. `pairwise` covers every two values of two factors that any
candidate has. `swarm` goes on for as long as it is asked: each round turns about half of the kinds
off, so that rare ones meet without the common ones, and prefers cells (call site x kind) that fewer
cases have met.
"""

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from chaos.case import Case, FaultPoint, StorePolicy
from chaos.explore.singles import ALL_WRITES, CUTTING, points, server_point, sites_of
from chaos.fault_kinds import FaultKind, Target
from chaos.port import PortFactory
from chaos.running import simulate
from chaos.unified.port import UnifiedPort
from chaos.worlds.snapshot import Site

RETRIES = (0, 10)
CUT_AMOUNTS = (1, 2, 3)
CASES_A_ROUND = 25
"""Cases of a swarm between two draws of the kinds that are off."""
CANDIDATES = 12
"""Candidates that a draw chooses the emptiest cell from."""

Factors: TypeAlias = tuple[str, ...]
Cell: TypeAlias = tuple[str, str]
"""A cell of the coverage matrix: class of call site, kind of fault."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A case and the values that its factors have."""

    case: Case
    factors: Factors


def site_class(site: str) -> str:
    """Return a site without the steps that it names: "s1.commit+s2.intent" is "commit+intent"."""
    words = (word.rpartition(".")[2] for word in site.split("+"))
    return "+".join(sorted(set(words)))


def cell_of(point: FaultPoint) -> Cell:
    """Return the cell of the coverage matrix that a fault is in."""
    return site_class(point.site), str(point.kind)


def phase_of(point: FaultPoint) -> str:
    """Return in what phase a fault strikes: rollback, recovery, forward, or between lives."""
    if point.site == "server":
        return "between"
    if "undo" in point.site:
        return "rollback"
    return "recovery" if point.life > 1 else "forward"


def pairwise(
    plans: Sequence[str], *, seed: int = 0, port_factory: PortFactory = UnifiedPort
) -> tuple[Case, ...]:
    """Return cases that cover every two values of two factors which any candidate has."""
    chance = random.Random(seed)  # noqa: S311 - the seed is the purpose
    pool = [one for plan in plans for one in _candidates(plan, port_factory)]
    chance.shuffle(pool)
    open_pairs = {pair for one in pool for pair in _pairs(one.factors)}
    chosen: list[Case] = []
    while open_pairs:
        best = max(pool, key=lambda one: len(open_pairs.intersection(_pairs(one.factors))))
        open_pairs -= set(_pairs(best.factors))
        chosen.append(best.case)
    return tuple(chosen)


def swarm(
    plans: Sequence[str],
    *,
    seed: int = 0,
    covered: Counter[Cell] | None = None,
    port_factory: PortFactory = UnifiedPort,
) -> Iterator[Case]:
    """Yield cases without end, each with one fault or two; `covered` counts cells met before."""
    chance = random.Random(seed)  # noqa: S311 - the seed is the purpose
    met = Counter[Cell]() if covered is None else covered
    pools = {plan: [one.case for one in _candidates(plan, port_factory)] for plan in plans}
    while True:
        on = {kind for kind in FaultKind if chance.random() < 1 / 2} or set(FaultKind)
        allowed = {
            plan: kept
            for plan, pool in pools.items()
            if (kept := [case for case in pool if _kinds(case) <= on])
        }
        for _ in range(CASES_A_ROUND if allowed else 0):
            pool = allowed[chance.choice(sorted(allowed))]
            drawn = [chance.choice(pool) for _ in range(CANDIDATES)]
            case = min(drawn, key=lambda one: met[cell_of(one.faults[-1])])
            met.update(cell_of(point) for point in case.faults)
            yield case


def coverage(cases: Iterable[Case]) -> Mapping[Cell, int]:
    """Return how many faults of these cases each cell has met."""
    return Counter(cell_of(point) for case in cases for point in case.faults)


def reachable(plans: Iterable[str], port_factory: PortFactory = UnifiedPort) -> frozenset[Cell]:
    """Return the cells that single faults of these plans can meet."""
    return frozenset(
        cell_of(point) for plan in plans for point in points(sites_of(plan, port_factory))
    )


def _candidates(plan: str, port_factory: PortFactory) -> Iterator[Candidate]:
    """Yield the singles of a plan, in a first life and in one that recovers, and its cuts."""
    for faults, policy in _faults(plan, port_factory):
        for retries in RETRIES:
            case = Case(plan, faults, retries=retries, policy=policy)
            last = faults[-1]
            yield Candidate(
                case, (plan, str(last.kind), phase_of(last), str(policy), f"retries {retries}")
            )


def _faults(
    plan: str, port_factory: PortFactory
) -> Iterator[tuple[tuple[FaultPoint, ...], StorePolicy]]:
    sites = sites_of(plan, port_factory)
    for point in points(sites):
        yield (point,), StorePolicy.ALWAYS
    crash = _middle_crash(sites)
    if crash is None:
        return
    for point in points(_after(plan, crash, port_factory)):
        yield (crash, point), StorePolicy.ALWAYS
    for kind, policy in CUTTING.items():
        for amount in CUT_AMOUNTS:
            yield (crash, server_point(crash.life, kind, amount)), policy
    for amount in (1, ALL_WRITES):
        lost = server_point(crash.life, FaultKind.LAST_WRITES_LOST, amount)
        yield (crash, lost), StorePolicy.OFF


def _middle_crash(sites: Sequence[Site]) -> FaultPoint | None:
    """Return a crash half way through the first life, behind an operation."""
    first = [site for site in sites if site[0] == 1 and site[3] == Target.STORE]
    if len(first) < 2:  # noqa: PLR2004 - there is no half way
        return None
    life, site, nth, _ = first[len(first) // 2]
    return FaultPoint(life, site, nth, FaultKind.KILLED_AFTER)


def _after(plan: str, crash: FaultPoint, port_factory: PortFactory) -> list[Site]:
    """Return the points of the life that recovers from a crash."""
    world = simulate(Case(plan, (crash,)), port_factory=port_factory)
    return [site for site in world.sites if site[0] == crash.life + 1]


def _pairs(factors: Factors) -> Iterator[tuple[int, int, str, str]]:
    for (at, one), (to, other) in itertools.combinations(enumerate(factors), 2):
        yield at, to, one, other


def _kinds(case: Case) -> set[FaultKind]:
    return {point.kind for point in case.faults}
