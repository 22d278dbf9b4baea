"""A Celery chain on the same server, with one worker process and results kept in it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from celery import Celery, chain

from benchmarks.engine.contenders import Counting
from benchmarks.engine.workload import OUTPUT, Load

URL_VARIABLE = "PLANPROOF_BENCHMARK_BROKER"
TIMEOUT_S = 300

app = Celery("bench", broker=os.environ.get(URL_VARIABLE), backend=os.environ.get(URL_VARIABLE))
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="work")  # type: ignore[untyped-decorator]  # celery has no types
def work(before: dict[str, Any]) -> dict[str, Any]:
    """Be a step: hand on how many were done, with a text."""
    return {"done": before["done"] + 1, **OUTPUT}


class CeleryChain:
    """The chain travels in its messages; each task sends the next."""

    counting: Counting = "server"
    imports = "from celery import Celery, chain"

    async def open(self, url: str, folder: Path) -> None:  # noqa: ARG002 - it has no files
        app.conf.update(broker_url=url, result_backend=url)
        command = (
            *(sys.executable, "-m", "celery", "-A", "benchmarks.engine.peer_celery:app", "worker"),
            *("--pool", "solo", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"),
            "--without-heartbeat",
        )
        self._worker = subprocess.Popen(  # noqa: ASYNC220 - before anything is measured
            command,
            env={**os.environ, URL_VARIABLE: url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            work.delay({"done": 0}).get(timeout=60)
        except BaseException:
            await self.close()
            raise

    async def prepare(self, steps: int) -> None:
        pass

    async def run(self, load: Load, name: str) -> int:
        done = 0
        for first in range(0, load.workflows, load.at_once):
            numbers = range(first, min(first + load.at_once, load.workflows))
            sent = [self._send(load.steps, f"{name}.{number}") for number in numbers]
            done += sum(result.get(timeout=TIMEOUT_S)["done"] for result in sent)
        return done

    def _send(self, steps: int, name: str) -> Any:
        tasks = [work.s({"done": 0}), *(work.s() for _ in range(steps - 1))]
        return chain(*tasks).apply_async(task_id=name)

    async def close(self) -> None:
        self._worker.terminate()
        self._worker.wait()

    def pids(self) -> list[int]:
        return [self._worker.pid]
