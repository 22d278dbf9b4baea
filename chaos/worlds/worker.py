"""What runs in a worker process: one life of the executor, which kills itself where it is told to.

All that it does outside passes the harness first, over a pipe: each operation of the store before it
is sent and after its reply, each call of a tool, each wait for a timer. Effects, history and agenda
are kept by the harness, so that a SIGKILL loses none of them. Everything between is the executor's
own: a real client, a real connection, a real server.
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, cast

from redis import exceptions
from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from typing_extensions import override

from chaos.case import FaultPoint
from chaos.faults.connection import FaultyConnection, Interceptor, Passage, let_others_run
from chaos.faults.ledger import Ledger
from chaos.faults.resp import packed_command
from chaos.faults.tools import FaultyTools, ToolWorld
from chaos.plans import ChaosPlan, Outcome, ToolScript
from chaos.port import (
    CallRequest,
    Command,
    DurableView,
    ExecutorPort,
    LifeResult,
    PortFactory,
    Surroundings,
)
from chaos.virtual_time import VirtualClock, VirtualLoop
from chaos.worlds import framing
from engine import Clock, SeededIdSource, SystemClock

BACKOFF_BASE_S, BACKOFF_CAP_S = 1.0, 10.0
"""Those of redis-py's default, without its jitter: cases must not depend on chance."""
REAL_TIMEOUT_S = 5.0
"""How long a client on real time waits for a reply: the default of redis-py."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is told at its start.

    Attributes:
        life: its number; the person who cancels has 0.
        address: host and port of the server, or of the proxy before it.
        database: of the server.
        view: what was durable when it was started.
        answer: what a person says to the execution; None: the worker runs it.
        real_time: whether it lives on the machine's clock and its leases on the server's.
    """

    life: int
    plan: ChaosPlan
    port_factory: PortFactory
    address: tuple[str, int]
    database: int
    key_prefix: str
    retries: int
    view: DurableView
    answer: bool | None
    elapsed_ms: int
    username: str | None = None
    password: str | None = None
    real_time: bool = False

    def introduction(self) -> list[list[str]]:
        """Return the commands with which a connection begins."""
        user = [] if self.username is None else [self.username]
        commands = [] if self.password is None else [["AUTH", *user, self.password]]
        return commands + ([["SELECT", str(self.database)]] if self.database else [])


class Line:
    """The pipe to the harness. A question stops the whole process until it is answered."""

    def __init__(self, channel: socket.socket, assignment: Assignment) -> None:
        """Ask over `channel`."""
        self._channel = channel
        self.clock: AskingClock | None = None
        self.generation = 0
        self.elapsed_ms = assignment.elapsed_ms

    def ask(self, name: str, *given: Any) -> Any:
        """Ask, and take over the time and the generation of connections that come with the answer."""
        try:
            framing.send(self._channel, (name, given))
            self.elapsed_ms, self.generation, answer = framing.receive(self._channel)
        except framing.PeerGoneError:
            os._exit(1)  # the harness is dead, and nobody would take note of anything
        if self.clock is not None:
            self.clock.catch_up(self.elapsed_ms)
        return answer

    def die(self) -> NoReturn:
        """End this process as an out-of-memory killer does."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise SystemExit(1)  # not reached


class AskingClock(VirtualClock):
    """A virtual clock that jumps to no instant without the harness' consent."""

    def __init__(self, line: Line) -> None:
        """Begin at the harness' time."""
        super().__init__()
        self._line = line
        self._elapsed_ms = line.elapsed_ms
        line.clock = self

    def catch_up(self, elapsed_ms: int) -> None:
        """Show the harness' time."""
        self._elapsed_ms = max(self._elapsed_ms, elapsed_ms)

    @override
    def fire_next(self, limit_ms: int | None = None) -> bool:
        instants = [timer.key[0] for timer in self._timers if timer.callback is not None]
        if limit_ms is not None:
            instants.append(limit_ms)
        if instants and min(instants) > self._elapsed_ms:
            self._line.ask("sleep", min(instants))
        return super().fire_next(limit_ms)


class _HeldConnection(Connection):
    """A real connection that lets virtual time stand still while it waits for the server."""

    hold: Any

    @override
    async def connect(self) -> None:
        with self.hold():
            await super().connect()  # type: ignore[no-untyped-call]  # redis-py's own

    @override
    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        with self.hold():
            await super().send_packed_command(command, check_health)

    @override
    async def read_response(self, *args: Any, **options: Any) -> Any:
        with self.hold():
            return await super().read_response(*args, **options)


class WorkerConnection(FaultyConnection, _HeldConnection):
    """A real connection with faults."""

    def __init__(self, *args: Any, clock: VirtualClock, **options: Any) -> None:
        """Hold `clock` while the server is waited for."""
        self.hold = clock.held
        super().__init__(*args, **options)

    @override
    async def read_response(self, *args: Any, **options: Any) -> Any:
        passage = self._passage
        try:
            return await super().read_response(*args, **options)
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError):
            if passage is not None and self._passage is passage:
                self._passage = None
                cast("WorkerWire", self._interceptor).lost(passage)
            raise


