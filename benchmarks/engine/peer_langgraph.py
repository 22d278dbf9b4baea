"""LangGraph, each super-step durable before the next begins (`durability="sync"`)."""

import contextlib
import itertools
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph

from benchmarks.engine.contenders import Counting
from benchmarks.engine.workload import OUTPUT, Load, run_all


def merged(left: dict[str, Any] | None, right: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of all steps: what later steps could refer to, as in a plan."""
    return {**(left or {}), **right}


class State(TypedDict, total=False):
    """The state of a graph: how many steps were done, and what each of them returned."""

    done: int
    outputs: Annotated[dict[str, Any], merged]


class _LangGraph:
    """A graph that is a chain of nodes; subclasses choose the checkpointer."""

    counting: Counting = "connection"
    imports = "import langgraph.graph"

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._graphs: dict[int, Any] = {}

    async def open(self, url: str, folder: Path) -> None:
        self._saver = await self._open_saver(url, folder)

    async def _open_saver(self, url: str, folder: Path) -> Any:
        raise NotImplementedError

    async def prepare(self, steps: int) -> None:
        if steps in self._graphs:
            return

        def node(index: int) -> Any:
            async def work(state: State) -> State:
                return {"done": state["done"] + 1, "outputs": {str(index): OUTPUT}}

            return work

        graph: Any = StateGraph(State)
        names = [START, *(f"n{index}" for index in range(steps)), END]
        for index in range(steps):
            graph.add_node(f"n{index}", node(index))
        for before, after in itertools.pairwise(names):
            graph.add_edge(before, after)
        self._graphs[steps] = graph.compile(checkpointer=self._saver)

    async def run(self, load: Load, name: str) -> int:
        graph = self._graphs[load.steps]

        async def one(execution_id: str) -> int:
            config = {
                "configurable": {"thread_id": execution_id},
                "recursion_limit": load.steps + 5,
            }
            start = {"done": 0, "outputs": {}}
            return int((await graph.ainvoke(start, config, durability="sync"))["done"])

        return await run_all(load, name, one)

    async def close(self) -> None:
        await self._stack.aclose()

    def pids(self) -> list[int]:
        return []


class LangGraphSqlite(_LangGraph):
    """With the SQLite checkpointer."""

    counting: Counting = "files"
    imports = "import langgraph.graph, langgraph.checkpoint.sqlite.aio"

    async def _open_saver(self, url: str, folder: Path) -> Any:  # noqa: ARG002 - no server
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # noqa: PLC0415 - of this checkpointer

        path = str(folder / "langgraph.sqlite")
        return await self._stack.enter_async_context(AsyncSqliteSaver.from_conn_string(path))


class LangGraphRedis(_LangGraph):
    """With its own Redis checkpointer, which needs the server modules RedisJSON and RediSearch."""

    imports = "import langgraph.graph, langgraph.checkpoint.redis.aio"

    async def _open_saver(self, url: str, folder: Path) -> Any:  # noqa: ARG002 - no files
        from langgraph.checkpoint.redis.aio import AsyncRedisSaver  # noqa: PLC0415 - of this checkpointer
        from redis import Redis  # noqa: PLC0415 - of this checkpointer

        with Redis.from_url(url) as client:
            listed: Any = client.module_list()
        names = {str(module.get(b"name", module.get("name"))).lower() for module in listed}
        if not any("search" in name for name in names):
            raise RuntimeError("its checkpointer needs the server modules RedisJSON and RediSearch")
        saver = await self._stack.enter_async_context(AsyncRedisSaver.from_conn_string(url))
        await saver.asetup()
        return saver


class LangGraphPlainRedis(_LangGraph):
    """With a checkpointer for servers without modules."""

    imports = "import langgraph.graph, langgraph_checkpoint_plainredis"

    async def _open_saver(self, url: str, folder: Path) -> Any:  # noqa: ARG002 - no files
        from langgraph_checkpoint_plainredis import AsyncRedisSaver  # noqa: PLC0415 - of this checkpointer

        return AsyncRedisSaver(url=url)
