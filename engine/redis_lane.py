"""A connection that is kept between calls: what a client does for each command is done once.

Taking a connection from a pool and giving it back, packing a command and finding its parser cost a
client of redis-py more than the command itself. A lane sends packed commands on a connection that
it has taken, checked before each use as the pool would check it.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.limits import SCRIPT_LANES

TRUSTED_S = 1.0
"""A connection that has answered so short a time ago is used without asking whether it still stands."""

_FAILURES = (RedisConnectionError, RedisTimeoutError, OSError)


class LaneFailedError(Exception):
    """The connection failed; whether the server carried the command out is not known."""

    def __init__(self, cause: Exception, *, may_retry: bool) -> None:
        """Carry the client's own error, and whether its settings let it try again."""
        super().__init__(str(cause))
        self.cause = cause
        self.may_retry = may_retry


def pack(parts: Sequence[str]) -> bytes:
    """Return bulk strings of the Redis protocol, without the count before them."""
    text = "".join([f"${len(part)}\r\n{part}\r\n" for part in parts])
    if text.isascii():
        return text.encode()
    raws = [part.encode() for part in parts]
    return b"".join([b"$%d\r\n%b\r\n" % (len(raw), raw) for raw in raws])


class Lane:
    """One connection of a client's pool, for one call, or one batch of calls, at a time."""

    def __init__(self, client: "Redis") -> None:
        """Take a connection with the first call."""
        self._pool: Any = client.connection_pool
        self._connection: Any = None
        self._timeout_s: float | None = None
        self._answered_s = 0.0
        self._asking: asyncio.Task[Any] | None = None
        self._until_s = 0.0
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None

    @staticmethod
    def fits(client: Any) -> bool:
        """Whether a client is a plain one: what somebody has made of it himself is not gone around."""
        return (
            type(client) is Redis
            and "execute_command" not in vars(client)
            and not client.single_connection_client
            and client.connection_pool.max_connections > 2 * SCRIPT_LANES
            and client.connection_pool.connection_kwargs.get("encoding", "utf-8") == "utf-8"
        )

    async def ask(self, packed: Sequence[bytes]) -> list[Any]:
        """Send packed commands at once and return their replies, those that are errors included.

        Raises:
            LaneFailedError: the connection failed; what was carried out is not known.
        """
        try:
            loop = asyncio.get_running_loop()
            connection = self._connection
            if connection is None or loop.time() - self._answered_s > TRUSTED_S:
                connection = await self._ready()
            task = asyncio.current_task()
            if self._timeout_s is None or task is None:
                replies = await _exchange(connection, packed)
            else:
                replies = await self._within(self._timeout_s, loop, task, packed)
            self._answered_s = loop.time()
        except _FAILURES as error:
            raise await self._failed(error) from error
        return replies

    async def _within(
        self,
        timeout_s: float,
        loop: asyncio.AbstractEventLoop,
        task: asyncio.Task[Any],
        packed: Sequence[bytes],
    ) -> list[Any]:
        """Send and read within the client's time: what `asyncio.timeout` does, at a tenth of its price.

        One timer serves many calls: it looks whether the one under way has had its time.
        """
        before = task.cancelling()
        self._asking, self._until_s, self._expired = task, loop.time() + timeout_s, False
        if self._timer is None:
            self._timer = loop.call_at(self._until_s, self._look, loop)
        try:
            return await _exchange(self._connection, packed)
        except asyncio.CancelledError:
            if self._expired and task.uncancel() <= before:
                raise TimeoutError from None
            raise
        finally:
            self._asking = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._asking is None:
            return
        if loop.time() < self._until_s:
            self._timer = loop.call_at(self._until_s, self._look, loop)
        else:
            self._expired = True
            self._asking.cancel()

    async def aclose(self) -> None:
        """Give the connection back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.socket_timeout = self._timeout_s
            await self._pool.release(connection)

    async def _ready(self) -> Any:
        if self._connection is None:
            self._connection = await self._pool.get_connection()
            # One bound for a command and its reply, where the client has one for each.
            self._timeout_s = self._connection.socket_timeout
            self._connection.socket_timeout = None
        else:
            await self._pool.ensure_connection(self._connection)
        return self._connection

    async def _failed(self, error: Exception) -> LaneFailedError:
        """Give a broken connection back, as the client does after a failed command."""
        if isinstance(error, TimeoutError):
            error = RedisTimeoutError(f"no answer within {self._timeout_s} s")
        connection = self._connection
        if connection is None:  # connecting has been tried as often as the client's settings say
            return LaneFailedError(error, may_retry=False)
        await connection.disconnect()
        await self.aclose()
        return LaneFailedError(error, may_retry=getattr(connection.retry, "_retries", 0) > 0)


async def _exchange(connection: Any, packed: Sequence[bytes]) -> list[Any]:
    await connection.send_packed_command(packed)
    replies: list[Any] = []
    for _ in packed:
        try:
            replies.append(await connection.read_response())
        except ResponseError as error:
            replies.append(error)
    return replies
