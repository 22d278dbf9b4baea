"""Without these a store that is not one plain server could be unreachable, or lose an execution.

Each kind runs the same saga with a crash in it: a server with TLS, one with an ACL user, a cluster, and a
primary that Sentinels name, before and after its failover.
"""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from redis.asyncio import Redis, RedisCluster

from engine import (
    Compensation,
    ExecutionStatus,
    ToolCall,
    ToolResult,
    WorkflowMachine,
    WorkflowSettings,
    open_store,
)
from engine.errors import LeaseHeldError, StoreUnavailableError
from engine.redis_client import open_client
from engine.store import Store
from tests.conftest import RedisServer, free_port, start_server
from tests.engine.lab import plan_of, step

EXECUTIONS = 24  # enough to meet several shards, and several nodes of a cluster
SETTINGS = WorkflowSettings.worker().model_copy(update={"lease_ms": 400})
PLAN = plan_of(step("hold"), step("work", "hold"), step("fails", "work"))
POLLS = 400
POLL_S = 0.025


class Tools:
    """Hold, work, fail: the saga gives back what was held. The first `work` of each dies."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.crash = True
        self.dying = asyncio.Event()

    async def execute(self, call: ToolCall) -> ToolResult:
        self.calls.append((call.execution_id, call.tool_name))
        if call.tool_name == "work" and self.crash:
            self.dying.set()
            await asyncio.Event().wait()  # the process dies in here
        if call.tool_name == "fails":
            return ToolResult.failed("no luck")
        undo = Compensation(tool_name="release", parameters={})
        return ToolResult.ok(
            {"at": call.tool_name}, compensation=undo if call.tool_name == "hold" else None
        )


async def saga_with_a_crash(store: Store, name: str) -> None:
    """Run `EXECUTIONS` executions whose process dies in the second step, and end them elsewhere."""
    ids = [f"{name}-{number}" for number in range(EXECUTIONS)]
    tools = Tools()
    for execution_id in ids:
        await die_in(execution_id, tools, store)
    tools.crash = False
    due = store.due_queue()  # type: ignore[attr-defined]  # of the Redis store
    await end_all(store, ids, tools)
    assert await due.take(1_000, 1_000) == []
    for execution_id in ids:
        names = [tool for which, tool in tools.calls if which == execution_id]
        assert names == ["hold", "work", "work", "fails", "release"]


async def die_in(execution_id: str, tools: Tools, store: Store) -> None:
    """Run until the second step is under way; the process writes nothing more."""
    machine = WorkflowMachine(execution_id, tools, store=store, settings=SETTINGS)
    machine.set_plan(PLAN)
    tools.dying.clear()
    running = asyncio.ensure_future(machine.execute())
    dying = asyncio.ensure_future(tools.dying.wait())
    await asyncio.wait([running, dying], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        pytest.fail(f"it did not come to the second step: {running.result()}")
    running.cancel()
    await asyncio.wait([running])


async def end_all(store: Store, ids: list[str], tools: Any) -> None:
    for execution_id in ids:
        for _ in range(POLLS):
            try:
                result = await WorkflowMachine.resume(
                    execution_id, tools, store=store, settings=SETTINGS
                )
            except LeaseHeldError as error:
                await asyncio.sleep(min(error.retry_after_ms, 100) / 1_000)  # the server's own time
                continue
            assert result.status is ExecutionStatus.COMPENSATED
            break
        else:
            pytest.fail(f"{execution_id} did not end")


def run_on(url: str, name: str) -> None:
    async def whole() -> None:
        store = open_store(url)
        try:
            await saga_with_a_crash(store, name)
        finally:
            await store.aclose()

    asyncio.run(whole())


@contextmanager
def tls_before(port: int, folder: Path) -> Iterator[tuple[int, Path]]:
    """Terminate TLS in front of a plain server; yield the port and the authority's certificate."""
    authority = trustme.CA()
    trusted = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ready, stop = threading.Event(), asyncio.Event()
    found: dict[str, Any] = {}

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, to_server[1]), pump(to_server[0], writer))

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        found.update(port=server.sockets[0].getsockname()[1], loop=asyncio.get_running_loop())
        ready.set()
        await stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(10)
    yield found["port"], trusted
    found["loop"].call_soon_threadsafe(stop.set)
    thread.join()


