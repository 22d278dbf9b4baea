"""One worker of the tests in a process of its own: worker_process.py KIND URL LEDGER.

Its tool is keyed, and writes each call to the ledger, a file that all processes append to.
"""

import asyncio
import os
import sys
from datetime import timedelta
from functools import partial
from typing import Any

from engine import EffectSemantics, ToolCall, ToolRegistry, WorkflowMachine, WorkflowSettings
from engine.resume_worker import ResumeWorker, serve
from engine.slice_runner import SliceRunner
from engine.store_url import open_store

CONCURRENCY = 8
SETTINGS = WorkflowSettings.worker().model_copy(update={"lease_ms": 1_500, "resume_delay_ms": 100})
SWEEP = {"sweep_every_ms": 300, "overdue_ms": 600, "hide_ms": 2_000}
TOOL_S = 0.02
NAME = "planproof-test"


def tools(ledger: str) -> ToolRegistry:
    registry = ToolRegistry()

    @registry.tool(effects=EffectSemantics.KEYED)
    async def work(call: ToolCall) -> int:
        note = f"{call.idempotency_key} {os.getpid()}\n".encode()
        file = os.open(ledger, os.O_WRONLY | os.O_APPEND)
        os.write(file, note)
        os.close(file)
        await asyncio.sleep(TOOL_S)
        return os.getpid()

    return registry


def machines(url: str, ledger: str) -> tuple[Any, Any]:
    store = open_store(url)
    return store, partial(WorkflowMachine, tools=tools(ledger), store=store, settings=SETTINGS)


async def resume(url: str, ledger: str) -> None:
    store, make = machines(url, ledger)
    await serve(ResumeWorker(store, make, concurrency=CONCURRENCY, pause_ms=50, hide_ms=1_000))
    await store.aclose()


async def docket(url: str, ledger: str) -> None:
    from docket import Docket

    from engine.adapters import docket_executor

    store, make = machines(url, ledger)
    async with Docket(NAME, url=url) as queue:
        slices = docket_executor.register(queue, SliceRunner(store, make), **SWEEP)
        await docket_executor.serve(
            queue,
            slices,
            concurrency=CONCURRENCY,
            redelivery_timeout=timedelta(seconds=2),
            minimum_check_interval=timedelta(milliseconds=20),
        )
    await store.aclose()


def celery_app(url: str, ledger: str) -> Any:
    from celery import Celery

    from engine.adapters import celery_executor

    app = Celery(NAME, broker=url)
    app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)
    celery_executor.register(app, lambda: SliceRunner(*machines(url, ledger)), **SWEEP)
    return app


def main(kind: str, url: str, ledger: str) -> None:
    if kind in ("resume", "docket"):
        asyncio.run({"resume": resume, "docket": docket}[kind](url, ledger))
        return
    app = celery_app(url, ledger)
    if kind == "celery-beat":
        app.start(["beat", "--loglevel=ERROR", f"--schedule={ledger}.beat", "--pidfile="])
        return
    pool, name = kind.removeprefix("celery-"), f"--hostname=w{os.getpid()}@localhost"
    options = [f"--pool={pool}", "--concurrency=2", "--loglevel=ERROR", "--without-mingle", name]
    app.worker_main(["worker", *options])


if __name__ == "__main__":
    main(*sys.argv[1:])
