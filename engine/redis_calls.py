"""Calls of scripts. Those that are made while others are under way share a round trip."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from engine.limits import SCRIPT_BATCH_CALLS, SCRIPT_LANES

_Future: TypeAlias = "asyncio.Future[Any]"


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of a script, and who waits for its reply."""

    script: str
    digest: str
    arguments: Sequence[str]
    keys: int
    reply: _Future


class ScriptCalls:
    """Calls scripts by their digests, loading those that the server does not know yet.

    A call goes out at once while fewer than `SCRIPT_LANES` are under way. Others wait until one of
    those is answered and then travel together, in the order in which they came: a process that
    works on many executions makes far fewer round trips, and one that works on few waits for none.
    Each call stays what it is, applied or refused alone; only an outage is shared.
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

    async def call(self, script: str, keys: Sequence[str], arguments: Sequence[str]) -> Any:
        """Return the reply of a script.

        Raises:
            redis.exceptions.RedisError: whatever the client raises.
            asyncio.CancelledError: the caller was cancelled; the script may have run.
        """
        digest = self._digest(script)
        if not self._shares:
            return await self._alone(script, digest, len(keys), (*keys, *arguments))
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # what another loop left behind is nobody's any more
            self._loop, self._under_way, self._waiting = loop, 0, []
        if self._under_way >= SCRIPT_LANES:
            reply: _Future = loop.create_future()
            self._waiting.append(_Call(script, digest, (*keys, *arguments), len(keys), reply))
            return await reply
        self._under_way += 1
        try:
            return await self._alone(script, digest, len(keys), (*keys, *arguments))
        finally:
            self._leave(loop)

    def _digest(self, script: str) -> str:
        digest = self._digests.get(script)
        if digest is None:
            digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
            self._digests[script] = digest
        return digest

    async def _alone(self, script: str, digest: str, keys: int, arguments: Sequence[str]) -> Any:
        try:
            return await self._client.evalsha(digest, keys, *arguments)
        except NoScriptError:
            return await self._client.eval(script, keys, *arguments)

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
            pipeline: Any = self._client.pipeline(transaction=False)
            for one in batch:
                pipeline.evalsha(one.digest, one.keys, *one.arguments)
            replies = await pipeline.execute(raise_on_error=False)
            for one, reply in zip(batch, replies, strict=True):
                await self._settle(one, reply)
        except Exception as error:  # noqa: BLE001 - theirs who called; each of them raises it
            for one in batch:
                if not one.reply.done():
                    one.reply.set_exception(error)
        finally:
            for one in batch:
                one.reply.cancel()  # harmless where there is a reply
            self._leave(loop)

    async def _settle(self, one: _Call, reply: Any) -> None:
        if isinstance(reply, NoScriptError):
            reply = await self._client.eval(one.script, one.keys, *one.arguments)
        if one.reply.done():
            return
        if isinstance(reply, Exception):
            one.reply.set_exception(reply)
        else:
            one.reply.set_result(reply)
