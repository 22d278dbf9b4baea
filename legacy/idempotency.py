"""Claims: which steps have been started by whom, for a day."""

from redis.asyncio import Redis

from legacy.execution_state import iso_time
from legacy.ports import Clock

CLAIM_TTL_S = 86_400


class IdempotencyService:
    """Set-if-absent claims on `ie:idempotency:<owner>:<step index>`.

    Quirk 14: the claim is made before the work and never released or marked done, so a step that
    failed, was invalid, raised or crashed counts as executed for a day.
    Quirk 15: it names an owner (intent, else execution) and a position, not a step, so another
    execution of the same intent, or another plan, finds its steps claimed.
    """

    def __init__(self, redis: Redis, clock: Clock) -> None:
        """Keep claims in `redis`."""
        self._redis = redis
        self._clock = clock

    async def claim(self, owner: str, step_index: int) -> bool:
        """Claim a step; return False if somebody did before.

        Raises:
            redis.exceptions.RedisError: the store failed.
        """
        stored = await self._redis.set(
            f"ie:idempotency:{owner}:{step_index}",
            iso_time(self._clock.now_ms()),
            ex=CLAIM_TTL_S,
            nx=True,
        )
        return bool(stored)
