"""An event loop in a thread of its own, for callers that are no coroutines."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class LoopThread:
    """Runs coroutines of any number of threads on one loop: begun when first used, once a process."""

    def __init__(self) -> None:
        """Begin nothing yet."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def run(self, main: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Call `main` on the loop and return what its coroutine does; the calling thread waits."""

        async def whole() -> _Result:
            return await main()

        return asyncio.run_coroutine_threadsafe(whole(), self._running()).result()

    def _running(self) -> asyncio.AbstractEventLoop:
        """Return the loop of this process: a fork has the object, but not the thread."""
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                thread = threading.Thread(
                    target=self._loop.run_forever, name="planproof", daemon=True
                )
                thread.start()
            return self._loop
