"""The store of a simulated world: what it holds, what it has held, and what is on its way to it."""

import contextlib
import copy
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from fakeredis.aioredis import FakeAsyncRedisConnection
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from typing_extensions import override

from chaos.case import FaultPoint
from chaos.fault_kinds import FaultKind
from chaos.faults.connection import WAITING, FaultyConnection, Passage
from chaos.faults.resp import joined, read_commands
from chaos.port import DurableView, ExecutorPort, Image
from chaos.worlds.fake_server import EmbeddedServer
from chaos.worlds.recorder import Recorder
from chaos.worlds.wire import Wire

BACKOFF_BASE_S, BACKOFF_CAP_S = 1.0, 10.0
"""Those of redis-py's default, without its jitter: cases must not depend on chance."""


@cache
def _client() -> Redis:
    """Return a client without a server; making one takes as long as four operations."""
    return Redis()


class _DurableConnection(FakeAsyncRedisConnection):
    """An embedded connection whose server has a replica and an append-only file that keep up."""

    _answers: list[Any]

    @override
    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        packed = joined(command)
        self._answers = []
        if b"\r\nWAIT" in packed:
            self._answers = [_WAITED.get(one[0].upper()) for one in read_commands(packed)]
            packed = b"".join(self.pack_commands(_without_waits(packed)))
        await super().send_packed_command([packed], check_health)

    @override
    async def read_response(self, **options: Any) -> Any:  # type: ignore[override]  # as the fake's own
        answer = self._answers.pop(0) if self._answers else None
        return answer if answer is not None else await super().read_response(**options)


_WAITED: Mapping[bytes, Any] = {b"WAIT": 1, b"WAITAOF": [1, 1]}
"""What a server with one replica and an append-only file answers."""


def _without_waits(packed: bytes) -> list[list[bytes]]:
    return [one for one in read_commands(packed) if one[0].upper() not in WAITING]


class _SimConnection(FaultyConnection, _DurableConnection):  # type: ignore[misc]  # the fake is one
    """An embedded connection with faults."""


class SimStore:
    """One embedded server during one case.

    Attributes:
        image: what it holds.
        images: what it held before each operation that changed it, oldest first.
        generation: how often all connections were cut.
    """

    def __init__(
        self,
        server: EmbeddedServer,
        port: ExecutorPort,
        recorder: Recorder,
        retries: int,
    ) -> None:
        """Use `server`; clients repeat what fails `retries` times."""
        self._server = server
        self._port = port
        self._recorder = recorder
        self._retries = retries
        self._backdoor: Any = None
        self.image: Image = {}
        self.images: list[Image] = []
        self.generation = 0

    @property
    def scripts(self) -> dict[bytes, bytes]:
        """The scripts that the server knows, by digest."""
        return dict(self._server.server.script_cache)

    def restore(self, image: Image, images: Sequence[Image], scripts: dict[bytes, bytes]) -> None:
        """Go on from another moment."""
        self.image, self.images = image, list(images)
        self._server.set_back(image)
        self._server.server.script_cache = dict(scripts)

    def view(self) -> DurableView:
        """Read what is durable."""
        return self._port.view(self.image)

    def client(self, wire: Wire) -> Redis:
        """Return a client all of whose operations pass `wire`."""
        pool = ConnectionPool(
            connection_class=_SimConnection,
            server=self._server.server,
            interceptor=wire,
            socket_timeout=None,
            socket_connect_timeout=None,
            protocol=2,
            driver_info=None,
            retry=Retry(ExponentialBackoff(BACKOFF_CAP_S, BACKOFF_BASE_S), self._retries),
        )
        client = copy.copy(_client())
        client.connection_pool = pool
        return client

    def applied(self, passage: Passage, *, seen: bool) -> None:
        """Take note of an operation that the server has carried out."""
        image = self._server.photograph()
        changed = image != self.image
        refused = self._port.refusal(passage.first_reply)
        self._recorder.operation(passage, applied=True, seen=seen, changed=changed, refused=refused)
        if changed:
            self.images.append(self.image)
            self.image = image
            self._recorder.checkpoint(passage.life, self.view())
        if passage.waits:
            self.images.clear()  # what is on replicas and in the file is not lost any more

    async def send_late(self, passage: Passage, packed: bytes) -> None:
        """Carry out an operation whose sender waits for no answer any more."""
        if self._backdoor is None:
            self._backdoor = FakeAsyncRedisConnection(
                server=self._server.server, protocol=2, driver_info=None
            )
        await self._backdoor.send_packed_command([packed])
        passage.first_reply = None
        with contextlib.suppress(Exception):  # an error reply goes to nobody
            passage.first_reply = await self._backdoor.read_response()
        self.applied(passage, seen=False)

    def strike(self, point: FaultPoint) -> None:
        """Cut connections; restart; come back without the last operations."""
        self.generation += 1
        if point.kind is FaultKind.CONNECTIONS_CUT:
            return
        self._server.know(())
        if point.kind is FaultKind.RESTARTED:
            return
        lost = min(point.amount or 1, len(self.images))
        if lost:
            self.image = self.images[-lost]
            del self.images[-lost:]
            self._server.set_back(self.image)
        self._recorder.cut(point, lost)
        self._recorder.checkpoint(0, self.view(), cut=True)

    async def close(self) -> None:
        """Give the connection back."""
        if self._backdoor is not None:
            await self._backdoor.disconnect()
