"""Without these workers in several processes could lose executions, or do work of others again."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine import ToolRegistry, WorkflowMachine, open_store
from engine.adapters.celery_executor import CeleryExecutor
from engine.adapters.docket_executor import DocketExecutor
from tests.conftest import RedisServer
from tests.engine.lab import chain
from tests.engine.worker_process import CONCURRENCY, NAME, celery_app

pytestmark = [pytest.mark.redis, pytest.mark.slow]
PROGRAM = Path(__file__).with_name("worker_process.py")
STEPS = 3
POLL_S = 0.02
LIMIT_S = 60


class Fleet:
    """Worker processes on one server, and the ledger of the calls of their tool."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.ledger = folder / "ledger"
        self.ledger.touch()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, kind: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(PROGRAM), kind, self.url, str(self.ledger)]
        with (self.ledger.parent / f"{kind}-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.ledger.parent, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def calls(self) -> list[tuple[str, int]]:
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        return [(key, int(pid)) for key, pid in lines]

    async def until_called(self, count: int, *processes: subprocess.Popen[bytes]) -> None:
        """Wait for so many calls, by each of the processes at least one."""
        end = time.monotonic() + LIMIT_S
        while True:
            calls = self.calls()
            pids = {pid for _, pid in calls}
            if len(calls) >= count and pids >= {process.pid for process in processes}:
                return
            assert time.monotonic() < end, f"{len(calls)} of {count} calls\n{self.logs()}"
            await asyncio.sleep(POLL_S)

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in self.ledger.parent.glob("*.log"))

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            process.wait(timeout=LIMIT_S)


@contextmanager
def fleet(url: str, folder: Path) -> Iterator[Fleet]:
    found = Fleet(url, folder)
    try:
        yield found
    finally:
        for process in found.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


def names(count: int) -> list[str]:
    return [f"e{at}" for at in range(count)]


@asynccontextmanager
async def machines(url: str) -> AsyncIterator[Any]:
    """Make machines of a process that calls no tool."""
    store = open_store(url)
    try:
        yield partial(WorkflowMachine, tools=ToolRegistry(), store=store)
    finally:
        await store.aclose()


def run(
    redis: RedisServer, folder: Path, test: Callable[[Fleet, Any], Awaitable[int]]
) -> tuple[Fleet, int]:
    """Run a test on a fleet of its own; return it and the pid that the test killed."""

    async def main(fleet: Fleet) -> int:
        async with machines(redis.url) as make:
            return await test(fleet, make)

    with fleet(redis.url, folder) as workers:
        return workers, asyncio.run(main(workers))


async def until_completed(fleet: Fleet, make: Any, executions: list[str]) -> None:
    end = time.monotonic() + LIMIT_S
    for name in executions:
        while True:
            status = str((await make(name).get_state()).status)
            if status == "COMPLETED":
                break
            assert time.monotonic() < end, f"{name} is {status}\n{fleet.logs()}"
            await asyncio.sleep(POLL_S)


def judge(fleet: Fleet, executions: list[str], killed: int, at_once: int) -> None:
    """Every step has been called; again only those that the killed process was calling."""
    calls = fleet.calls()
    expected = {f"{name}:s{at}:0" for name in executions for at in range(STEPS)}
    assert {key for key, _ in calls} == expected  # the callee deduplicates: one effect each
    by_key: dict[str, list[int]] = defaultdict(list)
    for key, pid in calls:
        by_key[key].append(pid)
    repeated = {key: pids for key, pids in by_key.items() if len(pids) > 1}
    assert all(pids[0] == killed and len(pids) == 2 for pids in repeated.values()), repeated
    assert len(repeated) <= at_once
    assert len(Counter(pid for _, pid in calls)) > 1
    assert not any(pid == killed for _, pid in calls[-STEPS:])


def test_resume_workers_one_killed_one_stopped(redis_server: RedisServer, tmp_path: Path) -> None:
    executions = names(200)

    async def main(fleet: Fleet, make: Any) -> int:
        killed, stopped, last = (fleet.start("resume") for _ in range(3))
        for name in executions:
            machine = make(name)
            machine.set_plan(chain(STEPS))
            await machine.submit()
        await fleet.until_called(150, killed, stopped, last)
        os.kill(killed.pid, signal.SIGKILL)
        await fleet.until_called(250)
        stopped.terminate()
        await until_completed(fleet, make, executions)
        fleet.stop()
        assert (stopped.returncode, last.returncode) == (0, 0), fleet.logs()
        return killed.pid

    workers, killed = run(redis_server, tmp_path, main)
    judge(workers, executions, killed, CONCURRENCY)


def test_docket_workers_one_killed(redis_server: RedisServer, tmp_path: Path) -> None:
    from docket import Docket

    executions = names(100)

    async def main(fleet: Fleet, make: Any) -> int:
        killed, stopped, last = (fleet.start("docket") for _ in range(3))
        async with Docket(NAME, url=redis_server.url) as docket:
            waited = DocketExecutor("waited", make, docket)
            waited.set_plan(chain(STEPS))
            assert (await waited.execute()).success
            for name in executions:
                one = DocketExecutor(name, make, docket)
                one.set_plan(chain(STEPS))
                await one.submit()
            await fleet.until_called(90, killed, stopped, last)
            os.kill(killed.pid, signal.SIGKILL)
            await fleet.until_called(150)
            stopped.terminate()
            await until_completed(fleet, make, executions)
        fleet.stop()
        assert (stopped.returncode, last.returncode) == (0, 0), fleet.logs()
        return killed.pid

    workers, killed = run(redis_server, tmp_path, main)
    judge(workers, [*executions, "waited"], killed, CONCURRENCY)


@pytest.mark.parametrize(("pool", "at_once"), [("solo", 1), ("threads", 2), ("prefork", 1)])
def test_celery_workers_one_killed(
    redis_server: RedisServer, tmp_path: Path, pool: str, at_once: int
) -> None:
    executions = names(60)

    async def main(fleet: Fleet, make: Any) -> int:
        app = celery_app(redis_server.url, str(fleet.ledger))
        workers = [fleet.start(f"celery-{pool}") for _ in range(2)]
        beat = fleet.start("celery-beat")
        waited = CeleryExecutor("waited", make, app)
        waited.set_plan(chain(STEPS))
        assert (await waited.execute()).success
        for name in executions:
            one = CeleryExecutor(name, make, app)
            one.set_plan(chain(STEPS))
            await one.submit()
        if pool == "prefork":  # its children call, and the worker replaces one that dies
            await fleet.until_called(60)
            killed = fleet.calls()[-1][1]
        else:
            await fleet.until_called(60, *workers)
            killed = workers.pop(0).pid
        os.kill(killed, signal.SIGKILL)
        app.close()
        await until_completed(fleet, make, executions)
        fleet.stop()
        ends = [process.returncode for process in (*workers, beat)]
        assert ends == [0] * len(ends), fleet.logs()
        return killed

    workers, killed = run(redis_server, tmp_path, main)
    judge(workers, [*executions, "waited"], killed, at_once)