class _RemoteLedger(Ledger):
    """The ledger, which the harness keeps."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    @override
    def reach(self, request: CallRequest, script: ToolScript) -> Outcome:
        return cast("Outcome", self._line.ask("reach", request))

    @override
    def apply(self, request: CallRequest, script: ToolScript) -> str | None:
        return cast("str | None", self._line.ask("apply", request))


class WorkerWire(Interceptor, ToolWorld):
    """All that the life sends passes here."""

    def __init__(self, line: Line, port: ExecutorPort, introduction: bytes) -> None:
        """Ask the harness over `line`; a connection begins with `introduction`."""
        self._line = line
        self._introduction = introduction
        self._port = port
        self.ledger = _RemoteLedger(line)
        self.clock: Clock = SystemClock()

    @property
    @override
    def generation(self) -> int:
        return self._line.generation

    @override
    async def arrive(self, commands: Sequence[Command]) -> Passage | None:
        operation = self._port.operation(commands)
        if operation is None:
            return None
        await let_others_run()
        return cast("Passage", self._line.ask("arrive", operation))

    @override
    def kill(self, passage: Passage) -> NoReturn:
        self.die()

    @override
    def die(self) -> NoReturn:
        self._line.die()

    @override
    def hold(self, passage: Passage, packed: bytes) -> None:
        address = self._line.ask("hold")
        with socket.create_connection(address) as connection:
            connection.sendall(self._introduction + packed)
            sender = connection.getsockname()
        self._line.ask("held", passage, sender)

    @override
    async def pause(self, duration_ms: int) -> None:
        await self.clock.sleep_ms(duration_ms)

    @override
    async def answered(self, passage: Passage, *, seen: bool) -> None:
        passage.first_reply = self._port.refusal(passage.first_reply)
        self._line.ask("answered", passage, seen)

    @override
    def unsent(self, passage: Passage) -> None:
        passage.first_reply = None
        self._line.ask("unsent", passage)

    def lost(self, passage: Passage) -> None:
        """Take note that a connection broke before the reply was there."""
        passage.first_reply = None
        self._line.ask("lost", passage)

    @override
    def call_arrives(self, site: str) -> FaultPoint | None:
        if site.endswith(".lookup"):
            self.ledger.outputs = self._line.ask("outputs")
        return cast("FaultPoint | None", self._line.ask("call", site))

    @override
    def attempted(self, request: CallRequest) -> None:
        self._line.ask("attempted", request)

    @override
    def took_effect(self, request: CallRequest, outcome: str) -> None:
        """Do nothing: the harness, which let it happen, has taken note."""

    @override
    def hold_effect(self, request: CallRequest, point: FaultPoint) -> None:
        self._line.ask("hold_effect", request, point)

    @override
    async def go_on(self) -> None:
        """Do nothing: a stopped process is stopped."""


def main(channel: socket.socket, assignment: Assignment) -> None:
    """Live one life, and tell how it ended."""
    line = Line(channel, assignment)
    port = assignment.port_factory(assignment.plan)
    introduction = b"".join(map(packed_command, assignment.introduction()))
    wire = WorkerWire(line, port, introduction)
    for name in port.loggers:
        logging.getLogger(name).disabled = True  # failures that were planned; the process ends soon
    if assignment.real_time:
        with asyncio.Runner() as runner:
            ended = runner.run(_live(assignment, port, wire, VirtualClock()))
    else:
        clock = wire.clock = AskingClock(line)
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
            ended = runner.run(_live(assignment, port, wire, clock))
    line.ask("ended", *ended)


_Ended = tuple[Literal["returned", "raised", "heard", "unheard"], str | None, str | None]


async def _live(
    assignment: Assignment, port: ExecutorPort, wire: WorkerWire, held: VirtualClock
) -> _Ended:
    client = _client(assignment, wire, held)
    life = Surroundings(
        plan=assignment.plan,
        client=client,
        callee=FaultyTools(wire, assignment.plan, wire.clock),
        clock=wire.clock,
        ids=SeededIdSource(assignment.life),
        lease_clock=None if assignment.real_time else wire.clock,
        key_prefix=assignment.key_prefix,
    )
    try:
        if assignment.life == 0:
            return ("heard" if await port.cancel(life) else "unheard"), None, None
        result = await _work(assignment, port, life)
    except Exception as error:  # noqa: BLE001 - what the caller of the executor would see
        return "raised", None, port.error_code(error)
    finally:
        await client.connection_pool.disconnect()
    return "returned", result.status, result.error_code


async def _work(assignment: Assignment, port: ExecutorPort, life: Surroundings) -> LifeResult:
    view, answer = assignment.view, assignment.answer
    if answer is None or view.ended:
        return await port.run(life, begin=view.status is None)
    return await port.decide(life, view, approved=answer)


def _client(assignment: Assignment, wire: WorkerWire, held: VirtualClock) -> Redis:
    host, port = assignment.address
    timeout_s = REAL_TIMEOUT_S if assignment.real_time else None
    pool = ConnectionPool(
        connection_class=WorkerConnection,
        host=host,
        port=port,
        db=assignment.database,
        username=assignment.username,
        password=assignment.password,
        interceptor=wire,
        clock=held,
        protocol=2,
        driver_info=None,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(ExponentialBackoff(BACKOFF_CAP_S, BACKOFF_BASE_S), assignment.retries),
    )
    return Redis(connection_pool=pool)
