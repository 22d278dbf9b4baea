"""The memory layer: execution states in envelopes, one key each, for a day."""

from typing import Any, Final

from redis.asyncio import Redis

from legacy.execution_state import ExecutionState, iso_time
from legacy.failures import MemoryFailure, text_of
from legacy.json_values import dump, parse_stored
from legacy.ports import Clock

STATE_TTL_S: Final = 86_400
NAMESPACE: Final = "intentionengine"


def state_key(execution_id: str) -> str:
    """Return the key of an execution's state."""
    return f"ie:{NAMESPACE}:execution_state:{execution_id}"


async def store_text(redis: Redis, key: str, ttl_s: int, document: Any) -> None:
    """Write `document` as JSON under `key` for `ttl_s` seconds.

    The command is spelt out because the client's own `setex` is deprecated.
    """
    await redis.execute_command("SETEX", key, ttl_s, dump(document))  # type: ignore[no-untyped-call]  # the client leaves this method without types


class ExecutionMemory:
    """Loads and saves execution states."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        """Keep states in `redis`."""
        self._redis = redis
        self._clock = clock

    async def load(self, execution_id: str) -> ExecutionState | None:
        """Return the stored state, or None if there is none.

        Raises:
            MemoryFailure: it could not be read.
        """
        try:
            stored = await self._redis.get(state_key(execution_id))
            if stored is None:
                return None
            return ExecutionState.from_document(parse_stored(stored)["data"])
        except Exception as error:
            raise MemoryFailure(f"Failed to retrieve memory entry: {text_of(error)}") from error

    async def save(self, state: ExecutionState) -> None:
        """Store `state`; its TTL begins anew.

        Raises:
            MemoryFailure: it could not be written.
        """
        key = state_key(state.execution_id)
        now_ms = self._clock.now_ms()
        envelope = {
            "type": "execution_state",
            "namespace": NAMESPACE,
            "data": state.document(),
            "version": 1,
            "metadata": {"status": state.status, "step_count": len(state.step_states)},
            "key": key,
            "created_at": iso_time(now_ms),
            "expires_at": iso_time(now_ms + STATE_TTL_S * 1000),
            "ttl_seconds": STATE_TTL_S,
        }
        try:
            await store_text(self._redis, key, STATE_TTL_S, envelope)
        except Exception as error:
            raise MemoryFailure(f"Failed to store memory entry: {text_of(error)}") from error
