"""The feed: events of all executions of a shard in one stream, for subscribers to follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

from engine.events import Event

FeedPosition = NewType("FeedPosition", str)


@dataclass(frozen=True, slots=True)
class SequencedEvent:
    """One event and its number, from 1 without gaps, among the events of its execution.

    The execution's id and the number name an event for ever: whoever has seen both has seen it.
    """

    sequence: int
    event: Event


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """The events of one write, in order, and the position after them."""

    position: FeedPosition
    events: Sequence[SequencedEvent]


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to read one shard for one subscriber; a stale one cannot move the position."""

    shard: int
    subscriber: str
    token: int
    position: FeedPosition


class Feed(Protocol):
    """Where events wait for subscribers. Every method may raise `StoreUnavailableError`."""

    @property
    def shards(self) -> int:
        """How many streams there are."""

    async def subscribe(self, subscriber: str) -> None:
        """Keep every event from now on until `subscriber` has seen it. Harmless when repeated."""

    async def unsubscribe(self, subscriber: str) -> None:
        """Forget the subscriber; what only it had not seen is dropped."""

    async def take_turn(
        self, shard: int, subscriber: str, owner: str, lease_ms: int
    ) -> Turn | None:
        """Return the right to read a shard, None while another owner has it.

        Raises:
            engine.errors.SubscriberUnknownError: nobody subscribed under this name.
        """

    async def read(self, turn: Turn, limit: int) -> list[FeedEntry]:
        """Return at most `limit` entries after the position of `turn`."""

    async def advance(
        self, turn: Turn, position: FeedPosition, lease_ms: int, *, release: bool
    ) -> bool:
        """Note what has been seen, drop what all have seen; False if the turn is another's by now."""
