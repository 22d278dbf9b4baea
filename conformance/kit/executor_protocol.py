"""executor-protocol/v1: the messages between the harness and a program that is an executor.

One JSON object a line, UTF-8. The harness writes first; after each of its messages the program
writes one or more, and only the last of them without `more`. That last one says that the program
waits now: only then does virtual time move.
"""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

PROTOCOL = 1

Outcome: TypeAlias = Literal["completed", "failed", "yielded", "waiting"]
LevelName: TypeAlias = Literal["C0", "C1", "C2", "C3", "C4", "C5"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StepReport(_Record):
    """How one step stands, in the order of the plan."""

    id: str
    status: Literal["pending", "in_progress", "completed", "failed"]
    output: Any = None
    error: str | None = None
    attempts: int = Field(default=0, ge=0)


class Ready(_Record):
    """The answer to `hello`. `capabilities` are the levels that the program declares."""

    type: Literal["ready"]
    protocol: Literal[1]
    capabilities: tuple[LevelName, ...]
    name: str = Field(default="", max_length=100)


class _Waiting(_Record):
    more: bool = False


class Call(_Waiting):
    """Call a tool; the harness answers with the `reply` of this id when the call has ended."""

    type: Literal["call"]
    id: int
    tool: str
    parameters: Any
    timeout_ms: int | None = None
    idempotency_key: str | None = None


class Sleep(_Waiting):
    """Wait for virtual milliseconds; the `reply` of this id says that they are over."""

    type: Literal["sleep"]
    id: int
    ms: int = Field(ge=0)


class Cancel(_Waiting):
    """Give a call or a sleep up; it is answered at once. One that was answered is no fault."""

    type: Literal["cancel"]
    id: int


class Wait(_Record):
    """Nothing to say: the program waits for a reply that it has asked for before."""

    type: Literal["wait"]


class Result(_Record):
    """The answer to `start` and `resume`. `yielded`: resume me later."""

    type: Literal["result"]
    outcome: Outcome
    steps: tuple[StepReport, ...]
    error: str | None = None


class Threw(_Record):
    """The answer to any request that is refused, or that cannot be carried out."""

    type: Literal["threw"]
    message: str
    name: str = "Error"


class Progress(_Record):
    """The answer to `state`; `outcome` is null for an execution that is not known."""

    type: Literal["state"]
    outcome: Outcome | None
    steps: tuple[StepReport, ...] = ()


class Taken(_Record):
    """The answer to `take_in`."""

    type: Literal["taken"]


class Handed(_Record):
    """The answer to `hand_out`: the run as progress/v1."""

    type: Literal["handed"]
    progress: dict[str, Any]


Message: TypeAlias = (
    Ready | Call | Sleep | Cancel | Wait | Result | Threw | Progress | Taken | Handed
)
FROM_EXECUTOR: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


class Hello(_Record):
    """The first message. `scratch` is the folder that the program's store is kept in."""

    type: Literal["hello"]
    protocol: Literal[1]
    scratch: str
    now_ms: int


class Start(_Record):
    """Run the first segment. Times are virtual, in milliseconds since 1970."""

    type: Literal["start"]
    execution_id: str
    plan: dict[str, Any]
    intent: dict[str, Any] | None
    now_ms: int


class ExecutionRequest(_Record):
    """Resume an execution, tell its stored state, or hand it out."""

    type: Literal["resume", "state", "hand_out"]
    execution_id: str
    now_ms: int


class TakeIn(_Record):
    """Store a run that another executor has begun: progress/v1."""

    type: Literal["take_in"]
    progress: dict[str, Any]
    now_ms: int


class CompensationCall(_Record):
    """What undoes a call."""

    tool: str
    parameters: dict[str, Any]


class Reply(_Record):
    """The end of a call or a sleep. `raised`: the tool raised, it did not report a failure."""

    type: Literal["reply"]
    id: int
    now_ms: int
    success: bool
    output: Any = None
    error: str | None = None
    raised: bool = False
    compensation: CompensationCall | None = None


Request: TypeAlias = Hello | Start | ExecutionRequest | TakeIn | Reply
TO_EXECUTOR: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="type")])


def protocol_schema() -> dict[str, Any]:
    """Return the JSON Schema of the messages, one definition for each direction."""
    sides: dict[str, TypeAdapter[Any]] = {
        "from_executor": FROM_EXECUTOR,
        "to_executor": TO_EXECUTOR,
    }
    schemas = {name: adapter.json_schema() for name, adapter in sides.items()}
    definitions: dict[str, Any] = {}
    for found in schemas.values():
        definitions |= found.pop("$defs")
    return {
        "title": "executor-protocol/v1",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in schemas],
        "$defs": definitions | schemas,
    }
