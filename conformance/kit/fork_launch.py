"""Starts lives of one Python program as forks of a process that has its packages imported.

A package may take seconds to import, and a certificate has a hundred lives. What is forked is as new as
what is started: it has the imported modules, and nothing of the lives before it.
"""

import atexit
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from conformance.kit.executor_fault import ExecutorFault
from conformance.kit.fork_server import LINE_BYTES

_SERVERS: dict[tuple[int, str], "ForkServer"] = {}


class ForkedLife:
    """One life of the program, in the form of `conformance.kit.child.Life`."""

    def __init__(self, server: "ForkServer", pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        """Own the pipes of the process `pid`."""
        self.pid = pid
        self.stdin: IO[bytes] = stdin
        self.stdout: IO[bytes] = stdout
        self._server = server
        self._code: int | None = None

    def wait(self) -> int:
        """Wait for its end; return its exit code, or less than 0 for a signal."""
        if self._code is None:
            self._code = self._server.ask(f"wait {self.pid}")
        return self._code


class ForkServer:
    """The process that forks; it ends with this one."""

    def __init__(self, module: str, packages: Sequence[str]) -> None:
        """Start it; it answers when everything is imported."""
        self._module = module
        self._socket, theirs = socket.socketpair()
        with theirs:
            command = (sys.executable, "-m", "conformance.kit.fork_server", str(theirs.fileno()))
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                (*command, module, *packages),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def start(self, folder: Path, stderr: IO[bytes]) -> ForkedLife:
        """Begin one life in `folder`.

        Raises:
            ExecutorFault: the server has ended; why is on standard error.
        """
        child_in, stdin = os.pipe()
        stdout, child_out = os.pipe()
        try:
            pid = self.ask(f"start {folder}", (child_in, child_out, stderr.fileno()))
        except BaseException:
            os.close(stdin)
            os.close(stdout)
            raise
        finally:
            os.close(child_in)
            os.close(child_out)
        return ForkedLife(self, pid, os.fdopen(stdin, "wb", 0), os.fdopen(stdout, "rb", 0))

    def ask(self, request: str, descriptors: Sequence[int] = ()) -> int:
        """Send a request and return the answer.

        Raises:
            ExecutorFault: the server has ended.
        """
        try:
            socket.send_fds(self._socket, [request.encode() + b"\n"], list(descriptors))
            answer = self._socket.recv(LINE_BYTES)
        except OSError:
            answer = b""
        if not answer:
            raise ExecutorFault("died", f"the process that forks {self._module} has ended")
        return int(answer)

    def close(self) -> None:
        """Let it end."""
        self._socket.close()
        self._process.wait()


def fork_life(module: str, packages: Sequence[str], folder: Path, stderr: IO[bytes]) -> ForkedLife:
    """Begin a life of `python -m module`, by the server of this process for it.

    Raises:
        ExecutorFault: a package cannot be imported.
    """
    key = os.getpid(), module
    if key not in _SERVERS:
        server = _SERVERS[key] = ForkServer(module, packages)
        atexit.register(server.close)
    try:
        return _SERVERS[key].start(folder, stderr)
    except ExecutorFault:
        dead = _SERVERS.pop(key)
        atexit.unregister(dead.close)
        dead.close()
        raise