@pytest.mark.redis
def test_a_server_with_tls(redis_server: RedisServer, tmp_path: Path) -> None:
    with tls_before(redis_server.port, tmp_path) as (port, trusted):
        run_on(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={trusted}", "tls")

        async def distrustful() -> None:
            store = open_store(f"rediss://127.0.0.1:{port}/0")
            with pytest.raises(StoreUnavailableError, match="certificate"):
                await store.load("tls-1")
            await store.aclose()

        asyncio.run(distrustful())


@pytest.mark.redis
def test_an_acl_user_that_may_touch_nothing_but_our_keys(redis_server: RedisServer) -> None:
    reply = redis_server.command(
        "ACL SETUSER engine on >pa:ss ~{planproof:* resetchannels +@all -@admin -@dangerous"
    )
    assert reply.startswith(b"+OK")
    run_on(f"redis://engine:pa%3Ass@127.0.0.1:{redis_server.port}/0", "acl")

    async def stranger() -> None:
        store = open_store(f"redis://engine:secret-1@127.0.0.1:{redis_server.port}/0")
        with pytest.raises(StoreUnavailableError) as caught:
            await store.load("acl-1")
        assert "secret-1" not in str(caught.value)
        await store.aclose()

    asyncio.run(stranger())


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[RedisServer]]:
    """Three nodes that share the slots."""
    with ExitStack() as servers:
        nodes = []
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            bus = free_port()
            node = start_server(folder, "--cluster-enabled", "yes", "--cluster-port", str(bus))
            servers.callback(node.stop)
            nodes.append(node)
            first, last = number * 5_462, min(16_383, number * 5_462 + 5_461)
            assert node.command(f"CLUSTER ADDSLOTSRANGE {first} {last}").startswith(b"+OK")
            if number:
                _meet(nodes[0], node, bus)
        _until(lambda: all(b"cluster_state:ok" in node.command("CLUSTER INFO") for node in nodes))
        yield nodes


def _meet(first: RedisServer, node: RedisServer, bus: int) -> None:
    reply = first.command(f"CLUSTER MEET 127.0.0.1 {node.port} {bus}")
    assert reply.startswith(b"+OK")


def _until(holds: Any) -> None:
    """Wait for a server: it has a clock of its own."""
    import time

    for _ in range(POLLS):
        if holds():
            return
        time.sleep(POLL_S)
    pytest.fail("the servers did not agree in time")


@pytest.mark.redis
@pytest.mark.slow
def test_a_cluster(cluster: list[RedisServer]) -> None:
    run_on(f"redis+cluster://127.0.0.1:1,127.0.0.1:{cluster[1].port}", "cluster")

    async def spread() -> list[int]:
        sizes = []
        for node in cluster:
            client = Redis(host="127.0.0.1", port=node.port)
            sizes.append(await client.dbsize())
            await client.aclose()
        return sizes

    assert all(size > 0 for size in asyncio.run(spread()))


@pytest.mark.redis
@pytest.mark.slow
def test_a_lost_queue_entry_is_found_again_on_every_node(cluster: list[RedisServer]) -> None:
    async def whole() -> None:
        store = open_store(f"redis+cluster://127.0.0.1:{cluster[0].port}")
        client = RedisCluster(host="127.0.0.1", port=cluster[0].port)
        tools = Tools()
        for number in range(EXECUTIONS):
            await die_in(f"q-{number}", tools, store)
        async for key in client.scan_iter("{planproof:??}:due"):
            await client.delete(key)
        assert await store.due_queue().restore(1) == EXECUTIONS  # type: ignore[attr-defined]
        await client.aclose()
        await store.aclose()

    asyncio.run(whole())


