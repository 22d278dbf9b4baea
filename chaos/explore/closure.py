"""The closure: any number of crashes, in any lives, the recovering ones included.

A graph search. Nodes are places between two lives (`chaos.explore.node`); edges are lives with a
fault. From each node, that of the begin included, each fault strikes at each point of the next life,
which then goes on undisturbed to the end and is judged as a whole; every place that is passed between
two lives is a node. When no new node appears, every case with any number of such lives behaves like
one that was run, as far as the canonical form is right: a share of what was pruned is run as an audit.

A fault that its process survives leads to points that an undisturbed life does not pass; a second
fault strikes there, too (`FAULTS_A_LIFE` bounds how many meet in one life).
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from chaos.case import Case, CaseResult, FaultPoint, Judgement
from chaos.explore.node import node_of, point_of
from chaos.explore.singles import points
from chaos.fault_id import format_case
from chaos.fault_kinds import BY_KIND, FaultKind
from chaos.plans import find_plan
from chaos.port import PortFactory
from chaos.running import simulate, verdict_on
from chaos.unified.port import UnifiedPort
from chaos.worlds.sim import SimWorld
from chaos.worlds.snapshot import Site, Snapshot

FAULTS_A_LIFE = 2
AUDITED_SHARE = 100
"""One in so many pruned nodes is explored all the same."""

_K = FaultKind
CRASHES = frozenset(
    {_K.KILLED_BEFORE, _K.KILLED_AFTER, _K.KILLED_BEFORE_EFFECT, _K.KILLED_AFTER_EFFECT}
)
"""Every place at which a process can die, with nothing of it under way: the smallest closure."""
KILLS = frozenset(kind for kind, fault in BY_KIND.items() if fault.ends_life)
"""Every way to die at a point, and what is still under way then."""
SURVIVED = frozenset(
    {
        _K.CUT_BEFORE,
        _K.REPLY_LOST,
        _K.OUT_OF_MEMORY,
        _K.LOADING,
        _K.NO_SCRIPT,
        _K.APPLIED_AFTER_TIMEOUT,
        _K.TOOL_ERROR,
        _K.TIMEOUT_AFTER_EFFECT,
    }
)
"""One kind for each way in which a client tells its caller of a fault. Refusals that it tells in the
same way (READONLY, BUSY, NOREPLICAS are told as OOM is) are all among the singles."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a closure goes.

    Attributes:
        nodes: it gives up, and says so, after this many.
        audited_share: one in so many pruned nodes is explored all the same; 0: none.
    """

    kinds: frozenset[FaultKind] = KILLS | SURVIVED
    retries: int = 0
    faults_a_life: int = FAULTS_A_LIFE
    nodes: int = 20_000
    audited_share: int = AUDITED_SHARE


Outcome: TypeAlias = tuple[str, tuple[str, ...]]
"""What came of an edge: the judgement, and the nodes that it passed."""


@dataclass(frozen=True, slots=True)
class Task:
    """A node to be explored. Plain data, so that it can be sent to another process."""

    plan: str
    bounds: Bounds
    start: Snapshot | None
    port_factory: PortFactory = UnifiedPort

    @property
    def faults(self) -> tuple[FaultPoint, ...]:
        """The faults of the path that leads there."""
        return () if self.start is None else self.start.fired

    @property
    def life(self) -> int:
        """The number of the life that comes next."""
        return 1 if self.start is None else self.start.lives + 1


@dataclass(slots=True)
class Expansion:
    """What the edges from one node came to."""

    outcomes: dict[tuple[FaultPoint, ...], Outcome] = field(default_factory=dict)
    nodes: dict[str, Snapshot] = field(default_factory=dict)
    failed: list[CaseResult] = field(default_factory=list)
    pruned: list[tuple[str, Snapshot]] = field(default_factory=list)
    points: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class ClosureReport:
    """What a closure covered.

    Attributes:
        points: operations and calls of an undisturbed run.
        states: distinct nodes, begin and ends included.
        edges: lives with a fault that were run, each to the end.
        complete: the fixpoint was reached.
        failed: every case that did not hold.
        audited: pruned nodes that were explored all the same.
        disagreed: those of them that behaved otherwise than the node they were taken for.
        seconds: CPU time.
    """

    plan: str
    points: int = 0
    states: int = 0
    edges: int = 0
    complete: bool = True
    failed: list[CaseResult] = field(default_factory=list)
    audited: int = 0
    disagreed: list[str] = field(default_factory=list)
    seconds: float = 0.0


Mapper: TypeAlias = Callable[[Callable[[Task], Expansion], Iterable[Task]], Iterable[Expansion]]
"""`map`, or the `map` of an executor of `concurrent.futures`."""


def closure(
    plan: str,
    bounds: Bounds | None = None,
    *,
    mapper: Mapper = map,
    port_factory: PortFactory = UnifiedPort,
    found: Callable[[str, Snapshot], None] | None = None,
) -> ClosureReport:
    """Explore a plan to the fixpoint; `found` is told of each new node."""
    bounds = bounds or Bounds()
    report = ClosureReport(plan)
    explored: dict[str, Expansion] = {}
    frontier: dict[str, Snapshot | None] = {"begin": None}
    known: set[str] = {"begin"}
    audits: list[tuple[str, Snapshot]] = []
    while frontier and report.complete:
        tasks = [Task(plan, bounds, start, port_factory) for start in frontier.values()]
        following: dict[str, Snapshot | None] = {}
        for name, expansion in zip(list(frontier), mapper(expand, tasks), strict=True):
            explored[name] = expansion
            _count(report, expansion)
            for reached, snapshot in expansion.nodes.items():
                if reached not in known:
                    known.add(reached)
                    if found is not None:
                        found(reached, snapshot)
                    if not snapshot.over:
                        following[reached] = snapshot
                elif not snapshot.over and _is_audited(snapshot, bounds):
                    audits.append((reached, snapshot))
        frontier = following
        report.complete = len(known) <= bounds.nodes
    report.states = len(known)
    _audit(report, audits, explored, Task(plan, bounds, None, port_factory), mapper)
    return report


def expand(task: Task) -> Expansion:
    """Run every edge from one node."""
    began_s = time.process_time()
    expansion = Expansion()
    seen: set[tuple[str, FaultKind]] = set()
    todo: list[tuple[FaultPoint, ...]] = [()]
    while todo:
        faults = todo.pop()
        passed = _run(task, faults, expansion)
        if len(faults) >= task.bounds.faults_a_life or (faults and faults[-1].kind in KILLS):
            continue
        for site, name in passed[_position(passed, faults) :]:
            todo += [
                (*faults, point)
                for point in points([site])
                if point.kind in task.bounds.kinds and (name, point.kind) not in seen
            ]
            seen.update((name, kind) for kind in task.bounds.kinds)
    expansion.seconds = time.process_time() - began_s
    return expansion


def _run(
    task: Task, faults: tuple[FaultPoint, ...], expansion: Expansion
) -> list[tuple[Site, str]]:
    case = Case(task.plan, (*task.faults, *faults), retries=task.bounds.retries)
    rests: list[Snapshot] = []
    passed: list[tuple[Site, str]] = []

    def at_point(world: SimWorld, site: Site) -> None:
        if site[0] == task.life:
            passed.append((site, point_of(world, site[1])))

    world = simulate(
        case,
        port_factory=task.port_factory,
        start=task.start,
        at_rest=rests.append,
        at_point=at_point if len(faults) < task.bounds.faults_a_life else None,
    )
    result = verdict_on(world, case, port_factory=task.port_factory)
    if result.judgement is not Judgement.HELD:
        expansion.failed.append(result)
    port = task.port_factory(find_plan(task.plan))
    nodes = []
    for rest in rests:
        if rest.lives < task.life:
            continue
        name = node_of(rest, world.plan, port)
        nodes.append(name)
        expansion.nodes.setdefault(name, rest)
    relative = tuple(FaultPoint(0, one.site, one.nth, one.kind, one.amount) for one in faults)
    expansion.outcomes[relative] = (str(result.judgement), tuple(nodes))
    if task.start is None and not faults:
        expansion.points = len(world.sites)
    return passed


def _position(passed: list[tuple[Site, str]], faults: tuple[FaultPoint, ...]) -> int:
    """Return where in a life the points behind its last fault begin."""
    if not faults:
        return 0
    last = faults[-1]
    for at, (site, _) in enumerate(passed):
        if site[1:3] == (last.site, last.nth):
            return at + 1
    return len(passed)


def _count(report: ClosureReport, expansion: Expansion) -> None:
    report.points += expansion.points
    report.edges += sum(1 for faults in expansion.outcomes if faults)
    report.failed += expansion.failed
    report.seconds += expansion.seconds


def _is_audited(snapshot: Snapshot, bounds: Bounds) -> bool:
    """Choose by the path, so that the same ones are chosen in every run."""
    if not bounds.audited_share:
        return False
    path = format_case(Case("", snapshot.fired)).encode()
    chosen = int.from_bytes(hashlib.blake2b(path, digest_size=4).digest(), "big")
    return chosen % bounds.audited_share == 0


def _audit(
    report: ClosureReport,
    audits: list[tuple[str, Snapshot]],
    explored: dict[str, Expansion],
    task: Task,
    mapper: Mapper,
) -> None:
    """Explore pruned nodes all the same, and compare each with the node that it was taken for."""
    tasks = [Task(task.plan, task.bounds, start, task.port_factory) for _, start in audits]
    for (name, start), expansion in zip(audits, mapper(expand, tasks), strict=True):
        report.audited += 1
        report.seconds += expansion.seconds
        if name in explored and expansion.outcomes != explored[name].outcomes:
            report.disagreed.append(format_case(Case(task.plan, start.fired)))
