"""A child process and its two pipes on a loop in virtual time, which stands still while it works."""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Protocol, TypeAlias

from chaos.virtual_time import VirtualClock
from conformance.kit.executor_fault import ExecutorFault

LINE_BYTES_MAX = 16 * 1024 * 1024  # more without an end of line is no message
READ_BYTES = 65_536
STDERR_CHARACTERS = 300  # of what a dead child has last said


class Life(Protocol):
    """A process that was started, with pipes to it: `subprocess.Popen` is one."""

    pid: int

    @property
    def stdin(self) -> IO[bytes] | None:
        """Its standard input."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """Its standard output."""

    def wait(self) -> int:
        """Wait for its end; return its exit code, or less than 0 for a signal."""


Launch: TypeAlias = Callable[[Path, IO[bytes]], Life]
"""Starts a program in a folder, as a session of its own, with this file as standard error."""


def run_command(arguments: Sequence[str], folder: Path, stderr: IO[bytes]) -> Life:
    """Start a program by its command line; see `Launch`.

    Raises:
        ExecutorFault: it cannot be started.
    """
    try:
        return subprocess.Popen(  # noqa: S603 - the program is what the user certifies
            list(arguments),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    except OSError as error:
        raise ExecutorFault("died", f"{arguments[0]}: {error.strerror}") from None


class Child:
    """One life of a program. Killed as a group, with whatever it has started."""

    def __init__(self, launch: Launch, folder: Path, clock: VirtualClock) -> None:
        """Start the program in `folder`.

        Raises:
            ExecutorFault: it cannot be started.
        """
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._ended = False
        self._news = asyncio.Event()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `kill`
        try:
            self._process = launch(folder, self._stderr)
        except BaseException:
            self._stderr.close()
            raise
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        self._loop.add_reader(self._out, self._read)

    async def send(self, line: bytes) -> None:
        """Write one line.

        Raises:
            ExecutorFault: the program has ended, or closed its input.
        """
        left = memoryview(line)
        while left:
            try:
                left = left[os.write(self._in, left) :]
            except BlockingIOError:
                await self._writable()
            except OSError:
                raise self._death() from None

    async def receive(self) -> bytes:
        """Read one line; virtual time stands still until it has come.

        Raises:
            ExecutorFault: the program has ended, or the line has no end.
        """
        while (end := self._buffer.find(b"\n")) < 0:
            if self._ended:
                raise self._death()
            if len(self._buffer) > LINE_BYTES_MAX:
                raise ExecutorFault("garbage", f"a line of more than {LINE_BYTES_MAX} bytes")
            self._news.clear()
            with self._clock.held():
                await self._news.wait()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def stop(self) -> None:
        """Let the program stand still (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a program that stands still go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the program (SIGKILL) and give back the pipes; a second time does nothing."""
        if self._stderr.closed:
            return
        self._loop.remove_reader(self._out)
        self._signal(signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()
        self._stderr.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        data = os.read(self._out, READ_BYTES)
        if data:
            self._buffer += data
        else:
            self._ended = True
            self._loop.remove_reader(self._out)
        self._news.set()

    async def _writable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_writer(self._in, ready.set_result, None)
        try:
            with self._clock.held():
                await ready
        finally:
            self._loop.remove_writer(self._in)

    def _death(self) -> ExecutorFault:
        self._signal(signal.SIGKILL)  # it may have closed its output and live on
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._stderr.seek(0)
        said = self._stderr.read().decode("utf-8", "replace").split("\n")
        last = next((line for line in reversed(said) if line.strip()), "")[:STDERR_CHARACTERS]
        return ExecutorFault("died", f"the program ended ({how})" + (f": {last}" if last else ""))
