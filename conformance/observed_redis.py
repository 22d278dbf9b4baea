"""A Redis client that shows what passes through it.

It records every command on a key as a `writes` entry of the trace, applies TTLs on the virtual
clock, fails where the scenario says so, and can end the process right after its nth write.

Commands pass one at a time, first come first served. The steps of a batch therefore take turns in
the order in which they came, with an embedded store and with a server alike, and while a command
is on its way virtual time stands still.

Not for blocking commands, subscriptions or cluster clients. TTLs that a script sets are the
server's own; only those set by commands follow the virtual clock.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from typing_extensions import override

from chaos.virtual_time import VirtualClock
from conformance.fault_script import STORE_FAULT_MESSAGE, FaultScript
from conformance.process import current_process, refuse_the_dead
from conformance.trace import Observations

READ_OPS = frozenset({"get", "hget", "hgetall", "hmget", "mget", "exists", "ttl", "pttl", "type",
                      "zrange", "zrangebyscore", "zscore", "zcard", "llen", "lrange", "xrange",
                      "xlen", "smembers", "scard", "strlen", "evalsha_ro", "eval_ro"})  # fmt: skip
SCRIPT_OPS = frozenset({"eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro"})
# Commands without a key, or about the connection: not part of a trace.
UNRECORDED_OPS = frozenset({"ping", "time", "script load", "script exists", "dbsize", "hello",
                            "client setname", "client setinfo", "select", "wait", "waitaof",
                            "info", "config get", "keys", "scan"})  # fmt: skip

_OFFSTAGE: contextvars.ContextVar[bool] = contextvars.ContextVar("offstage", default=False)


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """One command on a key.

    `ttl_s` is the TTL that it sets. `existed` says, for a set-if-absent, that the key was there.
    `further_keys` are those that a script was given beside its first, and `script` its text or
    digest. A script is recorded as `evalsha` either way: which of the two it takes is the
    server's memory.
    """

    op: str
    key: str
    arguments: Sequence[Any]
    ttl_s: int | None = None
    existed: bool | None = None
    further_keys: Sequence[str] = ()
    script: str | None = None


class StoreLens(Protocol):
    """What a subject's keys and values mean. Pure, except that `applied` may record."""

    def key_kind(self, key: str) -> str:
        """Return the kind of key that the trace shows and that faults name."""

    def detail(self, command: StoreCommand) -> Mapping[str, Any] | None:
        """Return what the trace says of the value; None for nothing."""

    def applied(self, command: StoreCommand) -> None:
        """Take note of a command that succeeded."""


class PlainLens:
    """Shows each key as its own kind and says nothing of values."""

    def key_kind(self, key: str) -> str:
        """Return the key."""
        return key

    def detail(self, command: StoreCommand) -> Mapping[str, Any] | None:  # noqa: ARG002 - the port
        """Return None."""
        return None

    def applied(self, command: StoreCommand) -> None:
        """Do nothing."""


@dataclass(slots=True)
class StoreObserver:
    """What all clients of one world share: order, clock, faults, lens, and the record.

    `crash_after_write`: the process dies right after this many further successful writes.
    `broken`: the first error of the store itself, as opposed to a scripted one.
    `processes`: how many processes of the executor have been started; part of the seed of their ids.
    """

    clock: VirtualClock
    seen: Observations
    faults: FaultScript
    lens: StoreLens = field(default_factory=PlainLens)
    crash_after_write: int | None = None
    broken: Exception | None = None
    processes: int = 0
    touched: set[str] = field(default_factory=set)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    expiries: dict[str, int] = field(default_factory=dict)

    def expired(self) -> list[str]:
        """Take out and return the keys whose virtual TTL is over."""
        if not self.expiries:
            return []
        now_ms = self.clock.elapsed_ms
        gone = [key for key, due_ms in self.expiries.items() if due_ms <= now_ms]
        for key in gone:
            del self.expiries[key]
        return gone

    def record(self, command: StoreCommand) -> None:
        """Put a command into the trace."""
        entry: dict[str, Any] = {
            "op": command.op,
            "key_kind": self.lens.key_kind(command.key),
            "at_ms": self.clock.elapsed_ms,
        }
        if command.ttl_s is not None:
            entry["ttl"] = command.ttl_s
        detail = self.lens.detail(command)
        if detail is not None:
            entry["detail"] = dict(detail)
        self.seen.writes.append(entry)

    def settle(self, command: StoreCommand) -> None:
        """Follow up a command that succeeded: TTL, lens, and the death it may be the cue for.

        Raises:
            asyncio.CancelledError: the process died of it.
        """
        if command.op not in READ_OPS:
            self.touched.update((command.key, *command.further_keys))
            self._follow_ttl(command)
        self.lens.applied(command)
        if self.crash_after_write is None or command.op in READ_OPS or command.existed:
            return
        self.crash_after_write -= 1
        process = current_process()
        if self.crash_after_write <= 0 and process is not None:
            self.crash_after_write = None
            process.kill()
            refuse_the_dead()

    def _follow_ttl(self, command: StoreCommand) -> None:
        if command.ttl_s is not None and not command.existed:
            self.expiries[command.key] = self.clock.elapsed_ms + command.ttl_s * 1000
        elif command.op in {"del", "unlink", "persist", "getdel"} or (
            command.op == "set" and not command.existed and not _has_flag(command, "KEEPTTL")
        ):
            self.expiries.pop(command.key, None)


