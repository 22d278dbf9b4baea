"""The report of any run as pure data: `run/v1`. Commands fill it, renderers read it.

The exit policy is data here as well: which status of an item means which exit code, and which
items count. Nothing in this module reads a file, a clock or the environment.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator, model_validator

from conformance.errors import ExitCode, worst
from conformance.report import EXIT_CODES, Verdict
from conformance.report_model_chaos import Chaos
from conformance.report_model_failures import Rates

SCHEMA: Literal["run/v1"] = "run/v1"
LEDGER_GROUP = "ledger"
Kind = Literal["diff", "gate", "scan", "codemod", "chaos", "kit", "failures", "shadow"]
# `decides`: counts for the exit code. `evidence`: shown as what it is, while a metric that it
# belongs to decides. `advisory`: shown, and red for nobody.
Role = Literal["decides", "evidence", "advisory"]


class Status(StrEnum):
    """What is known about one item, from worst to best; the order in which reports list them."""

    HARNESS_ERROR = "harness_error"
    FAILED = "failed"
    NONDETERMINISTIC = "nondeterministic"
    LEDGER_FAULT = "ledger_fault"
    UNTESTABLE = "untestable"
    UNKNOWN = "unknown"
    LEDGERED = "ledgered"
    PASSED = "passed"

    @property
    def is_green(self) -> bool:
        """Whether an item with this status lets a run pass."""
        return STATUS_CODES[self] is ExitCode.PASSED


STATUS_CODES: dict[Status, ExitCode] = {
    Status.HARNESS_ERROR: ExitCode.HARNESS,
    Status.FAILED: ExitCode.FAILED,
    Status.NONDETERMINISTIC: ExitCode.FAILED,
    Status.LEDGER_FAULT: ExitCode.LEDGER,
    Status.UNTESTABLE: ExitCode.VACUOUS,
    Status.UNKNOWN: ExitCode.VACUOUS,
    Status.LEDGERED: ExitCode.PASSED,
    Status.PASSED: ExitCode.PASSED,
}
SEVERITIES = tuple(Status)

HEADLINES: dict[ExitCode, str] = {
    ExitCode.PASSED: "passed",
    ExitCode.FAILED: "a check failed",
    ExitCode.USAGE: "usage or configuration",
    ExitCode.HARNESS: "the harness failed",
    ExitCode.VACUOUS: "something could not be examined",
    ExitCode.LEDGER: "the ledger is invalid, stale or expired",
}


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Place(_Record):
    """A place in a file: lines and columns from 1, `path` relative to the report's root."""

    path: str
    line: int = Field(ge=1)
    column: int | None = Field(default=None, ge=1)
    end_column: int | None = Field(default=None, ge=1)
    text: str = ""

    @property
    def shown(self) -> str:
        """The place as a person writes it: `path:line:column`."""
        column = f":{self.column}" if self.column is not None else ""
        return f"{self.path}:{self.line}{column}"


class Divergence(_Record):
    """Where two executors differ, and what either shows there."""

    layer: str
    subject: str
    path: str
    left: Any
    right: Any


class Timeline(_Record):
    """Two runs of one scenario as lines of events, equal up to `differs_at` (from 0)."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    differs_at: int = Field(ge=0)


class Item(_Record):
    """One thing that was judged: a scenario, a use of legacy, a row of the checklist, a clause.

    Attributes:
        id: stable, and unique within its `group`.
        kind: a word for programs: the kind of a use, of a ledger fault, an attribution.
        message: why the status is not `passed`, in one line.
        entries: ledger entries that explain the item.
        layers: the layers in which it differs.
        replay: the command that shows it again.
        proposal: a ledger entry to start from, as TOML.
    """

    id: str
    group: str
    status: Status
    title: str = ""
    kind: str = ""
    message: str = ""
    role: Role = "decides"
    entries: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    divergence: Divergence | None = None
    timeline: Timeline | None = None
    place: Place | None = None
    evidence: tuple[str, ...] = ()
    replay: str = ""
    proposal: str = ""
    duration_ms: float | None = Field(default=None, ge=0)

    @property
    def key(self) -> tuple[str, str]:
        """What makes two items the same one."""
        return self.group, self.id

    @property
    def is_blocking(self) -> bool:
        """Whether somebody has to do something about it."""
        return self.role != "advisory" and not self.status.is_green


class Gauge(_Record):
    """A number on a scale from `low` to `high`, and the goal that it has to reach."""

    value: float
    goal: float
    low: float
    high: float
    unit: str = ""
    better: Literal["higher", "lower"]


class Metric(_Record):
    """One success metric: a verdict with the figure, the target and where to look."""

    id: str
    title: str
    verdict: Verdict
    figure: str
    target: str = ""
    reason: str = ""
    evidence: tuple[str, ...] = ()
    gauge: Gauge | None = None
    cause: ExitCode | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that this metric alone would give."""
        return EXIT_CODES[self.verdict] if self.cause is None else self.cause


