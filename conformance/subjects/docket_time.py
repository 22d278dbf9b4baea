"""Docket in virtual time: its clock is the world's, and its embedded Redis answers in no time.

Docket reads the time of day in three of its modules, and keeps what is queued in a Redis in memory whose
threads know nothing of a virtual clock. Inside `virtual_docket` both are the world's; nothing else
of Docket is changed.
"""

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

import docket._redis_memory
import docket.docket
import docket.execution
import docket.worker
from typing_extensions import override

from chaos.virtual_time import VirtualClock
from conformance.process import refuse_the_dead

_CLOCK: contextvars.ContextVar[VirtualClock] = contextvars.ContextVar("docket_clock")
_OPENED: Final[Any] = docket._redis_memory.get_or_create_memory_client  # noqa: SLF001 - see above


class _WorldTime(datetime):
    """`datetime` whose `now` is the world's, where there is one."""

    @classmethod
    @override
    def now(cls, tz: tzinfo | None = None) -> Any:
        clock = _CLOCK.get(None)
        if clock is None:
            return datetime.now(tz)
        return datetime.fromtimestamp(clock.now_ms() / 1000, tz or UTC)


class _Arrivals:
    """Wakes who waits for something new in the queue, as a server does."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def tell(self) -> None:
        for one in self._waiting:
            if not one.done():
                one.set_result(None)

    async def wait(self, until_ms: float, clock: VirtualClock) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(woken)
        try:
            await asyncio.wait([woken], timeout=(until_ms - clock.monotonic_ms()) / 1000)
        finally:
            self._waiting.discard(woken)


class _Subscription:
    """The embedded client's subscription, which waits for messages in virtual time."""

    def __init__(self, subscription: Any) -> None:
        self._subscription = subscription

    def __getattr__(self, name: str) -> Any:
        return getattr(self._subscription, name)

    async def get_message(
        self,
        ignore_subscribe_messages: bool = False,  # noqa: FBT001, FBT002 - the client's form
        timeout: float | None = 0.0,  # noqa: ASYNC109 - the same
    ) -> Any:
        """Return the next message; None if none has come within `timeout` seconds."""
        get = partial(self._subscription.get_message, ignore_subscribe_messages, timeout=0.0)
        message = await get()
        if message is None and timeout:
            await asyncio.sleep(timeout)
            message = await get()
        return message


_ARRIVALS: Final[WeakKeyDictionary[VirtualClock, _Arrivals]] = WeakKeyDictionary()


class _HeldRedis:
    """The embedded client, whose commands take no virtual time. A blocking read waits in it."""

    def __init__(self, client: Any, clock: VirtualClock, arrivals: _Arrivals) -> None:
        self._client = client
        self._clock = clock
        self._arrivals = arrivals

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            told = found(*arguments, **options)
            return self._held(told) if inspect.isawaitable(told) else told

        return call

    def pipeline(self, *_: Any, **__: Any) -> Any:
        """Return a pipeline that is carried out by this client."""
        return type(self._client.pipeline())(self)

    def pubsub(self, **_: Any) -> Any:
        """Return a subscription whose commands go through this client."""
        return _Subscription(type(self._client.pubsub())(self))

    async def xread(self, *arguments: Any, block: int | None = None, **options: Any) -> Any:
        """Read streams; without an answer wait for `block` ms."""
        return await self._read(partial(self._client.xread, *arguments, **options), block)

    async def xreadgroup(self, *arguments: Any, block: int | None = None, **options: Any) -> Any:
        """Read streams for a group of workers; without an answer wait for `block` ms."""
        return await self._read(partial(self._client.xreadgroup, *arguments, **options), block)

    async def _read(self, read: Callable[[], Awaitable[Any]], block_ms: int | None) -> Any:
        until_ms = self._clock.monotonic_ms() + (block_ms or 0)
        while True:
            answer = await self._held(read(), is_read=True)
            if answer or self._clock.monotonic_ms() >= until_ms:
                return answer
            await self._arrivals.wait(until_ms, self._clock)

    async def _held(self, told: Awaitable[Any], *, is_read: bool = False) -> Any:
        refuse_the_dead()
        with self._clock.held():
            answer = await told
        if not is_read:
            self._arrivals.tell()
        return answer


async def _open(url: str) -> Any:
    client, clock = await _OPENED(url), _CLOCK.get(None)
    if clock is None:
        return client
    return _HeldRedis(client, clock, _ARRIVALS.setdefault(clock, _Arrivals()))


@contextmanager
def virtual_docket(clock: VirtualClock) -> Iterator[None]:
    """Let the Docket that is entered inside, and the tasks begun inside, live on `clock`."""
    token = _CLOCK.set(clock)
    try:
        yield
    finally:
        _CLOCK.reset(token)


for _module in (docket.docket, docket.execution, docket.worker):
    _module.datetime = _WorldTime  # type: ignore[attr-defined]  # their own import of the class
docket._redis_memory.get_or_create_memory_client = _open  # noqa: SLF001 - where it is looked up
