"""What `planproof doctor` found, as `doctor/v1`: the JSON form is made by these records."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from conformance.environment import Check, State
from conformance.errors import ExitCode

SCHEMA: Final = "doctor/v1"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class CheckRecord(_Record):
    """One thing that was looked at.

    Attributes:
        name: what it is: `python`, `store`, `extra conformance`.
        detail: what was found.
        advice: the way out; empty where none is needed.
    """

    name: str
    state: State
    detail: str
    advice: str


class EnvironmentReport(_Record):
    """One doctor/v1 document.

    Attributes:
        exit_code: 0, 3 where the environment is not fit, 2 where the configuration is wrong.
    """

    schema_: Literal["doctor/v1"] = Field(alias="schema")
    exit_code: int = Field(ge=0, le=5)
    checks: tuple[CheckRecord, ...]


def environment_report(checks: tuple[Check, ...], code: ExitCode) -> EnvironmentReport:
    """Return the report on `checks`, whose meaning as a whole is `code`."""
    records = tuple(
        CheckRecord(name=each.name, state=each.state, detail=each.detail, advice=each.advice)
        for each in checks
    )
    return EnvironmentReport(schema=SCHEMA, exit_code=int(code), checks=records)
