"""The gate's report: a pure model; how it is shown is the renderers' business.

The exit policy is data in this module: which verdict means which exit code, and in which profiles
the migration checklist counts. The JSON form carries `schema_version`.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from conformance.config import ProfileName
from conformance.errors import ExitCode, worst

SCHEMA_VERSION: Literal["report/v1"] = "report/v1"


class Verdict(StrEnum):
    """What is known about one claim. A check that could not be made is never `MET`."""

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "unknown"


# What a verdict means for the exit status, unless a finding knows a more severe cause.
EXIT_CODES: dict[Verdict, ExitCode] = {
    Verdict.MET: ExitCode.PASSED,
    Verdict.MISSED: ExitCode.FAILED,
    Verdict.UNKNOWN: ExitCode.VACUOUS,
}

# In other profiles the rows are reported and do not decide: most of a migration is spent with
# some of them open.
PROFILES_GATED_BY_CHECKLIST: frozenset[ProfileName] = frozenset({"release"})


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(_Record):
    """What was found out about one claim.

    `figure` is the number found and `target` the number wanted, as text with their units;
    `evidence` says where to look (files with lines, commands); `reason` says why a verdict is not
    `met`; `cause` is set where more than the verdict went wrong (the harness, the ledger).
    """

    id: str
    title: str
    verdict: Verdict
    figure: str
    target: str
    evidence: tuple[str, ...] = ()
    reason: str = ""
    cause: ExitCode | None = None
    details: dict[str, Any] = Field(default_factory=dict)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorators above a property
    @property
    def exit_code(self) -> int:
        """The exit code that this finding alone would give."""
        return int(EXIT_CODES[self.verdict] if self.cause is None else self.cause)


class GateReport(_Record):
    """Everything one run of the gate found, and the exit code that follows from it."""

    schema_version: Literal["report/v1"] = SCHEMA_VERSION
    kind: Literal["gate"] = "gate"
    product_version: str
    profile: ProfileName
    repository: str
    configuration: str
    only: tuple[str, ...] = ()
    metrics: tuple[Finding, ...]
    checklist: tuple[Finding, ...] = ()

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorators above a property
    @property
    def checklist_decides(self) -> bool:
        """Whether rows of the checklist count towards the exit code in this profile."""
        return self.profile in PROFILES_GATED_BY_CHECKLIST

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorators above a property
    @property
    def exit_code(self) -> int:
        """The most severe code of all that decides; nothing examined is `VACUOUS`."""
        codes = [ExitCode(finding.exit_code) for finding in self.deciding()]
        return int(worst(codes) if codes else ExitCode.VACUOUS)

    def deciding(self) -> tuple[Finding, ...]:
        """Return the findings that the exit code follows from."""
        return (*self.metrics, *(self.checklist if self.checklist_decides else ()))

    def verdict(self) -> Verdict:
        """Return the verdict over everything that decides."""
        return merged(finding.verdict for finding in self.deciding())


def merged(verdicts: Iterable[Verdict]) -> Verdict:
    """Return `MISSED` before `UNKNOWN` before `MET`; of no verdicts, `UNKNOWN`."""
    found = set(verdicts)
    if Verdict.MISSED in found:
        return Verdict.MISSED
    return Verdict.MET if found == {Verdict.MET} else Verdict.UNKNOWN
