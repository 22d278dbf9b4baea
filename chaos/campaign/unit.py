"""Units of work: what one process of a pool does at a time. Plain data, so that it can be sent there.

A unit takes some tenths of a second at least, so that sending it costs next to nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from chaos.campaign.result import UnitResult
from chaos.case import Case
from chaos.explore.closure import CRASHES, KILLS, SURVIVED
from chaos.fault_kinds import FaultKind


class Work(StrEnum):
    """What a unit does."""

    CASES = "cases"
    CLOSURE = "closure"
    CUTS = "cuts"
    MUTANT = "mutant"
    GIVEN = "given"
    """What the unit brings along."""


class Reach(StrEnum):
    """Which kinds of faults a closure is made of."""

    CRASHES = "crashes"
    """A process dies, with nothing of it under way."""
    KILLS = "kills"
    """A process dies, and what it has sent or called may still arrive."""
    ALL = "all"
    """These, and what a process survives."""

    @property
    def kinds(self) -> frozenset[FaultKind]:
        """The kinds."""
        return {Reach.CRASHES: CRASHES, Reach.KILLS: KILLS, Reach.ALL: KILLS | SURVIVED}[self]


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of a campaign.

    Attributes:
        id: unique within the campaign, and the same in the next one.
        part: of the campaign, for people: "singles", "regressions".
        cases: to be run, where the work is cases.
        plan: whose closure or cuts are run.
        reach: of a closure.
        kind: of cuts.
        mutant: to be tried.
        seconds: of CPU time that a mutant gets at most.
        weight: CPU time that it takes, roughly, in seconds: for the estimate alone.
        required: the campaign says nothing without it; else it is run as far as time allows.
        given: what is done, for work that the unit brings along; it can be sent to another process.
    """

    id: str
    part: str
    work: Work = Work.CASES
    cases: tuple[Case, ...] = ()
    plan: str = ""
    reach: Reach = Reach.CRASHES
    kind: FaultKind = FaultKind.LAST_WRITES_LOST
    mutant: str = ""
    seconds: float = 0.0
    weight: float = 0.0
    required: bool = True
    given: "Callable[[Unit], UnitResult] | None" = None
