"""Which store a call without an environment works on, and what an environment stands for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from engine.store_url import MEMORY_URL, default_store_url, open_store
from engine.tool_adapters import workflow_options

_SHARED_MEMORY = f"{MEMORY_URL}segment-api"


@asynccontextmanager
async def opened(environment: Any | None) -> AsyncIterator[dict[str, Any]]:
    """Yield the options of a `WorkflowMachine` for one call.

    Without an environment the default store is opened and closed again, because a client belongs
    to one event loop and callers run one for each segment. The embedded one is shared by the
    whole process, so that a later segment finds the execution.

    Raises:
        engine.errors.StoreUnavailableError: the default store cannot be opened.
    """
    if environment is not None:
        yield workflow_options(environment)
        return
    url = default_store_url()
    store = open_store(_SHARED_MEMORY if url == MEMORY_URL else url)
    try:
        yield {"store": store}
    finally:
        await store.aclose()
