"""The port through which any durable executor takes part in a campaign.

A world gives each life of the executor a Redis client, a clock, ids and the outside of its tools, and
knows nothing else of it. What the executor's commands are for, and what its keys mean, the port says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from redis.asyncio import Redis

from chaos.history import StepView
from chaos.plans import ChaosPlan
from engine import Clock, IdSource

EXECUTION = "execution-1"
"""The id of the one execution of a case."""

Command: TypeAlias = Sequence[bytes]
"""A command as it is sent: name and arguments."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key as the server holds it, in plain values.

    Attributes:
        value: bytes of a string; field -> bytes of a hash; member -> score of a sorted set;
            (id, fields) of a stream's entries; anything else as text.
        expires_ms: epoch milliseconds; None: never.
    """

    kind: str
    value: Any
    expires_ms: int | None = None


Image: TypeAlias = Mapping[bytes, StoredKey]
"""Everything that a server holds at one moment, by key."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a command is for.

    Attributes:
        site: by step and operation: "begin", "s1.commit+s2.intent", "renew".
        epoch: the fencing token that it carries, where it carries one.
    """

    site: str
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class WrittenEvent:
    """An event as it stands in the outbox; `seq` counts per execution."""

    seq: int
    name: str
    step: str | None = None


@dataclass(frozen=True, slots=True)
class DurableView:
    """What an image tells of the execution, in the words of all executors.

    Attributes:
        status: None: there is no such execution.
        due_at_ms: when its queue shows it (epoch); a lease is due at its end.
        waiting_for: the step that a person has to decide about.
        waiting_reason: "requires_confirmation" or "in_doubt".
        token: what a decision has to name.
        remaining: steps that it lists as not undone itself.
    """

    status: str | None = None
    ended: bool = False
    version: int = 0
    epoch: int = 0
    leased: bool = False
    due_at_ms: int | None = None
    waiting_for: str | None = None
    waiting_reason: str | None = None
    token: str | None = None
    steps: Mapping[str, StepView] = field(default_factory=dict)
    remaining: tuple[str, ...] = ()
    events: tuple[WrittenEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call as it leaves the executor.

    Attributes:
        key: what the callee deduplicates on.
        compensation: whether it undoes the step.
    """

    step: str
    tool: str
    key: str
    attempt: int
    arguments: Mapping[str, Any]
    compensation: bool = False


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """What the tool answers."""

    success: bool
    output: Any = None
    error: str = ""


class Callee(Protocol):
    """The outside of all tools, as one life of the executor sees it."""

    async def call(self, request: CallRequest, /) -> CallAnswer:
        """Carry a call out.

        Raises:
            Exception: the tool raises; whether it had its effect is not known.
        """

    async def look_up(self, step: str, key: str, /) -> CallAnswer | None:
        """Return the answer of the call with this key; None: it had no effect."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What one life of the executor gets from outside.

    Attributes:
        ids: seeded, otherwise for each life.
        lease_clock: whose time leases run on; None: the server's own. A process world gives one, so
            that nobody waits for real until a dead process' lease has run out.
        key_prefix: first part of all keys.
    """

    plan: ChaosPlan
    client: Redis
    callee: Callee
    clock: Clock
    ids: IdSource
    execution_id: str = EXECUTION
    lease_clock: Clock | None = None
    key_prefix: str = "planproof"


@dataclass(frozen=True, slots=True)
class LifeResult:
    """What a life told its caller: the status, and an error's code where it ended with one."""

    status: str | None = None
    error_code: str | None = None


class ExecutorPort(Protocol):
    """An executor under test, for one plan."""

    name: str
    scripts: Sequence[str]
    """Lua texts that a server which has run before knows."""
    loggers: Sequence[str]
    """Loggers that tell of failures; in a campaign those are planned, and the history has them."""

    async def run(self, life: Surroundings, *, begin: bool) -> LifeResult:
        """Begin the plan (a second begin continues it), or resume it, until it ends or yields.

        Raises:
            Exception: what the caller would see; `error_code` names it.
        """

    async def decide(self, life: Surroundings, view: DurableView, *, approved: bool) -> LifeResult:
        """Answer what the execution waits for."""

    async def cancel(self, life: Surroundings) -> bool:
        """Ask for the execution to be cancelled; whether it was there and still ran."""

    def error_code(self, error: BaseException) -> str:
        """Return the stable name of an error that `run` raised."""

    def operation(self, commands: Sequence[Command]) -> Operation | None:
        """Say what a command, or a pipeline of them, is for; None: nothing of the executor's."""

    def refusal(self, reply: Any) -> str | None:
        """Return the script's own word if a reply refuses; None if it does not."""

    def view(self, image: Image) -> DurableView:
        """Read an image."""

    def final_hash(self, image: Image) -> str:
        """Return a hash of everything durable that must not depend on faults."""

    def left_behind(self, image: Image) -> tuple[str, ...]:
        """Return what an execution that has ended should not have left: keys, leases, queue entries."""

    def canonical(self, image: Image, now_ms: int) -> Any:
        """Return what of an image the executor's further behaviour depends on, and nothing else."""

    def is_stale(self, commands: Sequence[Command], image: Image) -> bool:
        """Whether a held operation can change nothing any more, whenever it arrives."""


PortFactory: TypeAlias = Callable[[ChaosPlan], ExecutorPort]