class ObservedRedis(Redis):
    """A `redis.asyncio` client under observation. Make it with `conformance.stores`."""

    def __init__(self, pool: ConnectionPool, observer: StoreObserver) -> None:
        """Send commands through `pool`."""
        super().__init__(connection_pool=pool)
        self.observer = observer

    @override
    async def execute_command(self, *args: Any, **options: Any) -> Any:
        observer = self.observer
        refuse_the_dead()
        async with observer.turn:
            refuse_the_dead()
            with observer.clock.held():
                await self._expire()
                if _OFFSTAGE.get():
                    return await self._send(*args, **options)
                # Every command suspends its caller, however fast its store is: steps of a batch
                # take turns with every client and every store.
                await asyncio.sleep(0)
                refuse_the_dead()
                command = read_command(args)
                if command is None:
                    return await self._send(*args, **options)
                return await self._observe(command, args, options)

    @contextlib.contextmanager
    def offstage(self) -> Iterator[None]:
        """Let commands of this context pass unseen: no record, no fault, no crash, no TTL."""
        token = _OFFSTAGE.set(True)
        try:
            yield
        finally:
            _OFFSTAGE.reset(token)

    @override
    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "Pipeline":
        return ObservedPipeline(self, transaction, shard_hint)

    async def _observe(
        self, command: StoreCommand, args: Sequence[Any], options: Mapping[str, Any]
    ) -> Any:
        observer = self.observer
        if observer.faults.strikes_store(command.op, observer.lens.key_kind(command.key)):
            if _has_flag(command, "NX"):
                there = await self._send("EXISTS", command.key)
                command = _with_existed(command, existed=bool(there))
            observer.record(command)
            raise RedisConnectionError(STORE_FAULT_MESSAGE)
        try:
            reply = await self._send(*args, **options)
        except NoScriptError:
            raise  # nothing happened yet, and whether it comes to this is the server's memory
        except ResponseError:
            observer.record(command)
            raise
        if _has_flag(command, "NX"):
            command = _with_existed(command, existed=reply is None)
        observer.record(command)
        observer.settle(command)
        return reply

    async def _expire(self) -> None:
        gone = self.observer.expired()
        if gone:
            await self._send("DEL", *gone)

    async def _send(self, *args: Any, **options: Any) -> Any:
        """Send a command and notice a store that is broken, whatever the caller makes of it."""
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # untyped in the client
        except (RedisError, OSError) as error:
            if type(error) is ResponseError or isinstance(error, NoScriptError):
                raise  # an answer to this command, not a state of the store
            self.observer.broken = self.observer.broken or error
            process = current_process()
            if process is not None:
                process.kill()
            raise


class ObservedPipeline(Pipeline):
    """A pipeline under observation: its commands are recorded one by one when it is sent."""

    def __init__(self, client: ObservedRedis, transaction: bool, shard_hint: str | None) -> None:  # noqa: FBT001 - the client's signature
        """Collect commands for `client`."""
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._observer = client.observer

    @override
    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        observer = self._observer
        refuse_the_dead()
        async with observer.turn:
            refuse_the_dead()
            commands = [read_command(queued[0]) for queued in self.command_stack]
            shown = [] if _OFFSTAGE.get() else [one for one in commands if one is not None]
            struck = False
            for command in shown:
                struck |= observer.faults.strikes_store(
                    command.op, observer.lens.key_kind(command.key)
                )
                observer.record(command)
            if struck:
                await self.reset()  # type: ignore[no-untyped-call]  # untyped in the client
                raise RedisConnectionError(STORE_FAULT_MESSAGE)
            with observer.clock.held():
                replies = await super().execute(raise_on_error)
            for command in shown:
                observer.settle(command)
            return replies


def read_command(args: Sequence[Any]) -> StoreCommand | None:
    """Return what a raw command says of a key; None if it concerns no key."""
    op = _word(args[0]).lower()
    if op in UNRECORDED_OPS or len(args) < 2:  # noqa: PLR2004 - the command and its key
        return None
    if op in SCRIPT_OPS:
        count = int(args[2]) if len(args) > 3 else 0  # noqa: PLR2004 - script, count, first key
        if count < 1:
            return None
        key, *further = (_word(name) for name in args[3 : 3 + count])
        return StoreCommand(
            op.replace("eval", "evalsha") if op in {"eval", "eval_ro"} else op,
            key,
            args[3 + count :],
            further_keys=further,
            script=_word(args[1]),
        )
    key, rest = _word(args[1]), args[2:]
    return StoreCommand(op, key, rest, ttl_s=_ttl_s(op, rest))


def _ttl_s(op: str, arguments: Sequence[Any]) -> int | None:
    if op in {"setex", "expire"}:
        return int(arguments[0])
    if op in {"psetex", "pexpire"}:
        return -(-int(arguments[0]) // 1000)
    if op == "set":
        for flag, unit_ms in (("EX", 1000), ("PX", 1)):
            for index, argument in enumerate(arguments[1:-1], start=1):
                if _word(argument).upper() == flag:
                    return -(-int(arguments[index + 1]) * unit_ms // 1000)
    return None


def _has_flag(command: StoreCommand, flag: str) -> bool:
    return command.op == "set" and any(
        _word(argument).upper() == flag for argument in command.arguments[1:]
    )


def _with_existed(command: StoreCommand, *, existed: bool) -> StoreCommand:
    return replace(command, existed=existed)


def _word(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
