"""The relay: hands events of the outbox to a subscriber, at least once and in order.

Any number of processes may relay for the same subscriber: each shard is read by one at a time. What
a process had delivered when it died is delivered again by the next, with the same number.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from engine.clock import Clock, SystemClock
from engine.feed import Feed, FeedPosition, SequencedEvent, Turn
from engine.identity import IdSource, SystemIdSource
from engine.limits import LEASE_MS, LEASE_RENEWALS_PER_TERM, RELAY_BATCH_ENTRIES, RELAY_PAUSE_MS

Deliver: TypeAlias = Callable[[SequencedEvent], Awaitable[None]]
"""Takes one event; it has been seen when this returns, and is handed over again if it raises."""


class Relay:
    """Relays for one subscriber."""

    def __init__(
        self,
        feed: Feed,
        subscriber: str,
        deliver: Deliver,
        *,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        lease_ms: int = LEASE_MS,
    ) -> None:
        """Hand what `subscriber` has not seen to `deliver`.

        Args:
            feed: `engine.redis_store.RedisStore.feed()`.
            subscriber: a name of its own; its position is durable.
            deliver: called with one event after the other.
            clock: the time; by default the system's.
            ids: tells this process from others; by default the system's.
            lease_ms: how long one delivery may take before another process takes over.
        """
        self._feed = feed
        self._subscriber = subscriber
        self._deliver = deliver
        self._clock = clock or SystemClock()
        self._owner = (ids or SystemIdSource()).new_id()
        self._lease_ms = lease_ms

    async def subscribe(self) -> None:
        """Keep every event from now on until it has been delivered."""
        await self._feed.subscribe(self._subscriber)

    async def run(self, pause_ms: int = RELAY_PAUSE_MS) -> None:
        """Relay until cancelled; pause when there is nothing to do.

        Raises:
            Exception: what `deliver` raised; the event comes again when this is run again.
            engine.errors.StoreUnavailableError: the store failed; nothing is lost.
        """
        while True:
            if not await self.run_once():
                await self._clock.sleep_ms(pause_ms)

    async def run_once(self, limit: int = RELAY_BATCH_ENTRIES) -> int:
        """Relay at most `limit` entries of each shard that is free; return how many events.

        Raises:
            Exception: what `deliver` raised; what was delivered before is noted as seen.
            engine.errors.SubscriberUnknownError: the subscriber has not subscribed.
            engine.errors.StoreUnavailableError: the store failed; nothing is lost.
        """
        delivered = 0
        for shard in range(self._feed.shards):
            turn = await self._feed.take_turn(shard, self._subscriber, self._owner, self._lease_ms)
            if turn is not None:
                delivered += await self._relay(turn, limit)
        return delivered

    async def _relay(self, turn: Turn, limit: int) -> int:
        delivered, position, mine = 0, turn.position, True
        noted_ms = self._clock.monotonic_ms()
        for entry in await self._feed.read(turn, limit):
            try:
                for event in entry.events:
                    await self._deliver(event)
                    delivered += 1
            except Exception:
                await self._note(turn, position, release=True)
                raise
            position = entry.position
            if self._clock.monotonic_ms() - noted_ms > self._lease_ms / LEASE_RENEWALS_PER_TERM:
                mine = await self._note(turn, position, release=False)
                noted_ms = self._clock.monotonic_ms()
                if not mine:
                    return delivered
        await self._note(turn, position, release=True)
        return delivered

    async def _note(self, turn: Turn, position: FeedPosition, *, release: bool) -> bool:
        return await self._feed.advance(turn, position, self._lease_ms, release=release)
