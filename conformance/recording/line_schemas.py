"""The lines of `recording/v1`, for other programs to validate against.

A recording is written in a consumer's process, field by field and whatever may fail, so nothing
there is checked by these records: tests hold the recorder's lines against them. Fields beyond these
are allowed: a line may grow.
"""

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class _Line(_Open):
    schema_: Literal["recording/v1"] = Field(alias="schema")
    execution_id: str
    marks: list[Literal["redacted", "cut"]] = []


class PlanLine(_Line):
    """An execution begins.

    Attributes:
        executor: what carries it out.
        at_ms: when, in milliseconds since 1970.
        marks: what was done to the values of the line.
    """

    event: Literal["execution"]
    executor: str
    at_ms: int
    plan: dict[str, Any]
    intent: dict[str, Any] | None


class CallLine(_Line):
    """A tool is about to be called.

    Attributes:
        call: the id of the call, unique among all processes.
        aliases: of the tool's parameters, by the name that stands for another.
    """

    event: Literal["call"]
    call: str
    tool: str
    aliases: dict[str, str] = {}
    at_ms: int
    timeout_ms: float | None
    parameters: Any


class ToolSucceeded(_Open):
    """The tool did its work; `output` is absent where it gave none."""

    success: Literal[True]
    output: Any = None
    compensation: Any = None


class ToolFailed(_Open):
    """The tool said that it failed."""

    success: Literal[False]
    error: str


class ToolRaised(_Open):
    """The tool raised; the message of what it raised."""

    raised: str = Field(alias="raise")


class AnswerLine(_Line):
    """A tool has answered.

    Attributes:
        call: the id of the call that is answered.
        latency_ms: between the call and the answer.
    """

    event: Literal["answer"]
    call: str
    latency_ms: int = Field(ge=0)
    outcome: ToolSucceeded | ToolFailed | ToolRaised


class CancelledLine(_Line):
    """A call was cancelled by its executor: what the tool did, nobody knows."""

    event: Literal["answer"]
    call: str
    latency_ms: int = Field(ge=0)
    cancelled: Literal[True]


class EndLine(_Line):
    """An executor has returned; `steps` are the states of the steps by id."""

    event: Literal["end"]
    success: bool
    is_partial: bool
    steps: dict[str, str]


class MissingLine(_Line):
    """An event that could not be recorded as a whole: `missing` says why.

    What is known of it is in its fields all the same: a call has its `call` and `tool`.
    """

    event: Literal["execution", "call", "answer", "end"]
    missing: str


RecordingLine: TypeAlias = PlanLine | CallLine | AnswerLine | CancelledLine | EndLine | MissingLine
