"""A lease that is renewed while work goes on under it, and what becomes of the work if it is lost."""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Protocol

from engine.clock import TimerHandle


class Renewable(Protocol):
    """A lease as its holder knows it."""

    kept: bool
    """Whether a `KeptLease` looks after it."""

    def arm(self, callback: Callable[[], object]) -> TimerHandle:
        """Call back when the lease may need to be renewed."""

    @property
    def is_quiet(self) -> bool:
        """Whether it needs to be."""

    def renew(self) -> Coroutine[Any, Any, None]:
        """Renew it; what it raises ends the work."""


class KeptLease:
    """`async with` it: the lease is renewed while the body works, and one that is lost cancels it.

    Inside another one it does nothing. It is to the body what a group of tasks is to the one in
    which it was opened; but before the first renewal there is a timer and nothing else, because
    most work ends before one is needed.
    """

    def __init__(self, lease: Renewable) -> None:
        """Keep `lease`, from when the body is entered."""
        self._lease = lease
        self._worker: asyncio.Task[Any] | None = None
        self._cancelled_before = 0
        self._timer: TimerHandle | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    async def __aenter__(self) -> None:
        """Arm the timer."""
        if self._lease.kept:
            return
        self._lease.kept = True
        self._worker = asyncio.current_task()
        self._cancelled_before = self._worker.cancelling() if self._worker else 0
        self._timer = self._lease.arm(self._look)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Renew no more. What the body raises goes on, unless the lost lease has made it do so.

        Raises:
            BaseException: what a renewal raised; with what the body raised besides, a group.
        """
        if self._timer is None:  # inside another one
            return
        self._timer.cancel()
        self._lease.kept = False
        renewal, self._renewal = self._renewal, None
        if renewal is not None:
            renewal.cancel()
            await _ended(renewal)
        if self._failure is None:
            return
        if self._worker is not None and self._worker.uncancel() > self._cancelled_before:
            return  # somebody else has cancelled the work, too, and is to hear so
        if error is None or isinstance(error, asyncio.CancelledError):
            raise self._failure
        raise BaseExceptionGroup("the lease was lost and the work failed", [error, self._failure])

    def _look(self) -> None:
        if self._lease.is_quiet:
            self._renewal = asyncio.ensure_future(self._lease.renew())
            self._renewal.add_done_callback(self._renewed)
        else:
            self._timer = self._lease.arm(self._look)

    def _renewed(self, renewal: asyncio.Task[None]) -> None:
        failure = None if renewal.cancelled() else renewal.exception()
        if (
            renewal is not self._renewal
        ):  # the body has ended; what a late renewal found is nobody's
            return
        self._renewal = None
        if failure is None:
            self._timer = self._lease.arm(self._look)
            return
        self._failure = failure
        if self._worker is not None:
            self._worker.cancel()


async def _ended(renewal: asyncio.Task[None]) -> None:
    """Wait for a renewal that was cancelled, however long it takes to hear that."""
    cancelled: asyncio.CancelledError | None = None
    while not renewal.done():
        try:
            await asyncio.wait((renewal,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
