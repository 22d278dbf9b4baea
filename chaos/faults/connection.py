"""Faults beneath the Redis client: a connection that loses, refuses and delays what passes it.

`FaultyConnection` is a mixin before any connection class of redis-py's asyncio client, a fake one
included. It stands below the client's own retries: what the client sends again passes it again.

One command is one occurrence of its site; a pipeline is one, too. What the client repeats, and the
EVAL after a NOSCRIPT, are the next occurrences of the same site. So an undisturbed run on a server
that knows the scripts has one occurrence an operation.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from redis import exceptions
from redis.crc import key_slot
from typing_extensions import override

from chaos.fault_kinds import FaultKind
from chaos.faults.resp import joined, read_commands
from chaos.port import Command

if TYPE_CHECKING:
    from redis.asyncio import Connection
else:
    Connection = object

SOCKET_TIMEOUT_MS = 5_000
"""How long a client waits for an answer that does not come: the default of redis-py."""

WAITING = frozenset({b"WAIT", b"WAITAOF"})
"""Commands that wait for replicas, and for the append-only file."""

_SCRIPTS = frozenset({b"EVAL", b"EVALSHA"})
_K = FaultKind
REFUSALS: Mapping[FaultKind, Callable[[], exceptions.RedisError]] = {
    _K.OUT_OF_MEMORY: lambda: exceptions.OutOfMemoryError(
        "command not allowed when used memory > 'maxmemory'."
    ),
    _K.READ_ONLY: lambda: exceptions.ReadOnlyError("You can't write against a read only replica."),
    _K.LOADING: lambda: exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
    _K.BUSY: lambda: exceptions.ResponseError("BUSY Redis is busy running a script."),
    _K.NO_REPLICAS: lambda: exceptions.ResponseError("NOREPLICAS Not enough good replicas"),
    _K.NO_SCRIPT: lambda: exceptions.NoScriptError("No matching script."),
}
"""Error replies, as the classes that the client makes of them."""


@dataclass(slots=True)
class Passage:
    """One operation on its way.

    Attributes:
        nth: which operation of this site in this life, from 1.
        kind: the fault that happens to it; None: none.
        replies: how many replies are still to come.
        first_reply: what the first of them was.
        waits: it waits until what was written before cannot be lost any more.
        slots: of a cluster, in which the keys of its script lie; 0: it is no script.
    """

    life: int
    site: str
    nth: int
    epoch: int | None = None
    kind: FaultKind | None = None
    amount: int | None = None
    replies: int = 1
    first_reply: Any = None
    waits: bool = False
    slots: int = 0


class Interceptor(Protocol):
    """What a world does about operations of one life."""

    @property
    def generation(self) -> int:
        """How often all connections were cut."""

    async def arrive(self, commands: Sequence[Command]) -> Passage | None:
        """Name an operation, let it wait for its turn, and say what happens to it."""

    def kill(self, passage: Passage) -> NoReturn:
        """End the process, now."""

    def hold(self, passage: Passage, packed: bytes) -> None:
        """Keep an operation back, and apply it later."""

    async def pause(self, duration_ms: int) -> None:
        """Wait."""

    async def answered(self, passage: Passage, *, seen: bool) -> None:
        """Take note that the store has carried an operation out, and if the caller is told."""

    def unsent(self, passage: Passage) -> None:
        """Take note that the store has not carried an operation out, and the caller knows less."""


class FaultyConnection(Connection):
    """A mixin before a connection class; it takes one more argument, `interceptor`."""

    def __init__(self, *args: Any, interceptor: Interceptor, **options: Any) -> None:
        """Let everything that is sent pass `interceptor`."""
        self._interceptor = interceptor
        self._generation: int | None = None
        self._passage: Passage | None = None
        super().__init__(*args, **options)

    @override
    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        packed = joined(command)
        self._passage = None
        commands = list(read_commands(packed))
        passage = await self._interceptor.arrive(commands)
        if passage is None:
            await super().send_packed_command([packed], check_health)
            return
        await self._notice_cut(passage)
        passage.replies = len(commands)
        passage.waits = any(one[0].upper() in WAITING for one in commands)
        passage.slots = max(map(_slots, commands))
        kind = passage.kind
        if kind is FaultKind.KILLED_BEFORE:
            self._interceptor.unsent(passage)
            self._interceptor.kill(passage)
        if kind is FaultKind.CUT_BEFORE:
            await self._fail(passage, exceptions.ConnectionError("Connection reset by peer"))
        if kind is FaultKind.APPLIED_LATE:
            self._interceptor.hold(passage, packed)
            self._interceptor.kill(passage)
        if kind is FaultKind.APPLIED_AFTER_TIMEOUT:
            self._interceptor.hold(passage, packed)
            await self._interceptor.pause(SOCKET_TIMEOUT_MS)
            await self.disconnect(nowait=True)
            raise exceptions.TimeoutError("Timeout reading from socket")
        if kind not in REFUSALS:
            # A connection that has to be made first sends and reads its greetings in here.
            await super().send_packed_command([packed], check_health)
        self._passage = passage

    @override
    async def read_response(self, *args: Any, **options: Any) -> Any:
        passage = self._passage
        if passage is None:
            return await super().read_response(*args, **options)
        refusal = None if passage.kind is None else REFUSALS.get(passage.kind)
        if refusal is not None:
            self._refuse(passage)
            raise refusal()
        try:
            reply = await super().read_response(*args, **options)
        except exceptions.ResponseError as error:
            await self._count(passage, error)
            raise
        await self._count(passage, reply)
        return reply

    def _refuse(self, passage: Passage) -> None:
        """Note a refusal, the first time; each command of a pipeline gets one."""
        if passage.first_reply is None:
            passage.first_reply = passage.kind
            self._interceptor.unsent(passage)
        passage.replies -= 1
        if not passage.replies:
            self._passage = None

    async def _count(self, passage: Passage, reply: Any) -> None:
        """Note one reply; the last one is where the faults after an operation happen."""
        passage.replies -= 1
        if passage.first_reply is None:
            passage.first_reply = reply
        if passage.replies:
            return
        self._passage = None
        lost = passage.kind in (FaultKind.KILLED_AFTER, FaultKind.REPLY_LOST)
        await self._interceptor.answered(passage, seen=not lost)
        if passage.kind is FaultKind.KILLED_AFTER:
            self._interceptor.kill(passage)
        if passage.kind is FaultKind.REPLY_LOST:
            await self.disconnect(nowait=True)
            raise exceptions.ConnectionError("Connection closed by server.")

    async def _notice_cut(self, passage: Passage) -> None:
        """Fail once on a connection that was cut since it was made."""
        known, self._generation = self._generation, self._interceptor.generation
        if known is not None and known != self._generation:
            await self._fail(passage, exceptions.ConnectionError("Connection reset by peer"))

    async def _fail(self, passage: Passage, error: exceptions.RedisError) -> NoReturn:
        self._interceptor.unsent(passage)
        await self.disconnect(nowait=True)
        raise error


def _slots(command: Command) -> int:
    """Return in how many slots of a cluster the keys of a script lie."""
    if command[0].upper() not in _SCRIPTS:
        return 0
    return _slots_of(tuple(bytes(key) for key in command[3 : 3 + int(command[2])]))


@lru_cache(maxsize=1024)
def _slots_of(keys: tuple[bytes, ...]) -> int:
    return len({key_slot(key) for key in keys})


async def let_others_run() -> None:
    """Suspend the caller once, as every command on a socket does."""
    await asyncio.sleep(0)
