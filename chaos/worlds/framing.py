"""Messages between processes of the harness: pickled, with their length before them.

Both ends are processes of our own, connected by a socket pair that nobody else can open.
"""

import asyncio
import pickle
import socket
import struct
from dataclasses import dataclass
from typing import Any

_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended.

    Attributes:
        status: its exit status, negative for a signal.
        cpu_s: CPU time that it took.
    """

    status: int
    cpu_s: float


class PeerGoneError(Exception):
    """The process at the other end is no more."""


def send(channel: socket.socket, message: Any, *descriptors: int) -> None:
    """Send a message, and open files with it.

    Raises:
        PeerGoneError: nobody reads any more.
    """
    payload = pickle.dumps(message)
    try:
        if descriptors:
            socket.send_fds(channel, [_LENGTH.pack(len(payload))], list(descriptors))
            channel.sendall(payload)
        else:
            channel.sendall(_LENGTH.pack(len(payload)) + payload)
    except OSError as error:
        raise PeerGoneError(str(error)) from None


def receive(channel: socket.socket) -> Any:
    """Return the next message.

    Raises:
        PeerGoneError: none will come.
    """
    return receive_with_files(channel)[0]


def receive_with_files(channel: socket.socket) -> tuple[Any, list[int]]:
    """Return the next message and the open files that came with it.

    Raises:
        PeerGoneError: none will come.
    """
    try:
        head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, 1)
        head += _exactly(channel, _LENGTH.size - len(head)) if head else b""
        if not head:
            raise PeerGoneError("the other end is closed")
        payload = _exactly(channel, _LENGTH.unpack(head)[0])
    except OSError as error:
        raise PeerGoneError(str(error)) from None
    return pickle.loads(payload), descriptors  # noqa: S301 - from a process of our own


def _exactly(channel: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = channel.recv(count - len(parts))
        if not part:
            raise PeerGoneError("the other end was closed within a message")
        parts += part
    return bytes(parts)


async def receive_later(reader: asyncio.StreamReader) -> Any:
    """Return the next message of a stream.

    Raises:
        PeerGoneError: none will come.
    """
    try:
        head = await reader.readexactly(_LENGTH.size)
        payload = await reader.readexactly(_LENGTH.unpack(head)[0])
    except (asyncio.IncompleteReadError, OSError) as error:
        raise PeerGoneError(str(error)) from None
    return pickle.loads(payload)  # noqa: S301 - from a process of our own


def write(writer: asyncio.StreamWriter, message: Any) -> None:
    """Send a message on a stream; to a process that is gone it is lost."""
    payload = pickle.dumps(message)
    if not writer.is_closing():
        writer.write(_LENGTH.pack(len(payload)) + payload)
