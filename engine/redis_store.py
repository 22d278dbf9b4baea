"""Executions in Redis."""

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from engine import codec, redis_scripts, redis_wire
from engine.clock import Clock
from engine.errors import (
    CheckpointCorruptError,
    CompensationBegunError,
    EngineError,
    ExecutionNotFoundError,
    LeaseHeldError,
    LeaseLostError,
    PlanMismatchError,
    StoreUnavailableError,
)
from engine.events import Event
from engine.identity import FencingToken, IdSource, SystemIdSource, check_execution_id
from engine.json_form import storable_text
from engine.limits import CLAIM_LOOKS, KNOWN_EXECUTIONS, QUEUE_SHARDS
from engine.redis_calls import ScriptCalls
from engine.redis_client import STORE_FAILURES, close_client
from engine.redis_due_queue import RedisDueQueue
from engine.redis_feed import RedisFeed
from engine.redis_replication import replicate
from engine.store import Applied, Beginning, Claimed, Lease, Transition
from engine.types.execution import ExecutionState


class RedisStore:
    """`engine.store.Store` on a Redis client: a server, a cluster, or an embedded fake.

    Keys of one execution and the queue of its shard share the hash tag `{<prefix>:<shard>}`.
    """

    def __init__(
        self,
        client: "Redis",
        *,
        prefix: str = "planproof",
        clock: Clock | None = None,
        ids: IdSource | None = None,
        close_client: bool = False,
    ) -> None:
        """Use `client` for everything.

        Args:
            client: a `redis.asyncio` client of any kind.
            prefix: first part of all keys.
            clock: whose time leases run on; None: the server's own.
            ids: where ids of operations come from.
            close_client: whether `aclose` closes the client too.
        """
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._ids = ids or SystemIdSource()
        self._close_client = close_client
        self._scripts = ScriptCalls(client)
        self._keys = lru_cache(maxsize=KNOWN_EXECUTIONS)(self._keys_of)

    async def begin(
        self,
        execution_id: str,
        owner: str,
        lease_ms: int,
        beginning: Beginning,
        first: Transition | None = None,
    ) -> Claimed:
        """Create and claim, or claim what is there. See `engine.store.Store`."""
        check_execution_id(execution_id)
        now, head = self._now(), redis_wire.head_of(beginning)
        arguments = [
            *(execution_id, owner, str(lease_ms), now, codec.SCHEMA_VERSION, self._ids.new_id()),
            *(beginning.plan.digest(), codec.encode_plan(beginning.plan), str(len(head)), *head),
        ]
        if first is not None:
            lease = codec.first_lease(execution_id, owner)
            arguments += redis_wire.apply_arguments(lease, first, now)[1:]
        reply = await self._run(redis_scripts.BEGIN, execution_id, arguments)
        if type(reply) is int:
            reply = ["CREATED", "1", "", reply]
        if reply[0] == "MISMATCH":
            raise PlanMismatchError(f"execution {execution_id} was begun with another plan")
        if reply[0] == "CREATED":
            lease = Lease(execution_id, owner, FencingToken(int(reply[1])), int(reply[3]))
            state = codec.first_state(execution_id, beginning)
            return Claimed(lease, state, created=True, cancel_reason=reply[2] or None)
        return await self._take(execution_id, owner, lease_ms, reply)

    async def claim(self, execution_id: str, owner: str, lease_ms: int) -> Claimed:
        """Read everything, and take the lease if it can be read. See `engine.store.Store`."""
        reply = await self._ask(execution_id, owner, lease_ms, "")
        return await self._take(execution_id, owner, lease_ms, reply)

    async def apply(self, lease: Lease, transition: Transition) -> Applied:
        """Write one transition. See `engine.store.Store`."""
        execution_id, owner, token, _ = lease
        arguments = redis_wire.apply_arguments(lease, transition, self._now())
        try:
            reply = await self._scripts.call(
                redis_scripts.APPLY, self._keys(execution_id), arguments
            )
            if type(reply) is int:  # nobody has asked for anything
                return Applied(Lease(execution_id, owner, token, reply))
            reply = redis_wire.as_text(reply)
        except (*STORE_FAILURES, UnicodeDecodeError) as error:
            raise _told(f"execution {execution_id}", error) from error
        if reply[0] == "OK":
            after = Lease(lease.execution_id, lease.owner, lease.token, int(reply[1]))
            return Applied(after, cancel_reason=reply[2] or None, yield_requested=bool(reply[3]))
        if reply[0] == "MISSING":
            raise ExecutionNotFoundError(f"execution {lease.execution_id} is gone")
        if reply[0] == "CORRUPT":
            raise CheckpointCorruptError(f"execution {lease.execution_id}: its lease is no time")
        if reply[0] == "STALE":
            raise LeaseLostError(f"execution {lease.execution_id} was taken over")
        if reply[0] == "UNDONE":
            raise CompensationBegunError(
                f"execution {lease.execution_id}: step {reply[1]} is being undone"
            )
        raise StoreUnavailableError(f"the store answered {reply[0]!r} to a write")

    async def renew(self, lease: Lease, lease_ms: int) -> None:
        """Prolong the lease. See `engine.store.Store`."""
        reply = await self._run(
            redis_scripts.RENEW,
            lease.execution_id,
            [lease.execution_id, str(lease.token), str(lease_ms), self._now(), lease.owner],
        )
        if reply[0] != "OK":
            raise LeaseLostError(f"execution {lease.execution_id} was taken over")

    async def replicate(self, lease: Lease, replicas: int, timeout_ms: int) -> None:
        """Wait for replicas. See `engine.store.Store`."""
        execution_id = lease.execution_id
        run = self._keys(execution_id)[0]
        key = f"{{{self._prefix}:{self._shard(execution_id):02d}}}:barrier"
        found = await self._guard(
            f"execution {execution_id}",
            lambda: replicate(
                self._client, key, replicas, timeout_ms, ("HMGET", run, *redis_wire.GUARDS)
            ),
        )
        if not redis_wire.is_kept(lease, redis_wire.as_text(found)):
            raise LeaseLostError(f"execution {execution_id}: the store lost what was written")

    async def load(self, execution_id: str) -> ExecutionState:
        """Read everything. See `engine.store.Store`."""
        head, plan, steps = await self._run(redis_scripts.LOAD, execution_id, [])
        if not head:
            raise ExecutionNotFoundError(f"no execution {execution_id}")
        return self._state(
            execution_id, plan, redis_wire.as_mapping(head), redis_wire.as_mapping(steps)
        )

    async def request_cancel(self, execution_id: str, reason: str) -> bool:
        """Leave a cancel request. See `engine.store.Store`."""
        reply = await self._run(
            redis_scripts.REQUEST_CANCEL,
            execution_id,
            [execution_id, str(storable_text(reason)), self._now(), codec.SCHEMA_VERSION],
        )
        if reply[0] == "VERSION":
            codec.check_version(execution_id, reply[1])
        return bool(reply[0] == "OK")

    async def request_yield(self, execution_id: str) -> bool:
        """Leave a request to yield. See `engine.store.Store`."""
        facts = [execution_id, self._now(), codec.SCHEMA_VERSION]
        reply = await self._run(redis_scripts.REQUEST_YIELD, execution_id, facts)
        if reply[0] == "VERSION":
            codec.check_version(execution_id, reply[1])
        return bool(reply[0] == "OK")

    async def due(self, before_ms: int, limit: int) -> list[str]:
        """Read the resume queues of all shards. See `engine.store.Store`."""
        found: list[tuple[float, str]] = []
        for shard in range(QUEUE_SHARDS):
            key = self._due_key(shard)

            async def read(key: str = key) -> Any:
                return await self._client.zrange(
                    key, "-inf", before_ms, byscore=True, offset=0, num=limit, withscores=True
                )

            queue = await self._guard(f"queue {key}", read)
            found += [(score, name) for member, score in queue if (name := _name(member))]
        return [execution_id for _, execution_id in sorted(found)[:limit]]

    async def events(self, execution_id: str) -> list[Event]:
        """Read the outbox. See `engine.store.Store`."""
        key = self._keys(execution_id)[3]

        async def read() -> Any:
            return await self._client.xrange(key)

        entries = await self._guard(f"execution {execution_id}", read)
        try:
            return [
                Event.model_validate_json(text)
                for _, fields in entries
                for text in redis_wire.as_mapping(fields).values()
            ]
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise CheckpointCorruptError(
                f"execution {execution_id}: its events cannot be read: {reason}"
            ) from None

    def feed(self) -> RedisFeed:
        """Return the feed of these executions' events, for `engine.relay.Relay`."""
        return RedisFeed(self._tags(), self._evaluate, self._now)

    def due_queue(self) -> RedisDueQueue:
        """Return the queue of these executions, for `engine.resume_worker.ResumeWorker`."""
        return RedisDueQueue(
            self._tags(), self._evaluate, self.run_script, self.scan_keys, self._now
        )

    async def run_script(
        self,
        execution_id: str,
        script: str,
        arguments: Sequence[str],
        *,
        kinds: Sequence[str] = (),
        foreign: Sequence[str] = (),
    ) -> list[Any]:
        """Run a script of another module, such as those of the cutover, on an execution's keys.

        KEYS are those of this store's own scripts, then one of the execution's shard for each of
        `kinds`, then `foreign` ones as they are. ARGV begins with the execution id and the time
        ('' for the server's).

        Raises:
            StoreUnavailableError: the store failed.
            CheckpointCorruptError: a key holds what it should not.
        """
        tag = f"{{{self._prefix}:{self._shard(execution_id):02d}}}"
        own = [f"{tag}:{kind}:{execution_id}" for kind in kinds]
        reply: list[Any] = await self._evaluate(
            f"execution {execution_id}",
            script,
            [*self._keys(execution_id), *own, *foreign],
            [execution_id, self._now(), *arguments],
        )
        return reply

    async def aclose(self) -> None:
        """Close the client if this store opened it."""
        await self._scripts.aclose()
        if self._close_client:
            await close_client(self._client)

    def _now(self) -> str:
        return "" if self._clock is None else str(self._clock.now_ms())

    def _shard(self, execution_id: str) -> int:
        check_execution_id(execution_id)
        digest = hashlib.blake2b(execution_id.encode(), digest_size=2).digest()
        return int.from_bytes(digest, "big") % QUEUE_SHARDS

    def _tags(self) -> list[str]:
        return [f"{{{self._prefix}:{shard:02d}}}" for shard in range(QUEUE_SHARDS)]

    async def scan_keys(self, kind: str) -> AsyncIterator[Any]:
        """Yield all keys of one kind, such as `run`, of any execution, wherever in a cluster."""
        prefix = re.sub(r"([\[\]*?^\\])", r"\\\1", self._prefix)
        try:
            async for key in self._client.scan_iter(f"{{{prefix}:??}}:{kind}:*", count=1_000):
                yield key
        except STORE_FAILURES as error:
            raise StoreUnavailableError(f"the store failed: {error}") from error

    def _due_key(self, shard: int) -> str:
        return f"{{{self._prefix}:{shard:02d}}}:due"

    def _keys_of(self, execution_id: str) -> tuple[str, ...]:
        shard = self._shard(execution_id)
        tag = f"{{{self._prefix}:{shard:02d}}}"
        return (
            f"{tag}:run:{execution_id}",
            f"{tag}:plan:{execution_id}",
            f"{tag}:steps:{execution_id}",
            f"{tag}:outbox:{execution_id}",
            self._due_key(shard),
            f"{tag}:feed",
            f"{tag}:subscribers",
        )

    async def _ask(self, execution_id: str, owner: str, lease_ms: int, seen: str) -> Any:
        arguments = [execution_id, owner, str(lease_ms), self._now(), codec.SCHEMA_VERSION, seen]
        arguments.append(self._ids.new_id() if seen else "")
        return await self._run(redis_scripts.CLAIM, execution_id, arguments)

    async def _take(
        self, execution_id: str, owner: str, lease_ms: int, reply: list[Any]
    ) -> Claimed:
        """Read what the store shows, then take the lease of exactly that."""
        for _ in range(CLAIM_LOOKS):
            claimed = self._claimed(execution_id, owner, reply)
            if reply[0] != "LOOK":
                return claimed
            seen = f"{claimed.lease.token}:{claimed.lease.version}"
            reply = await self._ask(execution_id, owner, lease_ms, seen)
            if reply[0] == "GRANTED":
                lease = claimed.lease._replace(token=FencingToken(int(reply[1])))
                return claimed._replace(lease=lease, cancel_reason=reply[2] or None)
        raise LeaseHeldError(f"execution {execution_id} is claimed by others", retry_after_ms=0)

    def _claimed(self, execution_id: str, owner: str, reply: Sequence[Any]) -> Claimed:
        """Return what a reply shows, every field of it read.

        Raises:
            EngineError: the reply is a refusal, or what it shows cannot be read.
        """
        if reply[0] == "MISSING":
            raise ExecutionNotFoundError(f"no execution {execution_id}")
        if reply[0] == "CORRUPT":
            raise CheckpointCorruptError(f"execution {execution_id}: its head is missing")
        if reply[0] == "VERSION":
            codec.check_version(execution_id, reply[1])
        if reply[0] == "HELD":
            left_ms = int(float(reply[1]))
            raise LeaseHeldError(
                f"execution {execution_id} is worked on by another process",
                retry_after_ms=left_ms,
            )
        _, plan, flat_head, steps = reply
        head = redis_wire.as_mapping(flat_head)
        state = self._state(execution_id, plan, head, redis_wire.as_mapping(steps))
        try:
            token, version = FencingToken(int(head["fence"])), int(head["version"])
            int(head.get("lease_until_ms", "0"))
        except (KeyError, ValueError) as error:
            raise CheckpointCorruptError(f"execution {execution_id}: {error}") from None
        return Claimed(
            lease=Lease(execution_id, owner, token, version),
            state=state,
            created=False,
            cancel_reason=head.get("cancel_reason"),
        )

    def _state(
        self, execution_id: str, plan: Any, head: Mapping[str, str], steps: Mapping[str, str]
    ) -> ExecutionState:
        codec.check_version(execution_id, head.get("schema"))
        if not plan:
            raise CheckpointCorruptError(f"execution {execution_id}: its plan is missing")
        return codec.decode_state(
            execution_id, head, codec.decode_plan(execution_id, str(plan)), steps
        )

    async def _run(self, script: str, execution_id: str, arguments: list[str]) -> Any:
        return await self._evaluate(
            f"execution {execution_id}", script, self._keys(execution_id), arguments
        )

    async def _evaluate(
        self, what: str, script: str, keys: Sequence[str], arguments: list[str]
    ) -> Any:
        try:
            return redis_wire.as_text(await self._scripts.call(script, tuple(keys), arguments))
        except (*STORE_FAILURES, UnicodeDecodeError) as error:
            raise _told(what, error) from error

    async def _guard(self, what: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """Return an answer; errors are the store's, or tell of a foreign value."""
        try:
            return await call()
        except (*STORE_FAILURES, UnicodeDecodeError) as error:
            raise _told(what, error) from error


def _told(what: str, error: Exception) -> EngineError:
    """Return what an error of the client means: the store failed, or a key holds a foreign value."""
    if isinstance(error, UnicodeDecodeError):
        return CheckpointCorruptError(f"{what}: not text: {error}")
    if isinstance(error, ResponseError) and "WRONGTYPE" in str(error):
        return CheckpointCorruptError(f"{what}: {error}")
    return StoreUnavailableError(f"the store failed: {error}")


def _name(member: Any) -> str:
    """Return a member of a queue; '' for bytes that are no id of ours."""
    return member.decode(errors="ignore") if isinstance(member, bytes) else str(member)
