"""Executions in Redis. The only module that imports the Redis client."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from engine import codec, redis_scripts
from engine.clock import Clock
from engine.errors import (
    CheckpointCorruptError,
    ExecutionNotFoundError,
    LeaseHeldError,
    LeaseLostError,
    PlanMismatchError,
    StoreUnavailableError,
)
from engine.events import Event
from engine.identity import FencingToken, IdSource, SystemIdSource
from engine.limits import MAX_OUTBOX_EVENTS, QUEUE_SHARDS
from engine.states import ExecutionStatus
from engine.store import Applied, Beginning, Claimed, DueAt, Lease, Transition
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
        self._digests: dict[str, str] = {}

    async def begin(
        self, execution_id: str, owner: str, lease_ms: int, beginning: Beginning
    ) -> Claimed:
        """Create and claim, or claim what is there. See `engine.store.Store`."""
        created_at_ms = str(beginning.created_at_ms)
        head = {
            "status": str(ExecutionStatus.EXECUTING),
            "segment_number": "0",
            "created_at_ms": created_at_ms,
            "updated_at_ms": created_at_ms,
        }
        intent = codec.encode_intent(beginning.intent)
        if intent is not None:
            head["intent"] = intent
        if beginning.trace_id is not None:
            head["trace_id"] = beginning.trace_id
        reply = await self._run(
            redis_scripts.BEGIN,
            execution_id,
            [
                execution_id,
                owner,
                str(lease_ms),
                self._now(),
                codec.SCHEMA_VERSION,
                self._ids.new_id(),
                beginning.plan.digest(),
                codec.encode_plan(beginning.plan),
                *(part for pair in head.items() for part in pair),
            ],
        )
        if reply[0] == "MISMATCH":
            raise PlanMismatchError(f"execution {execution_id} was begun with another plan")
        return self._claimed(execution_id, owner, reply)

    async def claim(self, execution_id: str, owner: str, lease_ms: int) -> Claimed:
        """Take the lease and read everything. See `engine.store.Store`."""
        reply = await self._run(
            redis_scripts.CLAIM,
            execution_id,
            [execution_id, owner, str(lease_ms), self._now(), codec.SCHEMA_VERSION],
        )
        return self._claimed(execution_id, owner, reply)

    async def apply(self, lease: Lease, transition: Transition) -> Applied:
        """Write one transition. See `engine.store.Store`."""
        reply = await self._run(
            redis_scripts.APPLY,
            lease.execution_id,
            _apply_arguments(lease, transition, self._now()),
        )
        if reply[0] == "MISSING":
            raise ExecutionNotFoundError(f"execution {lease.execution_id} is gone")
        if reply[0] == "STALE":
            raise LeaseLostError(f"execution {lease.execution_id} was taken over")
        return Applied(replace(lease, version=int(reply[1])), cancel_reason=reply[2] or None)

    async def renew(self, lease: Lease, lease_ms: int) -> None:
        """Prolong the lease. See `engine.store.Store`."""
        reply = await self._run(
            redis_scripts.RENEW,
            lease.execution_id,
            [lease.execution_id, str(lease.token), str(lease_ms), self._now()],
        )
        if reply[0] != "OK":
            raise LeaseLostError(f"execution {lease.execution_id} was taken over")

    async def load(self, execution_id: str) -> ExecutionState:
        """Read everything. See `engine.store.Store`."""
        head, plan, steps = await self._run(redis_scripts.LOAD, execution_id, [])
        if not head:
            raise ExecutionNotFoundError(f"no execution {execution_id}")
        return self._state(execution_id, plan, _mapping(head), _mapping(steps))

    async def request_cancel(self, execution_id: str, reason: str) -> bool:
        """Leave a cancel request. See `engine.store.Store`."""
        reply = await self._run(
            redis_scripts.REQUEST_CANCEL, execution_id, [execution_id, reason, self._now()]
        )
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

            found += [(score, str(_text(member))) for member, score in await self._guard(read)]
        return [execution_id for _, execution_id in sorted(found)[:limit]]

    async def events(self, execution_id: str) -> list[Event]:
        """Read the outbox. See `engine.store.Store`."""
        key = self._keys(execution_id)[3]

        async def read() -> Any:
            return await self._client.xrange(key)

        return [
            Event.model_validate_json(text)
            for _, fields in await self._guard(read)
            for text in _mapping(fields).values()
        ]

    async def aclose(self) -> None:
        """Close the client if this store opened it."""
        if self._close_client:
            await self._client.aclose()

    def _now(self) -> str:
        return "" if self._clock is None else str(self._clock.now_ms())

    def _shard(self, execution_id: str) -> int:
        digest = hashlib.blake2b(execution_id.encode(), digest_size=2).digest()
        return int.from_bytes(digest, "big") % QUEUE_SHARDS

    def _due_key(self, shard: int) -> str:
        return f"{{{self._prefix}:{shard:02d}}}:due"

    def _keys(self, execution_id: str) -> list[str]:
        shard = self._shard(execution_id)
        tag = f"{{{self._prefix}:{shard:02d}}}"
        kinds = ("run", "plan", "steps", "outbox")
        return [*(f"{tag}:{kind}:{execution_id}" for kind in kinds), self._due_key(shard)]

    def _claimed(self, execution_id: str, owner: str, reply: Sequence[Any]) -> Claimed:
        if reply[0] == "MISSING":
            raise ExecutionNotFoundError(f"no execution {execution_id}")
        if reply[0] == "VERSION":
            codec.check_version(execution_id, reply[1])
        if reply[0] == "HELD":
            left_ms = int(float(reply[1]))
            raise LeaseHeldError(
                f"execution {execution_id} is worked on by another process",
                retry_after_ms=left_ms,
            )
        _, created, plan, flat_head, steps = reply
        head = _mapping(flat_head)
        state = self._state(execution_id, plan, head, _mapping(steps))
        try:
            token, version = FencingToken(int(head["fence"])), int(head["version"])
        except (KeyError, ValueError) as error:
            raise CheckpointCorruptError(f"execution {execution_id}: {error}") from None
        return Claimed(
            lease=Lease(execution_id, owner, token, version),
            state=state,
            created=created == "1",
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

    async def _run(self, script: str, execution_id: str, arguments: list[str]) -> list[Any]:
        """Call a script by its digest, loading it where the server does not know it yet."""
        digest = self._digests.get(script)
        if digest is None:
            digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
            self._digests[script] = digest
        keys = self._keys(execution_id)

        async def call() -> Any:
            try:
                return await self._client.evalsha(digest, len(keys), *keys, *arguments)
            except NoScriptError:
                return await self._client.eval(script, len(keys), *keys, *arguments)

        return cast("list[Any]", _texts(await self._guard(call)))

    async def _guard(self, call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await call()
        except (RedisError, OSError) as error:
            raise StoreUnavailableError(f"the store failed: {error}") from error


def _apply_arguments(lease: Lease, transition: Transition, now: str) -> list[str]:
    changed = {name: text for name, text in transition.head.items() if text is not None}
    changed |= {"version": str(lease.version + 1), "operation": transition.operation_id}
    removed = [name for name, text in transition.head.items() if text is None]
    due = transition.due
    return [
        lease.execution_id,
        transition.operation_id,
        str(lease.token),
        str(lease.version),
        str(due.at_ms) if isinstance(due, DueAt) else due,
        "1" if transition.release else "0",
        "" if transition.expire_s is None else str(transition.expire_s),
        str(transition.lease_ms),
        now,
        str(len(changed)),
        *(part for pair in changed.items() for part in pair),
        str(len(removed)),
        *removed,
        str(len(transition.steps)),
        *(
            part
            for index, state in transition.steps.items()
            for part in (str(index), codec.encode_step(state))
        ),
        str(MAX_OUTBOX_EVENTS),
        str(len(transition.events)),
        *(
            part
            for position, event in enumerate(transition.events)
            for part in (str(position), event.model_dump_json(exclude_defaults=True))
        ),
    ]


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _texts(value: Any) -> Any:
    return [_texts(item) for item in value] if isinstance(value, list) else _text(value)


def _mapping(value: Any) -> dict[str, str]:
    """Return a hash reply, be it a mapping (RESP3, `hgetall`) or a flat list (scripts)."""
    if isinstance(value, Mapping):
        return {str(_text(key)): str(_text(item)) for key, item in value.items()}
    flat = [str(_text(item)) for item in value]
    return dict(zip(flat[::2], flat[1::2], strict=True))
