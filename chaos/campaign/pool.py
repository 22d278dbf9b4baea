"""The pool of processes that a campaign runs on. None of them outlives the process that made it."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import connection

from chaos.worlds.premises import use_server


@contextlib.contextmanager
def process_pool(
    jobs: int, store: str | None = None, *, i_know: bool = False
) -> Iterator[Executor]:
    """Give a pool of `jobs` processes; on any exception those that work are ended at once.

    Args:
        jobs: how many.
        store: URL of a server for real processes to use; None: each starts its own.
        i_know: whether that one's database may hold keys of somebody else.
    """
    # Forked from a process that has no threads: a fork of this one could inherit a held lock.
    context = multiprocessing.get_context("forkserver")
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin, initargs=(store, i_know)
    )
    try:
        yield pool
    except BaseException:
        workers = list((pool._processes or {}).values())  # noqa: SLF001 - there is no public way to end them
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()
        raise
    pool.shutdown()


def _begin(store: str | None, i_know: bool) -> None:  # noqa: FBT001 - arguments of a process have no names
    """Leave Ctrl-C to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        watch = threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True)
        watch.start()
    if store is not None:
        use_server(store, i_know=i_know)


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
