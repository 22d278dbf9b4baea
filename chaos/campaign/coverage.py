"""Coverage: call sites by kinds of faults, every cell of which is struck or declared to be unreachable.

`coverage.toml` lists the classes of call sites, with a case that passes each, and the cells that cannot
be, with the reason. A cell that is neither struck nor declared fails; so does a declaration that a
campaign refutes, and a class of call sites that is not listed.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from chaos.campaign.result import Cell
from chaos.case import Case, FaultPoint, StorePolicy
from chaos.explore.sampling import cell_of, reachable, site_class
from chaos.explore.singles import CUTTING, points
from chaos.fault_id import parse_case
from chaos.fault_kinds import FaultKind, Target
from chaos.faults.agenda import SERVER_SITE

TOOL_SITES = frozenset({"tool", "undo", "lookup"})
"""Classes of call sites at which a tool is called; at all others the store is."""
BETWEEN = frozenset(
    {
        FaultKind.LAST_WRITES_LOST,
        FaultKind.FAILOVER,
        FaultKind.RESTARTED,
        FaultKind.CONNECTIONS_CUT,
    }
)
"""What happens to the store between two lives."""


@dataclass(frozen=True, slots=True)
class SitePoint:
    """A class of call sites and a case that passes one of it: its last fault stands there."""

    site: str
    case: Case

    @property
    def point(self) -> FaultPoint:
        """Where it is; the kind does not matter."""
        return self.case.faults[-1]


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Cells that cannot be: these sites (or all but some) by these kinds."""

    sites: frozenset[str]
    but: frozenset[str]
    kinds: frozenset[str]
    reason: str

    def holds(self, site: str, kind: str) -> bool:
        """Whether a cell is declared here."""
        inside = site in self.sites if self.sites else site not in self.but
        return inside and kind in self.kinds


@dataclass(frozen=True, slots=True)
class Gap:
    """What is wrong with the coverage of a campaign.

    Attributes:
        subject: a cell or a site.
        message: what is wrong, and what to do.
        stale: the declaration is wrong; else the campaign has struck too little.
    """

    subject: str
    message: str
    stale: bool = False


@cache
def _document() -> Mapping[str, Any]:
    return tomllib.loads((files("chaos") / "coverage.toml").read_text("utf-8"))


@cache
def site_points() -> tuple[SitePoint, ...]:
    """Return all classes of call sites, in the order of the file."""
    return tuple(SitePoint(one["name"], parse_case(one["case"])) for one in _document()["site"])


@cache
def unreachable() -> tuple[Unreachable, ...]:
    """Return all declarations."""
    return tuple(
        Unreachable(
            frozenset(one.get("sites", ())),
            frozenset(one.get("but", ())),
            frozenset(map(str, map(FaultKind, one["kinds"]))),
            one["reason"],
        )
        for one in _document()["unreachable"]
    )


def reachable_cells() -> frozenset[tuple[str, str]]:
    """Return every cell that a campaign has to strike."""
    return frozenset(
        (one.site, str(kind))
        for one in site_points()
        for kind in FaultKind
        if not any(declared.holds(one.site, kind) for declared in unreachable())
    )


def covering_cases(plans: Iterable[str]) -> Iterator[Case]:
    """Yield a case for each reachable cell that no single fault of `plans` strikes."""
    wanted = reachable_cells() - reachable(plans)
    for one in site_points():
        for point in _points_at(one):
            if cell_of(point) not in wanted:
                continue
            faults = (*one.case.faults[:-1], point)
            policies: Sequence[StorePolicy] = (StorePolicy.ALWAYS,)
            if point.kind in CUTTING:
                policies = (CUTTING[point.kind],)
            if point.kind is FaultKind.LAST_WRITES_LOST:
                policies = (*policies, StorePolicy.OFF)
            for policy in policies:
                yield replace(one.case, faults=faults, policy=policy)


def _points_at(one: SitePoint) -> Iterator[FaultPoint]:
    at = one.point
    target = Target.TOOL if one.site in TOOL_SITES else Target.STORE
    if at.site == SERVER_SITE:
        yield from (
            replace(at, kind=kind, amount=_writes(kind)) for kind in FaultKind if kind in BETWEEN
        )
        return
    seen: set[FaultKind] = set()
    for point in points([(at.life, at.site, at.nth, target)]):
        if point.kind not in seen:
            seen.add(point.kind)
            yield point
    if target is Target.STORE:
        yield from (replace(at, kind=kind, amount=1) for kind in CUTTING)


def _writes(kind: FaultKind) -> int | None:
    return 1 if kind in CUTTING else None


def gaps(cells: Iterable[Cell], sites: Iterable[str]) -> Iterator[Gap]:
    """Yield what is wrong with the coverage of a campaign that struck these cells."""
    fired = {(cell.site, cell.kind) for cell in cells if cell.fired}
    known = {one.site for one in site_points()}
    for site in sorted({*sites, *(site for site, _ in fired)} - known):
        yield Gap(site, "is no call site of coverage.toml: add it, with a case", stale=True)
    wanted = reachable_cells()
    for site, kind in sorted(wanted - fired):
        yield Gap(f"{site} {kind}", "was not struck, and is not declared to be unreachable")
    for site, kind in sorted(fired - wanted):
        if site in known:
            yield Gap(f"{site} {kind}", "is declared to be unreachable, and was struck", stale=True)


def row_of(site: str) -> str:
    """Return the row of the matrix that a call site is in."""
    return site_class(site)
