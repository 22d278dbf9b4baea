"""The store of a process world: a real server, what it has held, and how it comes to lose that."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from chaos.case import Case, FaultPoint, StorePolicy
from chaos.fault_kinds import BY_KIND, FaultKind, Target
from chaos.faults.connection import Passage
from chaos.port import DurableView, ExecutorPort, Image
from chaos.worlds.premises import Premises
from chaos.worlds.proxy import Link, Proxy
from chaos.worlds.recorder import Recorder
from chaos.worlds.server import POLL_S, STARTUP_POLLS, OwnServer, ServerError

_HELD = frozenset({FaultKind.APPLIED_LATE, FaultKind.APPLIED_AFTER_TIMEOUT})
_FIRST_WORD = re.compile(rb"(?:\+OK\r\n)*\*[0-9]+\r\n\$[0-9]+\r\n([^\r]*)\r\n")


@dataclass(frozen=True, slots=True)
class _Moment:
    """What was before an operation that changed something.

    Attributes:
        mark: with which the server comes back as it was; None: nobody will ask it to.
        position: in the stream to replicas.
    """

    image: Image
    mark: int | bytes | None
    position: int


class RealStore:
    """One server during one case. Needs a running loop."""

    def __init__(
        self, premises: Premises, case: Case, port: ExecutorPort, recorder: Recorder
    ) -> None:
        """Use the server that `premises` has for the case's policy.

        Raises:
            chaos.worlds.server.ServerError: it cannot be used, or not for these faults.
        """
        self.server = premises.server(case.policy)
        self._premises = premises
        self._port = port
        self._recorder = recorder
        kinds = {point.kind for point in case.faults}
        own = {kind for kind in kinds if BY_KIND[kind].target is Target.SERVER}
        if not isinstance(self.server, OwnServer) and own - {FaultKind.CONNECTIONS_CUT}:
            named = ", ".join(sorted(own))
            raise ServerError(f"{named} needs a server of the harness' own: name no URL")
        self._loses = bool(kinds & {FaultKind.LAST_WRITES_LOST, FaultKind.FAILOVER})
        self._proxy = Proxy(self.server.address) if own or kinds & _HELD else None
        self._fails_over = FaultKind.FAILOVER in kinds
        self._replica: OwnServer | None = None
        self._stream: Proxy | None = None
        self._base = 0
        self.image: Image = {}
        self._moments: list[_Moment] = []
        self._now = _Moment({}, None, 0)
        self.generation = 0
        self.address = self.server.address

    async def open(self) -> None:
        """Begin with an empty store."""
        self.server.empty(tuple(self._port.scripts))
        if self._proxy is not None:
            self.address = await self._proxy.start()
        if self._fails_over:
            await self._add_replica()
        self._now = self._moment()

    async def close(self) -> None:
        """End what was started for this case alone."""
        for proxy in (self._proxy, self._stream):
            if proxy is not None:
                await proxy.close()
        if self._replica is not None:
            self._replica.end()

    def view(self) -> DurableView:
        """Read what is durable."""
        return self._port.view(self.image)

    def applied(self, passage: Passage, *, seen: bool, refused: str | None = None) -> None:
        """Take note of an operation that the server has carried out."""
        changed = self._photograph()
        self._recorder.operation(passage, applied=True, seen=seen, changed=changed, refused=refused)
        if changed:
            self._recorder.checkpoint(passage.life, self.view())

    def lost(self, passage: Passage) -> None:
        """Take note of an operation of which nobody heard: it was applied if it changed something."""
        self.server.wait_until_alone()
        changed = self._photograph()
        self._recorder.operation(passage, applied=changed, seen=False, changed=changed)
        if changed:
            self._recorder.checkpoint(passage.life, self.view())

    async def expect_held(self) -> tuple[str, int]:
        """Return where to send what is to be held."""
        return await self._the_proxy().start_holding()

    async def held(self, sender: tuple[str, int]) -> Link:
        """Return the connection that holds what was sent from this address."""
        try:
            async with asyncio.timeout(STARTUP_POLLS * POLL_S):
                return await self._the_proxy().orphan(sender)
        except TimeoutError:
            raise ServerError("what was sent to be held has not come") from None

    async def deliver(self, passage: Passage, link: Link) -> None:
        """Let arrive what was held."""
        reply = await self._the_proxy().deliver(link)
        word = _FIRST_WORD.match(reply)
        self.applied(passage, seen=False, refused=self._port.refusal([word[1]]) if word else None)

    async def strike(self, point: FaultPoint) -> None:
        """Cut connections; restart; come back without the last operations."""
        self.generation += 1
        proxy = self._the_proxy()
        if point.kind is not FaultKind.CONNECTIONS_CUT:
            await self._strike_server(point)
        proxy.cut()

    async def _strike_server(self, point: FaultPoint) -> None:
        server = self.server
        if not isinstance(server, OwnServer):
            raise ServerError(f"{point.kind} needs a server of the harness' own")
        if point.kind is FaultKind.RESTARTED:
            server.kill()
            server.start()
            return
        lost = min(point.amount or 1, len(self._moments))
        moment = self._moments[-lost] if lost else self._now
        if moment.mark is not None:
            server.set_back(moment.mark)
        else:
            await self._fail_over(server, moment.position)
        if lost:
            del self._moments[-lost:]
        self.image = self.server.photograph(moment.image)
        if self.image != moment.image:
            raise ServerError(f"{point.kind} has not lost exactly the last {lost} operations")
        self._now = self._moment()
        self._recorder.cut(point, lost)
        self._recorder.checkpoint(0, self.view(), cut=True)

    async def _add_replica(self) -> None:
        """Let a replica follow through a proxy in which the stream then stands still."""
        replica = self._replica = OwnServer(self._premises.keeping, StorePolicy.FAILOVER)
        stream = self._stream = Proxy(self.server.address)
        replica.follow(await stream.start())
        primary = self.server
        if not isinstance(primary, OwnServer):
            raise ServerError("a failover needs a server of the harness' own")
        await _until(lambda: replica.replica_position() == primary.stream_position)
        self._base = primary.stream_position
        stream.links[-1].stream = bytearray()

    async def _fail_over(self, primary: OwnServer, position: int) -> None:
        """Promote the replica as it was at `position`; the primary has gone on, and is killed."""
        replica, stream = self._replica, self._stream
        if replica is None or stream is None:
            raise ServerError("a case has at most one failover")
        link, count = stream.links[-1], position - self._base
        await _until(lambda: link.stream is not None and len(link.stream) >= count)
        stream.let_flow(link, count)
        await _until(lambda: replica.replica_position() == position)
        replica.promote()
        primary.end()
        await stream.close()
        self._replica = self._stream = None
        self.server = replica
        self._premises.replace(StorePolicy.FAILOVER, replica)
        self._the_proxy().upstream = replica.address

    def _photograph(self) -> bool:
        image = self.server.photograph(self.image)
        if image == self.image:
            return False
        self._moments.append(self._now)
        self.image = image
        self._now = self._moment()
        return True

    def _moment(self) -> _Moment:
        if not self._loses or not isinstance(self.server, OwnServer):
            return _Moment(self.image, None, 0)
        if self._fails_over:
            return _Moment(self.image, None, self.server.stream_position)
        return _Moment(self.image, self.server.mark(), 0)

    def _the_proxy(self) -> Proxy:
        if self._proxy is None:
            raise ServerError("nothing of this case passes a proxy")
        return self._proxy


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(STARTUP_POLLS):
        if holds():
            return
        await asyncio.sleep(POLL_S)
    raise ServerError("a server does not do what it was told to in time")
