"""The process of one contender: it carries out what it is told to, line by line, and is idle else.

Each contender has its own, so that memory and imports are its own and all can take turns.
"""

import asyncio
import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from benchmarks.engine.contenders import FLOOR, LEGACY, OURS, Contender
from benchmarks.engine.counting import counted, cpu_s, peak_mb
from benchmarks.engine.workload import Load

CONTENDERS: Mapping[str, str] = {
    FLOOR: "floor:Floor",
    OURS: "unified:Unified",
    LEGACY: "legacy_executor:Legacy",
    "DBOS, SQLite": "peer_dbos:Dbos",
    "LangGraph, SQLite": "peer_langgraph:LangGraphSqlite",
    "LangGraph, Redis": "peer_langgraph:LangGraphRedis",
    "LangGraph, plain Redis": "peer_langgraph:LangGraphPlainRedis",
    "Celery chain, Redis": "peer_celery:CeleryChain",
}
"""Where each contender is, in the order of the report."""


def build(name: str) -> Contender:
    """Return a contender, not opened yet."""
    module, _, kind = CONTENDERS[name].partition(":")
    found: Contender = getattr(importlib.import_module(f"benchmarks.engine.{module}"), kind)()
    return found


async def measure(contender: Contender, order: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Carry one load out and return what it took."""
    load = Load(**order["load"])
    await contender.prepare(load.steps)
    if order["counted"]:
        with counted(contender.counting, url) as sent:
            done = await contender.run(load, order["name"])
        return {"steps": done, "sent_bytes": sent.sent_bytes, "round_trips": sent.round_trips}
    pids = contender.pids()
    cpu_before_s, begun = cpu_s(pids), time.perf_counter()
    done = await contender.run(load, order["name"])
    wall_s = time.perf_counter() - begun
    return {"steps": done, "wall_s": wall_s, "cpu_s": cpu_s(pids) - cpu_before_s}


async def serve(name: str, url: str, folder: Path, orders: TextIO, answers: TextIO) -> None:
    """Answer each order with one line of JSON; what goes wrong is an answer too."""

    def answer(found: Mapping[str, Any]) -> None:
        answers.write(json.dumps(found) + "\n")
        answers.flush()

    try:
        contender = build(name)
        await contender.open(url, folder)
    except Exception as error:  # noqa: BLE001 - whatever keeps a peer from being measured
        answer({"error": _line(error)})
        return
    answer({"imports": contender.imports})
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, orders.readline):
        order = json.loads(line)
        try:
            if order["order"] == "memory":
                answer({"peak_mb": peak_mb(contender.pids())})
            else:
                answer(await measure(contender, order, url))
        except Exception as error:  # noqa: BLE001 - the same
            answer({"error": _line(error)})
    with contextlib.suppress(Exception):
        await contender.close()


def _line(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def main() -> None:
    """Run as `python -m benchmarks.engine.agent NAME URL FOLDER`."""
    name, url, folder = sys.argv[1:]
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what libraries print is no answer
        asyncio.run(serve(name, url, Path(folder), sys.stdin, answers))


if __name__ == "__main__":
    main()
