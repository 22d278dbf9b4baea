"""The store: one atomic, fenced transition at a time. Where it keeps things is its own affair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias

from engine.events import Event
from engine.feed import Feed
from engine.identity import FencingToken
from engine.plan import Plan
from engine.resume_queue import DueQueue
from engine.types.execution import ExecutionState, StepState


class Lease(NamedTuple):
    """The right to write to one execution, and the version that the next write expects.

    A token is never reused and grows with each claim: a holder of an older one can write nothing.
    """

    execution_id: str
    owner: str
    token: FencingToken
    version: int


class Claimed(NamedTuple):
    """A lease together with everything durable, read in the same round trip."""

    lease: Lease
    state: ExecutionState
    created: bool
    cancel_reason: str | None = None


@dataclass(frozen=True, slots=True)
class DueAt:
    """The execution is to be resumed at this time (epoch milliseconds)."""

    at_ms: int


Due: TypeAlias = DueAt | Literal["keep", "remove"]


@dataclass(slots=True)
class Transition:
    """One write: all of it becomes durable, or nothing.

    Attributes:
        operation_id: applied once however often it is sent; a repeat gets the first answer.
        head: the changed fields of the execution, by name; None removes the field.
        steps: the changed steps, by position in the plan. Refused for a step that is being undone.
        undoing: steps whose compensation begins now: nothing but `undone` writes to them any more.
        undone: steps whose compensation has ended.
        lease_ms: the term of the lease; one that runs out soon is prolonged by this much.
        release: give the lease back with this write.
        expire_s: from now on the whole execution is kept only this long (seconds).
    """

    operation_id: str
    lease_ms: int
    head: Mapping[str, str | None] = field(default_factory=dict)
    steps: Mapping[int, StepState] = field(default_factory=dict)
    undoing: Sequence[int] = ()
    undone: Mapping[int, StepState] = field(default_factory=dict)
    events: Sequence[Event] = ()
    due: Due = "keep"
    release: bool = False
    expire_s: int | None = None


@dataclass(slots=True)
class Applied:
    """What a transition answers: the lease for the next one, and the requests of others."""

    lease: Lease
    cancel_reason: str | None = None
    yield_requested: bool = False


@dataclass(frozen=True, slots=True)
class Beginning:
    """What `begin` writes if the execution does not exist yet."""

    plan: Plan
    intent: Mapping[str, object] | None = None
    trace_id: str | None = None
    created_at_ms: int = 0


class Store(Protocol):
    """Durable executions.

    Every method raises `engine.errors.StoreUnavailableError` if the store cannot be reached and
    `CheckpointCorruptError` or `UnknownVersionError` if what it holds cannot be read.
    """

    async def begin(
        self,
        execution_id: str,
        owner: str,
        lease_ms: int,
        beginning: Beginning,
        first: Transition | None = None,
    ) -> Claimed:
        """Create the execution and claim it; if it exists, claim it as it is.

        Args:
            execution_id: names it for ever.
            owner: who claims it.
            lease_ms: for how long.
            beginning: what is written if it does not exist.
            first: written in the same moment if this call creates the execution, and only then.
                `created` says so; the lease then follows it, and the state does not show it.

        Raises:
            engine.errors.PlanMismatchError: it exists with another plan.
            engine.errors.LeaseHeldError: it exists and another owner's lease still runs.
        """

    async def claim(self, execution_id: str, owner: str, lease_ms: int) -> Claimed:
        """Take the lease, or take it over after it ran out: a new token, the state, one trip.

        Raises:
            engine.errors.ExecutionNotFoundError: there is no such execution.
            engine.errors.LeaseHeldError: another owner's lease still runs.
        """

    async def apply(self, lease: Lease, transition: Transition) -> Applied:
        """Write `transition`.

        Raises:
            engine.errors.LeaseLostError: the lease's token or version is not the newest;
                nothing was written.
            engine.errors.CompensationBegunError: one of `steps` is being undone, or has been;
                nothing was written.
        """

    async def renew(self, lease: Lease, lease_ms: int) -> None:
        """Prolong the lease.

        Raises:
            engine.errors.LeaseLostError: the token is not the newest.
        """

    async def replicate(self, lease: Lease, replicas: int, timeout_ms: int) -> None:
        """Wait until so many replicas have all that was written; for at most `timeout_ms`.

        Raises:
            engine.errors.LeaseLostError: what was written under `lease` is not there: another process
                took over, or the store has lost it.
            engine.errors.NotReplicatedError: they do not.
            engine.errors.ReplicationUnsupportedError: the store cannot tell.
        """

    async def load(self, execution_id: str) -> ExecutionState:
        """Return what is durable, without a lease.

        Raises:
            engine.errors.ExecutionNotFoundError: there is no such execution.
        """

    async def request_cancel(self, execution_id: str, reason: str) -> bool:
        """Ask whoever holds the lease to cancel; whether the execution exists and still runs."""

    async def request_yield(self, execution_id: str) -> bool:
        """Ask whoever holds the lease to yield; whether anybody does. Later holders are not asked."""

    async def due(self, before_ms: int, limit: int) -> list[str]:
        """Return executions that are due before a time (epoch milliseconds), earliest first."""

    async def events(self, execution_id: str) -> list[Event]:
        """Return the execution's outbox, in order."""

    def feed(self) -> Feed:
        """Return the feed of all events, for an `engine.relay.Relay`."""

    def due_queue(self) -> DueQueue:
        """Return the queue of what is due, for workers that take turns."""

    async def aclose(self) -> None:
        """Give connections back."""
