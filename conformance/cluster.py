"""Campaigns on a Dask cluster: `dask://HOST:PORT`, or one of this machine, `dask://local?workers=N`.

Dask runs the cases of a worker that is lost again, on another one. The same seed gives the same
verdicts wherever they are computed, because each case is a pure function of its scenario.
"""

import atexit
import importlib
import logging
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from conformance.errors import HarnessError, PlanproofError, UsageError

SCHEME = "dask"
LOCAL = "local"
FORMS = "dask://HOST:PORT or dask://local?workers=N"
INSTALL = "pip install 'planproof[cluster]'"
CONNECT_S = 10.0  # a scheduler that has not answered by then is not there
WORKERS_S = 60.0  # the first worker may have to start an interpreter on a busy machine
MAX_LOCAL = 64  # worker processes on this machine
_HOST = re.compile(r"[A-Za-z0-9._\-\[\]:]+")


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """Where a cluster is: the scheduler's address, or how many workers to start here."""

    scheduler: str | None
    workers: int = 2


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that is connected.

    Attributes:
        executor: takes cases.
        workers: how many work at a time.
        client: `distributed.Client`.
    """

    executor: Executor
    workers: int
    client: Any


def parse_cluster(url: str) -> ClusterAddress:
    """Return the cluster that `--cluster` names.

    Raises:
        UsageError: it names none.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} names no cluster: {error}", advice=f"use {FORMS}") from None
    wrong = UsageError(f"{url!r} names no cluster", advice=f"use {FORMS}")
    if parts.scheme != SCHEME or parts.path not in {"", "/"} or not _HOST.fullmatch(parts.netloc):
        raise wrong
    if parts.netloc != LOCAL:
        if port is None or parts.query:
            raise wrong
        return ClusterAddress(f"tcp://{parts.netloc}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    workers = options.pop("workers", "2")
    if options or not workers.isdecimal() or not 1 <= int(workers) <= MAX_LOCAL:
        raise wrong
    return ClusterAddress(None, int(workers))


@contextmanager
def open_cluster(address: ClusterAddress) -> Iterator[Cluster]:
    """Connect to a cluster, or start one here that ends with the block.

    Raises:
        HarnessError: it cannot be reached, has no worker, has another version of this product, or
            fails while it is used.
    """
    try:
        distributed: Any = importlib.import_module("distributed")  # an extra, slow to import
    except ImportError:
        raise HarnessError("Dask is not installed", advice=INSTALL) from None
    where = address.scheduler or "this machine"
    try:
        with (
            _scheduler(address, distributed) as scheduler,
            distributed.Client(scheduler, timeout=CONNECT_S, set_as_default=False) as client,
        ):
            client.wait_for_workers(address.workers if address.scheduler is None else 1, WORKERS_S)
            _check_versions(client)
            workers = _workers(client)
            # Not pure: equal cases would be carried out once, and the second be a mere copy.
            yield Cluster(client.get_executor(pure=False), workers, client)
    except PlanproofError:
        raise
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        if type(error).__name__ == "KilledWorker":
            reason = "one worker after another died in the same cases; see the workers' own logs"
        raise HarnessError(f"the cluster at {where} failed: {reason}") from error


@contextmanager
def _scheduler(address: ClusterAddress, distributed: Any) -> Iterator[Any]:
    if address.scheduler is not None:
        yield address.scheduler
        return
    with _local(address.workers, distributed) as cluster:
        yield cluster


def _local(workers: int, distributed: Any) -> Any:
    try:
        return distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            # It serves its own state all the same, at a port that two at once would fight over.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            memory_limit=0,  # the machine's own limits hold
            silence_logs=logging.CRITICAL,
        )
    except BaseException:
        # What closes clusters at exit fails on one that is half there; its processes end by themselves.
        atexit.unregister(distributed.deploy.spec.close_clusters)
        raise


def _check_versions(client: Any) -> None:
    """Refuse workers that would judge by other rules."""
    here = version("planproof")
    for worker, found in client.run(_version_there).items():
        if found != here:
            raise HarnessError(
                f"the worker {worker} has planproof {found}, here is {here}",
                advice="install the same version with the same extras on every worker",
            )


def _workers(client: Any) -> int:
    """Count the workers; a process that carries out two cases at a time mixes them."""
    threads = client.nthreads()
    for worker, count in threads.items():
        if count != 1:
            raise HarnessError(
                f"the worker {worker} has {count} threads",
                advice="start it with `dask worker --nthreads 1 --nworkers N`",
            )
    return len(threads)


def _version_there() -> str:
    return version("planproof")
