"""The form of the summary of a batch, `codemod-batch/v1`, for other programs to validate against.

Fields beyond these are allowed: the summary may grow.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from conformance.codemod_schema import CodemodAccounting, CodemodFiles, CodemodProof
from conformance.errors import ExitCode


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class CodemodBatchError(_Open):
    """Why a repository was not migrated."""

    code: str
    message: str
    place: str | None
    advice: str | None


class CodemodBatchRepository(_Open):
    """One repository.

    `report` is a file in the folder `reports` of the state; `unwritten` gives for the files that
    were proved and could not be written the reason. Counts are null where nothing was counted.
    """

    repository: str
    path: str
    status: Literal["done", "failed"]
    exit_code: ExitCode
    error: CodemodBatchError | None
    files: CodemodFiles | None
    accounting: CodemodAccounting | None
    levels: list[str]
    faults: list[CodemodProof]
    unwritten: dict[str, str]
    report: str | None


class CodemodBatchTotals(_Open):
    """The sums; `known` are those of the done that an earlier run of the batch had done."""

    repositories: int = Field(ge=1)
    done: int = Field(ge=0)
    failed: int = Field(ge=0)
    known: int = Field(ge=0)
    files: int = Field(ge=0)
    before: int = Field(ge=0)
    rewritten: int = Field(ge=0)
    reported: int = Field(ge=0)
    allowed: int = Field(ge=0)


class CodemodBatchReport(_Open):
    """One codemod-batch/v1 document."""

    schema_version: Literal["codemod-batch/v1"]
    planproof: str
    source: str
    state: str
    mode: Literal["plan", "check", "write"]
    exit_code: ExitCode
    totals: CodemodBatchTotals
    repositories: list[CodemodBatchRepository]
