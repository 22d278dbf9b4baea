"""What a chaos campaign adds to a report: coverage, kills, guarantees, legacy beside unified.

The records say what was measured and nothing of how it is drawn. A cell that was not run is not
there, which is not the same as a cell with no failures.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CoverageCell(_Record):
    """Faults of one kind at one call site: how many cases ran, fired, and violated a predicate."""

    site: str
    kind: str
    runs: int = Field(ge=0)
    fired: int = Field(ge=0)
    violations: int = Field(default=0, ge=0)


class KillCell(_Record):
    """One mutant under one kind of fault; `killed` says that a predicate was violated there."""

    mutant: str
    kind: str
    killed: bool
    witness: str = ""


class Mutant(_Record):
    """One changed engine. A harmless one must survive; every other must be killed."""

    id: str
    title: str
    harmless: bool = False


class Guarantee(_Record):
    """What is promised for a class of tools, a store policy and a failure, and what was measured."""

    tool_class: str
    store_policy: str
    failure: str
    promised: str
    measured: str
    holds: bool | None = Field(description="None where nothing was measured.")
    cases: int = Field(default=0, ge=0)


class TimelineRow(_Record):
    """One thing that happened: in which lane, whether it is a fault, and what it is witness of."""

    number: int
    at_ms: int
    life: int
    lane: Literal["worker", "store", "ledger"]
    text: str
    fault: bool = False
    witness_of: tuple[str, ...] = ()


class BrokenPredicate(_Record):
    """A predicate that does not hold: its id, what it says in general, and what was wrong here."""

    id: str
    meaning: str
    message: str


class CaseTimeline(_Record):
    """Everything that happened in one case, to be read from top to bottom."""

    case: str
    story: str
    replay: str
    broken: tuple[BrokenPredicate, ...]
    rows: tuple[TimelineRow, ...]


class FateRow(_Record):
    """What came of one plan under one executor, a fate for each point at which it was struck."""

    executor: str
    plan: str
    cases: tuple[str, ...]
    fates: tuple[Literal["lost", "duplicated", "stuck", "diverged", "repeated", "clean"], ...]


class SideBySide(_Record):
    """How many fault points one executor lost, duplicated or left stuck, of how many."""

    executor: str
    outcome: Literal["lost", "duplicated", "stuck", "diverged", "repeated", "clean"]
    points: int = Field(ge=0)
    of: int = Field(ge=0)
    example: str = ""


class Chaos(_Record):
    """The evidence of a chaos campaign; a part that was not run is empty."""

    world: str = ""
    seed: int | None = None
    coverage: tuple[CoverageCell, ...] = ()
    mutants: tuple[Mutant, ...] = ()
    kills: tuple[KillCell, ...] = ()
    guarantees: tuple[Guarantee, ...] = ()
    timelines: tuple[CaseTimeline, ...] = ()
    fates: tuple[FateRow, ...] = ()
    legacy_side_by_side: tuple[SideBySide, ...] = ()
