"""The harness' side of the keeper: start it, let it start others, let it end."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from chaos.worlds import framing
from chaos.worlds.keeper import remove_folder

CLOSE_S = 10.0
"""How long the keeper gets to clean up after itself; it needs milliseconds."""


class Keeping:
    """A keeper and what runs under it."""

    def __init__(self) -> None:
        """Start a keeper; it ends with this process, however that ends."""
        own, other = socket.socketpair()
        command = (sys.executable, "-m", "chaos.worlds.keeper", str(other.fileno()))
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter
            command,
            pass_fds=(other.fileno(),),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
        )
        other.close()
        self._channel = own
        framing.send(own, sys.path)
        self.pid, folder = framing.receive(own)
        self.folder = Path(folder)

    def fork(self, main: Callable[[socket.socket, Any], None], given: Any) -> "Forked":
        """Fork a process that runs `main(channel, given)`.

        Raises:
            chaos.worlds.framing.PeerGoneError: the keeper is dead.
        """
        own, other = socket.socketpair()
        framing.send(self._channel, ("fork", main), other.fileno())
        other.close()
        pid = framing.receive(self._channel)
        framing.send(own, given)
        return Forked(pid, own)

    def start(self, command: Sequence[str]) -> int:
        """Start a program and return its pid."""
        return int(self._ask("start", list(command)))

    def reap(self, pid: int) -> framing.Ended | None:
        """Wait for the end of a process; None: it was reaped before."""
        return cast("framing.Ended | None", self._ask("reap", pid))

    def stop(self, pid: int) -> framing.Ended | None:
        """Kill a process and wait for its end; None: it was reaped before."""
        return cast("framing.Ended | None", self._ask("stop", pid))

    def close(self) -> None:
        """End the keeper and everything under it."""
        with contextlib.suppress(OSError):  # a fork of this process may hold the channel, too
            self._channel.shutdown(socket.SHUT_RDWR)
        self._channel.close()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        remove_folder(self.folder)  # nothing is left of it, unless the keeper was killed

    @property
    def is_alive(self) -> bool:
        """Whether the keeper still runs."""
        return self._process.poll() is None

    def _ask(self, name: str, given: Any) -> Any:
        framing.send(self._channel, (name, given))
        return framing.receive(self._channel)


class Forked:
    """A process that was forked, and the channel to it."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        """Know it."""
        self.pid = pid
        self.channel = channel
