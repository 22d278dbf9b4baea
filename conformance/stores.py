"""The stores that a world can stand on: an embedded fake, or a server by its URL."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from conformance.errors import HarnessError, UsageError
from conformance.observed_redis import ObservedRedis, StoreObserver

FAKE = "fake"
SERVER_SCHEMES = ("redis", "rediss", "unix")
# User and password before the host, and options after the path, of which one may be a password.
_SECRETS = re.compile(r"(?<=://)[^/?#]*@|\?.*")
_PASSWORD_WANTED = ("HELLO must be called with the client already", "Authentication required")

# Embedded servers of runs that ended in order, emptied. What they keep is the scripting runtime,
# which takes longer to start than a short scenario takes to run.
_SPARE_SERVERS: list[Any] = []


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where a store is: `fake`, or the URL of a server. Text forms leave the password out."""

    url: str

    @property
    def is_fake(self) -> bool:
        """Whether it is the embedded store."""
        return self.url == FAKE

    @property
    def public(self) -> str:
        """The address without user, password and options."""
        return _SECRETS.sub("", self.url)


def parse_store(url: str) -> StoreAddress:
    """Return the address that `--store` names.

    Raises:
        UsageError: it is neither `fake` nor a URL of a server.
    """
    address = StoreAddress(url)
    if address.is_fake:
        return address
    scheme = urlsplit(url).scheme
    if scheme not in SERVER_SCHEMES or "://" not in url:
        raise UsageError(
            f"{address.public!r} names no store",
            advice="use fake, redis://host:port/db, rediss:// or unix://",
        )
    try:
        ConnectionPool.from_url(url)
    except ValueError as error:
        raise UsageError(f"{address.public!r}: {error}") from None
    return address


@asynccontextmanager
async def open_store(
    address: StoreAddress, observer: StoreObserver, *, decode_responses: bool = True
) -> AsyncIterator[ObservedRedis]:
    """Give an empty store for one run, and leave it as it was found.

    A server's database must be empty, because executors use fixed keys. What the run wrote is
    removed afterwards, and nothing else is.

    Raises:
        UsageError: the database holds keys.
        HarnessError: the store cannot be reached.
    """
    pool = _pool(address, decode_responses=decode_responses)
    client = ObservedRedis(pool, observer)
    try:
        await _connect(client, pool, address)
        if not address.is_fake:
            await _require_empty(client, address)
        try:
            yield client
        finally:
            if not address.is_fake and observer.broken is None:
                await _remove_traces(client, observer, address)
        if address.is_fake:
            with client.offstage():
                await client.flushall()
            _SPARE_SERVERS.append(pool.connection_kwargs["server"])
    finally:
        await client.aclose()
        await pool.disconnect()


def _pool(address: StoreAddress, *, decode_responses: bool) -> ConnectionPool:
    if address.is_fake:
        try:
            from fakeredis import FakeServer  # noqa: PLC0415 - an extra
            from fakeredis.aioredis import FakeAsyncRedisConnection  # noqa: PLC0415 - an extra
        except ImportError:
            raise HarnessError(
                "the embedded store is not installed", advice="pip install 'planproof[embedded]'"
            ) from None
        return ConnectionPool(
            connection_class=FakeAsyncRedisConnection,
            server=_SPARE_SERVERS.pop() if _SPARE_SERVERS else FakeServer(),
            decode_responses=decode_responses,
            # The embedded store answers at once: timeouts would only arm timers for nothing.
            socket_timeout=None,
            socket_connect_timeout=None,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )
    # No retries: a retry would repeat a command unseen, and its pause would wait on virtual time.
    return ConnectionPool.from_url(
        address.url, decode_responses=decode_responses, retry=Retry(NoBackoff(), 0)
    )


async def _connect(client: ObservedRedis, pool: ConnectionPool, address: StoreAddress) -> None:
    """Give the client one connection for good: commands pass one at a time anyway."""
    try:
        with client.observer.clock.held():
            client.connection = await pool.get_connection()  # type: ignore[no-untyped-call]  # untyped in the client
    except (RedisError, OSError) as error:
        raise unreachable(address, error) from None


async def _require_empty(client: ObservedRedis, address: StoreAddress) -> None:
    try:
        with client.offstage():
            keys = await client.dbsize()
    except (RedisError, OSError) as error:
        raise unreachable(address, error) from None
    if keys:
        raise UsageError(
            f"the database at {address.public} holds {keys} keys",
            advice="choose an empty database number; executors use fixed keys, and nothing that "
            "is not the run's own may be touched",
        )


async def _remove_traces(
    client: ObservedRedis, observer: StoreObserver, address: StoreAddress
) -> None:
    try:
        with client.offstage():
            if observer.touched:
                await client.delete(*sorted(observer.touched))
            left = await client.dbsize()
    except (RedisError, OSError) as error:
        raise unreachable(address, error) from None
    if left:
        raise HarnessError(f"{left} keys at {address.public} appeared during the run and remain")


def store_fault(error: BaseException) -> str:
    """Return what a client's error says, in words that name what is missing in the URL."""
    said = " ".join(str(error).split()) or type(error).__name__
    # What a server says depends on the first command that the client sends.
    if any(words in said for words in _PASSWORD_WANTED):
        return "the server wants a password (redis://:PASSWORD@HOST)"
    return said


def unreachable(
    address: StoreAddress, error: BaseException, *, place: str | None = None
) -> HarnessError:
    """Return the error for a store that does not answer."""
    reason = store_fault(error)
    if not address.is_fake:
        reason = reason.replace(address.url, address.public)
    return HarnessError(f"the store at {address.public} failed: {reason}", place=place)
