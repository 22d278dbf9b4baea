"""A pool of processes in which no item can cost another one its result.

A worker that dies costs its item only, once the item has killed two of them; so does an item that
takes too long. The others run again: `work` has to stand being called again after it was killed.
"""

import multiprocessing
import os
import resource
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_handles
from types import FrameType
from typing import Generic, TypeVar

# A repository of 100,000 files is planned in a tenth of this address space; more is a leak.
WORKER_MEMORY_BYTES = 4 * 1024**3

# For the planning of one repository.
DEFAULT_DEADLINE_S = 300.0

# For a worker to end the programs that it runs: the tests of a repository, a type checker.
_GRACE_S = 2.0

_ORPHANED = 70  # exit status of a worker whose parent has died (EX_SOFTWARE)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many processes, and what one item may take.

    Attributes:
        jobs: processes at a time.
        deadline_s: seconds for one item.
        memory_bytes: address space of one process.
    """

    jobs: int = 1
    deadline_s: float = DEFAULT_DEADLINE_S
    memory_bytes: int = WORKER_MEMORY_BYTES


@dataclass(frozen=True, slots=True)
class Settled(Generic[_Item, _Result]):
    """One item with its result, or with the reason why there is none."""

    item: _Item
    result: _Result | None
    fault: str = ""


def run_pool(
    items: Sequence[_Item], work: Callable[[_Item], _Result], bounds: Bounds
) -> Iterator[Settled[_Item, _Result]]:
    """Run `work` on every item, each in a process of its own making; yield results as they come.

    Args:
        items: what to work on, in the order in which it is begun.
        work: a function that a new process can import.
        bounds: processes, seconds and bytes.
    """
    waiting = deque(range(len(items)))
    suspects: deque[int] = deque()
    # A worker that dies takes the pool along, and with it items that have done nothing. So every
    # item that was under way then runs once more, by itself: if its worker dies again, it did it.
    while waiting or suspects:
        is_alone = not waiting
        queue = waiting or deque([suspects.popleft()])
        jobs = 1 if is_alone else min(bounds.jobs, len(queue))
        pool: _Pool[_Item, _Result] = _Pool(items, work, bounds, max(1, jobs))
        yield from pool.drain(queue)
        for index in pool.lost:
            if is_alone:
                yield Settled(items[index], None, "the worker died twice")
            else:
                suspects.append(index)


class _Pool(Generic[_Item, _Result]):
    """One life of the pool: until the queue is empty, a worker dies, or an item takes too long."""

    def __init__(
        self,
        items: Sequence[_Item],
        work: Callable[[_Item], _Result],
        bounds: Bounds,
        jobs: int,
    ) -> None:
        self.items = items
        self.work = work
        self.bounds = bounds
        self.jobs = jobs
        self.lost: list[int] = []
        self.running: dict[Future[_Result], tuple[int, float]] = {}
        self.strangers = set(multiprocessing.active_children())
        self.executor = ProcessPoolExecutor(
            jobs,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(bounds.memory_bytes,),
        )

    def drain(self, queue: deque[int]) -> Iterator[Settled[_Item, _Result]]:
        """Take items from the queue; what a killed pool has not finished returns to it."""
        try:
            while (queue or self.running) and not self.lost:
                self._fill(queue)
                if not self.running:
                    return
                yield from self._settle()
                late = self._late()
                if late:
                    self._kill()
                    for index in sorted(set(dict(self.running.values())) - set(late)):
                        queue.appendleft(index)
                    self.running.clear()
                    for index in late:
                        reason = f"not done within {self.bounds.deadline_s:g} seconds"
                        yield Settled(self.items[index], None, reason)
                    return
        finally:
            if self.running:
                self._kill()
            self.executor.shutdown(wait=True, cancel_futures=True)

    def _fill(self, queue: deque[int]) -> None:
        """Begin as many items as there are processes, so that an item's time is its own."""
        while queue and len(self.running) < self.jobs:
            index = queue.popleft()
            try:
                future = self.executor.submit(self.work, self.items[index])
            except BrokenProcessPool:
                if self.running:
                    queue.appendleft(index)
                else:
                    self.lost.append(index)  # not even its beginning succeeds
                return
            self.running[future] = (index, time.monotonic() + self.bounds.deadline_s)

    def _settle(self) -> Iterator[Settled[_Item, _Result]]:
        """Wait for the next result or the next deadline."""
        due = min(deadline for _, deadline in self.running.values())
        left = max(0.0, due - time.monotonic())
        done, _ = wait(self.running, timeout=left, return_when=FIRST_COMPLETED)
        for future in done:
            index, _ = self.running.pop(future)
            error = future.exception()
            if error is None:
                yield Settled(self.items[index], future.result())
            elif isinstance(error, BrokenProcessPool):
                self.lost.append(index)
            else:
                yield Settled(self.items[index], None, f"{type(error).__name__}: {error}")
        if self.lost:
            self.lost += [index for index, _ in self.running.values()]
            self.running.clear()

    def _late(self) -> list[int]:
        now = time.monotonic()
        return [
            index
            for future, (index, deadline) in self.running.items()
            if deadline <= now and not future.done()
        ]

    def _kill(self) -> None:
        """End the processes of this pool: they may end the programs that they run, then must go."""
        processes = set(multiprocessing.active_children()) - self.strangers
        for process in processes:
            process.terminate()
        wait(self.running, timeout=_GRACE_S)
        for process in processes:
            process.kill()


def _begin(memory_bytes: int) -> None:
    """Set up a worker: its memory, interrupts left to its parent, no life after it."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _unwind)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _unwind(_number: int, _frame: FrameType | None) -> None:
    """Leave what is being done by way of its `finally`, which ends the programs that it runs."""
    raise SystemExit(_ORPHANED)


def _die_with_parent() -> None:
    """End this worker when its parent is gone, which could otherwise go on writing unseen."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_handles([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(_GRACE_S)
        os._exit(_ORPHANED)