@pytest.mark.redis
@pytest.mark.slow
def test_a_primary_that_sentinels_name_before_and_after_a_failover(tmp_path: Path) -> None:
    with ExitStack() as servers:

        def start(name: str, *options: str) -> RedisServer:
            folder = tmp_path / name
            folder.mkdir()
            server = start_server(folder, *options)
            servers.callback(server.stop)
            return server

        primary = start("primary")
        replica = start("replica", "--replicaof", "127.0.0.1", str(primary.port))
        configuration = tmp_path / "sentinel.conf"
        configuration.write_text(
            f"sentinel monitor orders 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds orders 500\n"
            "sentinel failover-timeout orders 2000\n"
        )
        sentinel = _start_sentinel(configuration)
        servers.callback(sentinel.stop)
        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/orders/0?socket_timeout=5"
        run_on(url, "before")
        _until(lambda: str(replica.port).encode() in sentinel.command("SENTINEL REPLICAS orders"))
        _until(lambda: b"state=online" in primary.command("INFO replication"))
        primary.stop()
        _until(lambda: b"role:master" in replica.command("INFO replication"))

        async def known() -> None:
            store = open_store(url)
            state = await store.load("before-3")
            assert state.status is ExecutionStatus.COMPENSATED
            await store.aclose()

        asyncio.run(known())
        run_on(url, "after")


def _start_sentinel(configuration: Path) -> RedisServer:
    """A Sentinel is the same program with a file that it may write."""
    import tests.conftest as servers

    binary = servers.server_binary()
    assert binary is not None
    return servers.RedisServer(
        binary, configuration.parent, before=(str(configuration), "--sentinel")
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://x", "unknown store scheme 'ftp'"),
        ("redis+sentinel://h:1", "names no service"),
        ("redis+sentinel:///s", "host is missing"),
        ("redis+cluster://h:1/3", "no database '3'"),
        ("redis+cluster://h:1,:2", "host is missing"),
        ("redis+cluster://h:port", "invalid literal|[Pp]ort"),
        ("redis://h?socket_timeout=soon", "socket_timeout"),
        ("redis+sentinel://h:1/s?max_connections=many", "max_connections"),
    ],
)
def test_a_wrong_url_is_told_what_is_wrong(url: str, said: str) -> None:
    with pytest.raises(StoreUnavailableError, match=said):
        open_client(url)


def test_no_message_shows_a_password() -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        open_client("redis+sentinel://me:hush@h:x/s")
    assert "hush" not in str(caught.value)


def test_options_reach_the_client() -> None:
    url = "rediss+sentinel://me:p%40ss@h1:1,h2/orders/4?sentinel_password=other&ssl_cert_reqs=none"
    client = open_client(url)
    pool = client.connection_pool
    assert (pool.service_name, pool.connection_kwargs["db"]) == ("orders", 4)
    assert (pool.connection_kwargs["username"], pool.connection_kwargs["password"]) == (
        "me",
        "p@ss",
    )
    sentinels = pool.sentinel_manager.sentinels
    assert [one.connection_pool.connection_kwargs["port"] for one in sentinels] == [1, 26_379]
    assert sentinels[0].connection_pool.connection_kwargs["password"] == "other"
    cluster = open_client("redis+cluster://me:pw@h1:1,h2:2?client_name=x")
    assert {node.name for node in cluster.nodes_manager.startup_nodes.values()} == {"h1:1", "h2:2"}
    assert cluster.connection_kwargs["username"] == "me"


def test_a_cluster_that_is_not_there_is_a_store_that_failed() -> None:
    async def test() -> None:
        store = open_store("redis+cluster://127.0.0.1:1")
        with pytest.raises(StoreUnavailableError):
            await store.load("x")
        await store.aclose()

    asyncio.run(test())
