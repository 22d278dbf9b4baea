"""A proxy between clients and a server, or between a primary and its replica, that knows commands.

It runs in the harness' loop. What passes it can be cut, slowed down, held back and let go later, in
another order than it came in; the other side of a connection can be left open and silent. Rules
name the nth command that a text matches, whatever connection it comes on.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from chaos.faults.resp import NotACommandError, read_commands

CHUNK = 65_536
_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Action(StrEnum):
    """What a rule does to the command that it matches."""

    CUT = "cut"
    """Close the connection instead of passing the command on."""
    CUT_REPLY = "cut reply"
    """Pass the command on, and close the connection when the reply comes."""
    HOLD = "hold"
    """Keep the command, and everything after it on this connection, until it is released."""
    SILENCE = "silence"
    """Pass nothing on any more, in either direction, and leave the connection open."""
    DELAY = "delay"
    """Pass it on later."""


@dataclass(slots=True)
class Rule:
    """What happens to the nth command that begins with `command` (of any kind, if empty).

    Attributes:
        nth: which match, from 1.
        delay_ms: for DELAY.
        matched: how many there were.
        fired: set when it has happened.
    """

    action: Action
    command: bytes = b""
    nth: int = 1
    delay_ms: int = 0
    matched: int = 0
    fired: asyncio.Event = field(default_factory=asyncio.Event)

    def meets(self, name: bytes) -> bool:
        """Count a command; whether it is the one."""
        if self.fired.is_set() or not name.upper().startswith(self.command.upper()):
            return False
        self.matched += 1
        return self.matched == self.nth


@dataclass(slots=True)
class Link:
    """One connection through the proxy.

    Attributes:
        held: bytes that wait to be released; None: nothing is held.
        stream: bytes from the server that wait to be released; None: they pass.
        is_orphan: it stays when its client is gone, because what it holds is still to arrive.
        replies: what the server has said to an orphan.
    """

    number: int
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    held: bytearray | None = None
    stream: bytearray | None = None
    is_silent: bool = False
    cuts_reply: bool = False
    is_orphan: bool = False
    unread: bytearray = field(default_factory=bytearray)
    replies: bytearray = field(default_factory=bytearray)
    client_gone: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self) -> None:
        """Cut it on both sides."""
        for side in (self.client, self.server):
            with contextlib.suppress(OSError, RuntimeError):
                side.transport.abort()


class Proxy:
    """Listens on a free loopback port. Needs a running loop."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        """Pass on to `upstream`, which may be changed: new connections go to the new one."""
        self.upstream = upstream
        self.rules: list[Rule] = []
        self.links: list[Link] = []
        self.latency_ms = 0
        self._numbers = itertools.count(1)
        self._servers: list[asyncio.Server] = []
        self._holding_at: tuple[str, int] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.opened = asyncio.Event()

    async def start(self) -> tuple[str, int]:
        """Listen, and return the address."""
        return await self._listen(self._serve)

    async def start_holding(self) -> tuple[str, int]:
        """Listen at one more address, where all that comes is held, also when its sender is gone.

        Connections are told apart by where they come, and not by when: the one that is made last can
        be the first that is served.
        """
        if self._holding_at is None:
            self._holding_at = await self._listen(self._hold)
        return self._holding_at

    async def orphan(self, client: tuple[str, int]) -> Link:
        """Return the held connection that a client has made from this address, once it is whole."""
        while True:
            self.opened.clear()
            for link in self.links:
                if link.is_orphan and link.client.get_extra_info("peername")[:2] == client:
                    await link.client_gone.wait()
                    return link
            await self.opened.wait()

    async def close(self) -> None:
        """Cut everything and listen no more."""
        for server in self._servers:
            server.close()
        for link in list(self.links):
            link.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, action: Action, command: bytes = b"", nth: int = 1, delay_ms: int = 0) -> Rule:
        """Let a rule hold from now on."""
        rule = Rule(action, command, nth, delay_ms)
        self.rules.append(rule)
        return rule

    def cut(self) -> None:
        """Cut all connections but those whose bytes are held for later."""
        for link in [one for one in self.links if not one.is_orphan]:
            link.close()

    def release(self, link: Link) -> None:
        """Let the held commands pass, and all that come later."""
        if link.held is not None and not link.server.is_closing():
            link.server.write(bytes(link.held))
        link.held = None

    def let_flow(self, link: Link, count: int) -> None:
        """Let `count` bytes of what the server has said pass; the rest goes on waiting."""
        if link.stream is not None and not link.client.is_closing():
            link.client.write(bytes(link.stream[:count]))
            del link.stream[:count]

    async def deliver(self, link: Link) -> bytes:
        """Let everything that an orphan holds arrive; return what the server says to it."""
        self.release(link)
        link.server.write_eof()
        await link.finished.wait()
        return bytes(link.replies)

    async def _listen(self, serve: _Serve) -> tuple[str, int]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(reader, writer, holds=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, holds: bool = False
    ) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            back, server = await asyncio.open_connection(*self.upstream)
        except OSError:
            writer.transport.abort()
            return
        link = Link(next(self._numbers), writer, server)
        if holds:
            link.held, link.is_orphan = bytearray(), True
        self.links.append(link)
        self.opened.set()
        try:
            await asyncio.gather(self._forward(link, reader), self._return(link, back))
        finally:
            link.close()
            self.links.remove(link)

    async def _forward(self, link: Link, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(CHUNK):
                for command, raw in self._commands(link, piece):
                    await self._pass(link, command, raw)
        link.client_gone.set()
        if not link.is_orphan and not link.is_silent:
            link.close()

    def _commands(self, link: Link, piece: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield whole commands, name and bytes; what is none passes as it is."""
        if not self.rules:
            yield b"", bytes(link.unread) + piece
            link.unread.clear()
            return
        link.unread += piece
        raw = bytes(link.unread)
        try:
            commands = list(read_commands(raw))
        except NotACommandError:
            return  # the rest of it is on its way
        sizes = [_packed_size(command) for command in commands]
        if sum(sizes) != len(raw):
            return
        link.unread.clear()
        at = 0
        for command, size in zip(commands, sizes, strict=True):
            yield command[0], raw[at : at + size]
            at += size

    async def _pass(self, link: Link, command: bytes, raw: bytes) -> None:
        rule = next((rule for rule in self.rules if command and rule.meets(command)), None)
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1_000)
        if rule is not None:
            await self._apply(rule, link)
        if link.is_silent or link.server.is_closing():
            return
        if link.held is not None:
            link.held += raw
            return
        link.server.write(raw)

    async def _apply(self, rule: Rule, link: Link) -> None:
        rule.fired.set()
        if rule.action is Action.CUT:
            link.close()
        elif rule.action is Action.CUT_REPLY:
            link.cuts_reply = True
        elif rule.action is Action.HOLD:
            link.held = bytearray()
        elif rule.action is Action.SILENCE:
            link.is_silent = True
        else:
            await asyncio.sleep(rule.delay_ms / 1_000)

    async def _return(self, link: Link, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(CHUNK):
                if link.cuts_reply:
                    break
                if link.is_orphan:
                    link.replies += piece
                elif link.stream is not None:
                    link.stream += piece
                elif not link.is_silent and not link.client.is_closing():
                    link.client.write(piece)
        link.finished.set()
        link.close()


def _packed_size(command: list[bytes]) -> int:
    head = len(f"*{len(command)}\r\n")
    return head + sum(len(f"${len(part)}\r\n") + len(part) + 2 for part in command)