class LedgerRow(_Record):
    """One entry of the ledger as the report shows it, and how many scenarios it explains."""

    id: str
    title: str
    layers: tuple[str, ...]
    when: str
    legacy: str
    unified: str
    reason: str
    decision: str
    owner: str
    since: str
    expires: str
    example: str
    max_share: float
    used: int = Field(default=0, ge=0)
    line: int = Field(default=1, ge=1, description="The line of the id in the ledger's file.")


class LedgerSection(_Record):
    """The ledger of a comparison; `path` is None for an emptied one."""

    path: str | None
    rows: tuple[LedgerRow, ...] = ()


class Change(_Record):
    """One piece of a file before and after a codemod; `line` is where it begins, from 1."""

    path: str
    line: int = Field(ge=1)
    before: str
    after: str
    rules: tuple[str, ...] = ()


class Codemod(_Record):
    """What a codemod has changed or would change."""

    written: bool
    files: int = Field(ge=0)
    changes: tuple[Change, ...] = ()
    left_out: int = Field(default=0, ge=0, description="Changes that are not listed.")


class Shard(_Record):
    """Which part of a corpus was run; together all `total` parts are everything if `of_whole`."""

    index: int = Field(ge=1)
    total: int = Field(ge=1)
    of_whole: bool


class RunReport(_Record):
    """Everything one run has to say.

    Attributes:
        subject: what was judged: `legacy and unified`, or a repository.
        source: where the items come from, in words, with the seed of generated ones.
        root: the folder that places are relative to; empty where there is none.
        command: what gives this report again.
        complete: everything there is was run, so that staleness was judged.
        started_at: ISO 8601 in UTC; empty where it is not known.
        rules: how many fields each normalisation rule touched.
        facts: further lines for people: what, and its value.
    """

    schema_: Literal["run/v1"] = Field(default=SCHEMA, alias="schema")
    kind: Kind
    product_version: str
    subject: str
    source: str = ""
    root: str = ""
    command: str = ""
    profile: str = ""
    executors: tuple[str, ...] = ()
    complete: bool = True
    shard: Shard | None = None
    started_at: str = ""
    duration_ms: float = Field(default=0, ge=0)
    metrics: tuple[Metric, ...] = ()
    items: tuple[Item, ...] = ()
    ledger: LedgerSection | None = None
    rules: dict[str, int] = Field(default_factory=dict)
    facts: tuple[tuple[str, str], ...] = ()
    codemod: Codemod | None = None
    chaos: Chaos | None = None
    rates: Rates | None = None

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @field_validator("started_at")
    @classmethod
    def _is_moment(cls, value: str) -> str:
        if value and datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("must be in UTC or name its offset")
        return value

    @model_validator(mode="before")
    @classmethod
    def _without_computed(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: item for key, item in value.items() if key not in {"exit_code", "counts"}}

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorators above a property
    @property
    def exit_code(self) -> int:
        """The most severe code of all that decides; nothing examined is `VACUOUS`."""
        codes = list(self._codes())
        return int(worst(codes) if codes else ExitCode.VACUOUS)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorators above a property
    @property
    def counts(self) -> dict[Status, int]:
        """How many items have each status, worst first; a status without items is left out."""
        found = Counter(item.status for item in self.items)
        return {status: found[status] for status in SEVERITIES if found[status]}

    @property
    def headline(self) -> str:
        """What the exit code says, in words."""
        return HEADLINES[ExitCode(self.exit_code)]

    def blocking(self) -> tuple[Item, ...]:
        """Return the items that somebody has to do something about, the worst first."""
        found = [item for item in self.items if item.is_blocking]
        return tuple(sorted(found, key=lambda item: SEVERITIES.index(item.status)))

    def to_json(self) -> str:
        """Return the report as one JSON document in ASCII, ending in a newline.

        In ASCII, because a text of a scenario need not be valid Unicode.
        """
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=1) + "\n"

    def _codes(self) -> Iterator[ExitCode]:
        yield from (metric.exit_code for metric in self.metrics)
        yield from (STATUS_CODES[item.status] for item in self.items if item.role == "decides")
