"""Code of the caller that the engine waits for, but not for ever: lookups and recoveries."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from engine.clock import Clock

_Answer = TypeVar("_Answer")


class HookFailedError(Exception):
    """A hook raised or gave no answer in time. Never leaves the engine; its message does."""


async def ask(call: Callable[[], Awaitable[_Answer]], *, clock: Clock, timeout_ms: int) -> _Answer:
    """Return what a hook answers within `timeout_ms`.

    A hook that ignores its cancellation is left behind, and what it still answers goes to nobody.

    Raises:
        HookFailedError: it raised, whatever it was, or did not answer in time.
        asyncio.CancelledError: the caller was cancelled.
    """
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = clock.call_later_ms(timeout_ms, lambda: over.done() or over.cancel())
    task = asyncio.ensure_future(_await(call))
    try:
        await asyncio.wait((task, over), return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        if not task.done():
            task.cancel()
            task.add_done_callback(_forget)
    if not task.done():
        raise HookFailedError(f"no answer within {timeout_ms} ms")
    if task.cancelled():
        raise HookFailedError("it was cancelled")
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, Exception):
        raise HookFailedError(f"{type(error).__name__}: {error}") from error
    raise error


async def _await(call: Callable[[], Awaitable[_Answer]]) -> _Answer:
    return await call()


def _forget(task: "asyncio.Future[_Answer]") -> None:
    """Look at the late error of a hook, so that nobody is warned of it."""
    if not task.cancelled():
        task.exception()
