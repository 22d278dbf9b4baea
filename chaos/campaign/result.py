"""What units and campaigns came to, as data that is written to journals and reports: `chaos/v1`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA: Literal["chaos/v1"] = "chaos/v1"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Broken(_Record):
    """A predicate that does not hold; `witnesses` are numbers of records of the history."""

    predicate: str
    message: str
    witnesses: tuple[int, ...] = ()


class Failure(_Record):
    """A case that did not hold: its id, what it came to and why."""

    case: str
    judgement: str
    part: str
    digest: str = ""
    note: str = ""
    violations: tuple[Broken, ...] = ()


class Cell(_Record):
    """A cell of the coverage matrix: cases in which this kind was to strike there."""

    site: str
    kind: str
    runs: int = 0
    fired: int = 0
    violations: int = 0


class Tally(_Record):
    """Cases of one plan with one kind of fault (several are joined by "+")."""

    plan: str
    kind: str
    cases: int = 0
    failed: int = 0
    first: str = Field(default="", description="Fault id of the first that did not hold.")


class Measured(_Record):
    """What was seen of the steps of one tool class under one policy after one disturbance.

    `least` and `most` count applied effects of steps that were said to be completed; `in_doubt`
    counts steps that ended in doubt, `broken` those whose promise did not hold.
    """

    tool_class: str
    disturbance: str
    policy: str
    steps: int = 0
    completed: int = 0
    least: int | None = None
    most: int | None = None
    most_ever: int = 0
    in_doubt: int = 0
    broken: int = 0


class Closure(_Record):
    """What one closure covered; see `chaos.explore.closure.ClosureReport`."""

    plan: str
    reach: str
    points: int
    states: int
    edges: int
    complete: bool
    audited: int
    disagreed: tuple[str, ...] = ()


class UnitResult(_Record):
    """What one unit came to."""

    unit: str
    part: str
    cases: int = 0
    replayed: int = 0
    seconds: float = 0.0
    kills: int = Field(default=0, description="Real SIGKILLs of real processes.")
    compared: int = Field(default=0, description="Cases that were run in both worlds.")
    disagreed: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    sites: tuple[str, ...] = Field(default=(), description="Classes of call sites passed.")
    tallies: tuple[Tally, ...] = ()
    measured: tuple[Measured, ...] = ()
    failures: tuple[Failure, ...] = ()
    points: dict[str, int] = Field(default_factory=dict)
    closure: Closure | None = None
    trial: dict[str, Any] | None = None


class Part(_Record):
    """A part of a campaign: how much of it there was, and how much of that was run."""

    name: str
    units: int
    done: int = 0
    cases: int = 0
    seconds: float = 0.0
    required: bool = True


class CampaignResult(_Record):
    """Everything that a campaign came to.

    Attributes:
        wall_s: real time of this run, what was continued left out.
        complete: every unit was run.
        continued: units that an earlier, interrupted run had done.
        overfull: failures beyond those that are listed.
        run: the same as a report of any command (`run/v1`), where a command has made one.
    """

    schema_: Literal["chaos/v1"] = Field(default=SCHEMA, alias="schema")
    profile: str
    seed: int
    jobs: int
    version: str
    identity: str
    command: str
    started_at: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    complete: bool = True
    continued: int = 0
    parts: tuple[Part, ...] = ()
    cases: int = 0
    replayed: int = 0
    kills: int = 0
    compared: int = 0
    disagreed: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    sites: tuple[str, ...] = ()
    tallies: tuple[Tally, ...] = ()
    measured: tuple[Measured, ...] = ()
    closures: tuple[Closure, ...] = ()
    trials: tuple[dict[str, Any], ...] = ()
    points: dict[str, int] = Field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    overfull: int = 0
    run: dict[str, Any] | None = None

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    @property
    def is_whole(self) -> bool:
        """Whether everything that is required was run."""
        return all(part.done == part.units for part in self.parts if part.required)

    def to_json(self) -> str:
        """Return it as one JSON document, ending in a newline."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"
