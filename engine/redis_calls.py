"""Calls of scripts. Those that are made while others are under way share a round trip."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from engine.limits import KNOWN_EXECUTIONS, SCRIPT_BATCH_CALLS, SCRIPT_LANES
from engine.redis_lane import Lane, LaneFailedError, pack

MOST_KEYS_KNOWN = 16
"""Keys of a call whose beginning is kept for the next one: more than any script on one execution has."""

_Future: TypeAlias = "asyncio.Future[Any]"


@dataclass(slots=True)
class _Call:
    """One call of a script, and who waits for its reply."""

    script: str
    keys: tuple[str, ...]
    arguments: Sequence[str]
    reply: _Future


class ScriptCalls:
    """Calls scripts by their digests, loading those that the server does not know yet.

    A call goes out at once while fewer than `SCRIPT_LANES` are under way. Others wait until one of
    those is answered and then travel together, in the order in which they came: a process that
    works on many executions makes far fewer round trips, and one that works on few waits for none.
    Each call stays what it is, applied or refused alone; only an outage is shared.

    Where the client is a plain one, calls travel on connections of its pool that are kept between
    calls (`engine.redis_lane`); what fails there is the client's own, with its retries.
    """

    def __init__(self, client: "Redis") -> None:
        """Call scripts through `client`; a cluster's calls go to different servers, one by one."""
        self._client = client
        self._shares = isinstance(client, Redis)
        self._digests: dict[str, str] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way = 0
        self._waiting: list[_Call] = []
        self._batches: set[asyncio.Future[None]] = set()
        self._lanes: list[Lane] = []
        self._has_lanes = Lane.fits(client)
        self._head = lru_cache(maxsize=KNOWN_EXECUTIONS)(self._head_of)

    async def call(self, script: str, keys: tuple[str, ...], arguments: Sequence[str]) -> Any:
        """Return the reply of a script.

        Raises:
            redis.exceptions.RedisError: whatever the client raises.
            asyncio.CancelledError: the caller was cancelled; the script may have run.
        """
        if not self._shares:
            return await self._by_client(script, keys, arguments)
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # what another loop left behind is nobody's any more
            self._loop, self._under_way, self._waiting, self._lanes = loop, 0, [], []
        if self._under_way >= SCRIPT_LANES:
            reply: _Future = loop.create_future()
            self._waiting.append(_Call(script, keys, arguments, reply))
            return await reply
        self._under_way += 1
        try:
            replies = None
            if self._has_lanes:
                replies = await self._ask((self._packed(script, keys, arguments),))
            if replies is None:
                return await self._by_client(script, keys, arguments)
        finally:
            self._leave(loop)
        answer = replies[0]
        if isinstance(answer, NoScriptError):
            return await self._load(script, keys, arguments)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        """Give the kept connections back to the client's pool."""
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            await lane.aclose()

    def _digest(self, script: str) -> str:
        digest = self._digests.get(script)
        if digest is None:
            digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
            self._digests[script] = digest
        return digest

    async def _by_client(self, script: str, keys: Sequence[str], arguments: Sequence[str]) -> Any:
        try:
            return await self._client.evalsha(self._digest(script), len(keys), *keys, *arguments)
        except NoScriptError:
            return await self._load(script, keys, arguments)

    def _head_of(self, script: str, keys: tuple[str, ...]) -> bytes:
        """Return the packed beginning of a call, which is the same for all calls on an execution."""
        return pack(("EVALSHA", self._digest(script), str(len(keys)), *keys))

    def _packed(self, script: str, keys: tuple[str, ...], arguments: Sequence[str]) -> bytes:
        count = 3 + len(keys) + len(arguments)
        # A sweep names the keys of many executions, and never the same again.
        head = self._head if len(keys) <= MOST_KEYS_KNOWN else self._head_of
        return b"*%d\r\n%b%b" % (count, head(script, keys), pack(arguments))

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let those that wait have the place of a call that is answered."""
        if loop is not self._loop or loop.is_closed():
            return
        self._under_way -= 1
        batch = self._waiting[:SCRIPT_BATCH_CALLS]
        if batch:
            del self._waiting[:SCRIPT_BATCH_CALLS]
            self._under_way += 1
            # Of its own, because it must not end with whichever of the callers is cancelled.
            task = asyncio.ensure_future(self._together(batch))
            self._batches.add(task)
            task.add_done_callback(self._batches.discard)

    async def _together(self, batch: Sequence[_Call]) -> None:
        loop = asyncio.get_running_loop()
        try:
            answer = self._lane_replies if self._has_lanes else self._pipeline_replies
            for one, reply in zip(batch, await answer(batch), strict=True):
                if isinstance(reply, NoScriptError):
                    _settle(one, await self._load(one.script, one.keys, one.arguments))
                else:
                    _settle(one, reply)
        except Exception as error:  # noqa: BLE001 - theirs who called; each of them raises it
            for one in batch:
                if not one.reply.done():
                    one.reply.set_exception(error)
        finally:
            for one in batch:
                one.reply.cancel()  # harmless where there is a reply
            self._leave(loop)

    async def _lane_replies(self, batch: Sequence[_Call]) -> Sequence[Any]:
        packed = [self._packed(one.script, one.keys, one.arguments) for one in batch]
        replies = await self._ask(packed)
        return await self._pipeline_replies(batch) if replies is None else replies

    async def _ask(self, packed: Sequence[bytes]) -> Sequence[Any] | None:
        """Return the replies of a kept connection; None: it failed, and the client may try again."""
        lane = self._lanes.pop() if self._lanes else Lane(self._client)
        try:
            return await lane.ask(packed)
        except LaneFailedError as failure:
            if not failure.may_retry:
                raise failure.cause from None
            return None
        finally:
            self._lanes.append(lane)

    async def _pipeline_replies(self, batch: Sequence[_Call]) -> Sequence[Any]:
        pipeline: Any = self._client.pipeline(transaction=False)
        for one in batch:
            pipeline.evalsha(self._digest(one.script), len(one.keys), *one.keys, *one.arguments)
        replies: Sequence[Any] = await pipeline.execute(raise_on_error=False)
        return replies

    async def _load(self, script: str, keys: Sequence[str], arguments: Sequence[str]) -> Any:
        """Call a script that the server does not know yet, with its text."""
        return await self._client.eval(script, len(keys), *keys, *arguments)


def _settle(one: _Call, reply: Any) -> None:
    if one.reply.done():
        return
    if isinstance(reply, Exception):
        one.reply.set_exception(reply)
    else:
        one.reply.set_result(reply)
