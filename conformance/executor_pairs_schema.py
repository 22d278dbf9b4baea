"""The form of what `pytest --executor legacy,unified --executor-report FILE` writes.

The records stand apart from the plugin: every run of pytest loads that, and none needs pydantic for
it. Fields beyond these are allowed: the document may grow.
"""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Executor: TypeAlias = Literal["legacy", "unified"]
PairKind: TypeAlias = Literal["same", "regression", "fixed", "both failed", "differs", "not run"]
TestOutcome: TypeAlias = Literal[
    "passed", "failed", "error", "skipped", "xfailed", "xpassed", "not collected"
]


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class PairedTest(_Open):
    """One test. Null: it did not run under this executor. Absent: nobody asked for that executor.

    Attributes:
        test: pytest's node id.
        fault: the last lines of what its failure said.
    """

    test: str = Field(min_length=1)
    legacy: TestOutcome | None = None
    unified: TestOutcome | None = None
    kind: PairKind
    fault: str = ""


class ExecutorPairs(_Open):
    """One executor-pairs/v1 document.

    Attributes:
        exit_code: pytest's exit status of the whole run.
        verdict: the reason for it, in a line.
        lenient: failures that both executors have were allowed.
        reached: by executor, the modules through which tests reached it.
        counts: how many tests there are of each kind.
    """

    schema_: Literal["executor-pairs/v1"] = Field(alias="schema")
    executors: list[Executor] = Field(min_length=1, max_length=2)
    exit_code: int = Field(ge=0)
    verdict: str
    lenient: bool
    reached: dict[Executor, list[str]]
    counts: dict[PairKind, int]
    pairs: list[PairedTest]
