"""Open a store by its URL."""

import os
from typing import Any

from engine.clock import Clock
from engine.errors import StoreUnavailableError
from engine.identity import IdSource
from engine.store import Store

MEMORY_URL = "memory://"
STORE_URL_VARIABLE = "PLANPROOF_STORE_URL"


def default_store_url() -> str:
    """Return the URL of the store of a caller that names none."""
    return os.environ.get(STORE_URL_VARIABLE) or MEMORY_URL


def open_store(
    url: str | None = None, *, clock: Clock | None = None, ids: IdSource | None = None
) -> Store:
    """Return the store that `url` names, else the environment variable PLANPROOF_STORE_URL.

    `memory://`, the default, is an embedded store of its own for each call; `memory://NAME` is
    shared by all that name it in this process. `redis://`, `rediss://` (TLS) and `unix://` are a
    server's, `redis+cluster://` a cluster's, and `redis+sentinel://` those that a Sentinel names; their
    forms are in `engine.redis_client`. Without a `clock`, leases run on the server's time.

    Raises:
        StoreUnavailableError: no such URL, or the embedded store is not installed.
    """
    from engine.redis_store import RedisStore  # noqa: PLC0415 - the client is slow to import

    url = default_store_url() if url is None else url
    if url.startswith(MEMORY_URL):
        return RedisStore(_embedded(url), clock=clock, ids=ids, close_client=True)
    from engine.redis_client import open_client  # noqa: PLC0415 - the same

    return RedisStore(open_client(url), clock=clock, ids=ids, close_client=True)


def _embedded(url: str) -> Any:
    try:
        from fakeredis import FakeAsyncRedis, FakeServer  # noqa: PLC0415 - an extra
    except ImportError:
        raise StoreUnavailableError(
            "the embedded store is an extra: pip install 'planproof[embedded]'"
        ) from None
    name = url.removeprefix(MEMORY_URL)
    if not name:
        return FakeAsyncRedis(server=FakeServer())
    return FakeAsyncRedis(server=_SHARED.setdefault(name, FakeServer()))


_SHARED: dict[str, Any] = {}
