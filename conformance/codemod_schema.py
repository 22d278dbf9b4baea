"""The form of the report of a migration, `codemod/v1`, for other programs to validate against.

Fields beyond these are allowed: the report may grow.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from codemods.migration import Outcome
from codemods.occurrence import Kind, Scope, Status


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class CodemodFiles(_Open):
    """How many files there are, and the paths of those that change."""

    found: int = Field(ge=0)
    examined: int = Field(ge=0)
    changed: list[str]


class CodemodAccounting(_Open):
    """The sum: `before` is the number of occurrences, each of which has one outcome."""

    before: int = Field(ge=0)
    rewritten: int = Field(ge=0)
    reported: int = Field(ge=0)
    allowed: int = Field(ge=0)


class CodemodRule(_Open):
    """How many occurrences a rule took part in; `bridged` ones are among the rewritten."""

    title: str
    rewritten: int = Field(ge=0)
    bridged: int = Field(ge=0)
    left: int = Field(ge=0)
    allowed: int = Field(ge=0)


class CodemodChange(_Open):
    """One file that changes; changes of one group are written together or not at all."""

    path: str
    rules: list[str]
    group: int


class CodemodProof(_Open):
    """One rung for one file, or for the whole (path `.`); `fault` is empty when it holds."""

    path: str
    level: str
    fault: str


class CodemodSuppression(_Open):
    """An allow entry that is stale or expired."""

    path: str
    reason: str
    expires: str
    fault: str


class CodemodOccurrence(_Open):
    """One occurrence with its outcome; lines and columns from 1, in a notebook those of a cell."""

    path: str
    line: int = Field(ge=1)
    column: int = Field(ge=1)
    end_column: int = Field(ge=1)
    kind: Kind
    scope: Scope
    status: Status
    text: str
    target: str
    rule_id: str
    reason: str
    needle: str
    cell: int | None = Field(ge=1)
    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$")
    outcome: Outcome
    bridged: bool
    blocking: bool
    rules: list[str]
    reasons: list[str]
    notes: list[str]


class CodemodReport(_Open):
    """One codemod/v1 document."""

    schema_version: Literal["codemod/v1"]
    root: str
    written: bool
    files: CodemodFiles
    accounting: CodemodAccounting
    bridged: int = Field(ge=0)
    blocking: int = Field(ge=0)
    rules: dict[str, CodemodRule]
    changes: list[CodemodChange]
    levels: list[str]
    verification: list[CodemodProof]
    suppressions: list[CodemodSuppression]
    occurrences: list[CodemodOccurrence]
