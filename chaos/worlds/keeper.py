"""The process under which everything of a process world runs: workers, servers, temporary files.

It is started once, imports what workers need, and forks them off: a fork of a warm process costs
milliseconds. It has one thread and no event loop, so nothing is torn in two by a fork. When whoever
started it is gone, killed or not, it kills its children, removes its folder, and ends; and when it is
killed itself, the kernel kills its children.
"""

import contextlib
import ctypes
import fcntl
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from chaos.worlds import framing

FOLDER_PREFIX = "planproof-chaos-"
WARM = ("chaos.unified.port", "chaos.worlds.worker")
"""What is imported before the first fork: paid once, for all workers."""
LOCK = "lock"
_LOCKS: list[BinaryIO] = []
LOOK_S = 0.5
"""How often the keeper looks whether its parent still lives; the closed channel tells it sooner."""
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent dies; at once if it is dead already."""
    prctl = getattr(_LIBC, "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


_LIBC = ctypes.CDLL(None)


class Keeper:
    """The keeper's own side."""

    def __init__(self, channel: socket.socket, folder: Path) -> None:
        """Serve `channel`; files go below `folder`."""
        self._channel = channel
        self._folder = folder
        self._children: dict[int, subprocess.Popen[bytes] | None] = {}
        self._parent = os.getppid()

    def serve(self) -> None:
        """Answer until nobody asks any more; leave nothing behind."""
        try:
            framing.send(self._channel, (os.getpid(), str(self._folder)))
            while self._is_asked():
                request, descriptors = framing.receive_with_files(self._channel)
                framing.send(self._channel, self._answer(request, descriptors))
        except framing.PeerGoneError:
            pass
        finally:
            for child in list(self._children):
                self._stop(child)
            remove_folder(self._folder)

    def _is_asked(self) -> bool:
        while not select.select([self._channel], [], [], LOOK_S)[0]:
            if os.getppid() != self._parent:
                return False
        return True

    def _answer(self, request: tuple[str, Any], descriptors: Sequence[int]) -> Any:
        name, given = request
        if name == "fork":
            return self._fork(given, descriptors[0])
        if name == "start":
            return self._start(given)
        if name == "reap":
            return self._reap(given)
        return self._stop(given)

    def _fork(self, main: Callable[[socket.socket, Any], None], descriptor: int) -> int:
        keeper = os.getpid()
        child = os.fork()
        if child:
            os.close(descriptor)
            self._children[child] = None
            return child
        status = 1
        try:
            die_with_parent(keeper)
            self._channel.close()
            channel = socket.socket(fileno=descriptor)
            main(channel, framing.receive(channel))
            status = 0
        except framing.PeerGoneError:
            pass
        except BaseException:  # noqa: BLE001 - a forked child never returns to the keeper's code
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)

    def _start(self, command: Sequence[str]) -> int:
        keeper = os.getpid()
        process = subprocess.Popen(  # noqa: S603 - a server that the harness has found
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: die_with_parent(keeper),  # noqa: PLW1509 - one thread only
        )
        self._children[process.pid] = process
        return process.pid

    def _reap(self, child: int) -> framing.Ended | None:
        """Wait for the end of a child; return how it ended."""
        if child not in self._children:
            return None
        process = self._children.pop(child)
        _, status, used = os.wait4(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if process is not None:
            process.returncode = code
        return framing.Ended(code, used.ru_utime + used.ru_stime)

    def _stop(self, child: int) -> framing.Ended | None:
        if child in self._children:
            os.kill(child, signal.SIGKILL)
        return self._reap(child)


def main() -> None:
    """Be a keeper for the process that holds the other end of the channel."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever is interrupted closes the channel
    channel = socket.socket(fileno=int(sys.argv[1]))
    sys.path[:] = framing.receive(channel)
    for name in WARM:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    folder = make_folder(Path(tempfile.gettempdir()))
    Keeper(channel, folder).serve()


def make_folder(place: Path) -> Path:
    """Make a folder that is locked while this process or a child of it lives.

    What keepers before have left, because they and their parents were killed together, is removed.
    """
    for left in place.glob(f"{FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError), (left / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_folder(left)
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=place))
    _LOCKS.append((folder / LOCK).open("wb"))
    fcntl.flock(_LOCKS[-1], fcntl.LOCK_EX)
    return folder


def remove_folder(folder: Path) -> None:
    """Remove the folder of a keeper, its lock last: what is half removed is known to the next one."""
    with contextlib.suppress(FileNotFoundError):
        for entry in folder.iterdir():
            if entry.name != LOCK:
                shutil.rmtree(entry, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
