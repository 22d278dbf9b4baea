"""Executors broken at the same points, side by side: what each loses, repeats, or leaves lying.

One process dies, or one connection breaks, at each point of each plan, under either executor. What
comes of it is told by the history alone, in the same way for both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import StrEnum

from chaos.case import Case
from chaos.explore.singles import singles
from chaos.fault_id import format_case
from chaos.fault_kinds import FaultKind
from chaos.history import Effect, History, Settled
from chaos.port import PortFactory
from chaos.running import reference_of, simulate
from chaos.unified.port import UnifiedPort
from conformance.chaos_legacy import LegacyPort, RestartedLegacyPort

PLANS = ("chain1", "chain2", "chain3", "diamond", "yields")
"""Plans that either executor can run, with tools that know a call by its key, where they are given one."""
KINDS = frozenset(
    {
        FaultKind.KILLED_BEFORE,
        FaultKind.KILLED_AFTER,
        FaultKind.CUT_BEFORE,
        FaultKind.REPLY_LOST,
        FaultKind.KILLED_BEFORE_EFFECT,
        FaultKind.KILLED_AFTER_EFFECT,
    }
)
PORTS: Mapping[str, PortFactory] = {
    "legacy": LegacyPort,
    "legacy-restarted": RestartedLegacyPort,
    "unified": UnifiedPort,
}


class Fate(StrEnum):
    """What came of an execution that was struck once, worst first."""

    LOST = "lost"
    """Nobody knows it any more, or it claims a result without the effect."""
    DUPLICATED = "duplicated"
    """An effect happened twice."""
    STUCK = "stuck"
    """It never ended, although somebody went on trying to resume it."""
    DIVERGED = "diverged"
    """It ended otherwise than when nothing is broken."""
    CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class StruckPoint:
    """One case under one executor; `shared`: the other one can be struck at the same point."""

    executor: str
    case: str
    fate: Fate
    shared: bool


def struck_cases(executor: str, plans: Iterable[str] = PLANS) -> Iterator[Case]:
    """Yield the cases of one executor: each kind at each point that it passes undisturbed."""
    for plan in plans:
        for case in singles(plan, port_factory=PORTS[executor]):
            if case.faults[0].kind in KINDS:
                yield case


def strike(executor: str, case: Case) -> StruckPoint:
    """Run one case and say what came of it."""
    port = PORTS[executor]
    history = simulate(case, port_factory=port).recorder.history
    fate = fate_of(history, reference_of(case.plan, port))
    return StruckPoint(executor, format_case(case), fate, case.faults[0].site.endswith(".tool"))


def fate_of(history: History, reference: History) -> Fate:
    """Return the worst that a history shows, beside that of an undisturbed run."""
    settled, undisturbed = _end(history), _end(reference)
    effects, expected = _effects(history), _effects(reference)
    ended = settled.in_time and settled.status is not None
    missing = any(count > effects.get(key, 0) for key, count in expected.items())
    if settled.status is None or (settled.status == undisturbed.status and missing):
        return Fate.LOST
    if any(count > expected.get(key, 0) for key, count in effects.items()):
        return Fate.DUPLICATED
    if not ended:
        return Fate.STUCK
    same = settled.state_hash == undisturbed.state_hash and effects == expected
    return Fate.CLEAN if same else Fate.DIVERGED


def side_by_side(
    executor: Executor, told: Callable[[int, int], None] | None = None
) -> tuple[StruckPoint, ...]:
    """Run all cases of both executors and return what came of each, in order."""
    order = [(name, case) for name in PORTS for case in struck_cases(name)]
    names, cases = zip(*order, strict=True)
    found = []
    for point in executor.map(strike, names, cases, chunksize=8):
        found.append(point)
        if told is not None:
            told(len(found), len(order))
    return tuple(found)


def _end(history: History) -> Settled:
    return next(history.of(Settled))


def _effects(history: History) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for effect in history.of(Effect):
        if effect.outcome == "applied":
            key = (effect.step, effect.tool)
            found[key] = found.get(key, 0) + 1
    return found
