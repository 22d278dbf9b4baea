"""The Redis client that a URL asks for: one server, a cluster, or whoever a Sentinel names.

`redis://[USER:PASSWORD@]HOST[:PORT][/DB][?OPTION=VALUE...]` and `unix://` are redis-py's own, options
included (`ssl_ca_certs`, `socket_timeout`, `max_connections`, ...). Two forms are added:

- `redis+cluster://HOST:PORT[,HOST:PORT...]`: nodes to ask first; the others are found.
- `redis+sentinel://HOST:PORT[,HOST:PORT...]/SERVICE[/DB]`: the primary that these Sentinels name, looked
  up again after a failover. User and password are the primary's; the Sentinels' own are the options
  `sentinel_username` and `sentinel_password`.

`rediss` in the place of `redis` means TLS, to Sentinels too. A user name is an ACL user's.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import SSLConnection, parse_url
from redis.exceptions import RedisClusterException, RedisError

from engine.errors import StoreUnavailableError

PLAIN_SCHEMES = ("redis", "rediss", "unix")
CLUSTER_SCHEMES = ("redis+cluster", "rediss+cluster")
SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
SCHEMES = (*PLAIN_SCHEMES, *CLUSTER_SCHEMES, *SENTINEL_SCHEMES)
DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379

STORE_FAILURES = (RedisError, RedisClusterException, OSError)
"""What the client raises when the store cannot be used; a cluster's error is no `RedisError`."""


def open_client(url: str) -> Any:
    """Return the client for `url`; nothing is connected yet.

    Raises:
        StoreUnavailableError: the URL is of no form above; the message leaves passwords out.
    """
    scheme = url.partition("://")[0]
    try:
        if scheme in PLAIN_SCHEMES:
            return Redis.from_url(url)
        if scheme in CLUSTER_SCHEMES:
            return _cluster(url)
        if scheme in SENTINEL_SCHEMES:
            return _sentinel(url)
    except (ValueError, TypeError, RedisClusterException) as error:
        raise StoreUnavailableError(f"the URL of the store ({scheme}://...): {error}") from None
    known = ", ".join(f"{name}://" for name in SCHEMES)
    raise StoreUnavailableError(f"unknown store scheme {scheme!r}; use memory://, {known}")


async def close_client(client: Any) -> None:
    """Close a client, and those to the Sentinels that it asked."""
    await client.aclose()
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for sentinel in () if manager is None else manager.sentinels:
        await sentinel.aclose()


def _cluster(url: str) -> Any:
    nodes, path, options = _parts(url, DEFAULT_PORT)
    if path not in ("", "0"):
        raise ValueError(f"a cluster has no database {path!r}")
    options.pop("db", None)
    return RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in nodes], **options)


def _sentinel(url: str) -> Any:
    nodes, path, options = _parts(url, DEFAULT_SENTINEL_PORT)
    service, _, database = path.partition("/")
    if not service:
        raise ValueError("it names no service; use redis+sentinel://HOST:PORT/SERVICE[/DB]")
    if database:
        options["db"] = int(database)
    own = {
        name.removeprefix("sentinel_"): options.pop(name)
        for name in ("sentinel_username", "sentinel_password")
        if name in options
    }
    # A Sentinel is reached as the servers are: certificates and timeouts are the same.
    shared = {name: value for name, value in options.items() if name.startswith(("ssl", "socket_"))}
    sentinels: Any = Sentinel
    return sentinels(nodes, sentinel_kwargs={**shared, **own}, **options).master_for(service)


def _parts(url: str, default_port: int) -> tuple[list[tuple[str, int]], str, dict[str, Any]]:
    """Return the nodes, the path, and the client's options, read as redis-py reads them."""
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    netloc, _, path = place.partition("/")
    credentials, _, hosts = netloc.rpartition("@")
    nodes = []
    for host in hosts.split(","):
        parsed = urlsplit(f"//{host}")
        if not parsed.hostname:
            raise ValueError("a host is missing; use HOST:PORT,HOST:PORT")
        nodes.append((unquote(parsed.hostname), parsed.port or default_port))
    plain = scheme.partition("+")[0]
    options: dict[str, Any] = dict(parse_url(f"{plain}://{credentials}@node?{query}"))
    del options["host"]
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    return nodes, unquote(path.strip("/")), options
