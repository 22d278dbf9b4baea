"""Plans on LangGraph with its SQLite checkpointer, as a program of the executor protocol.

A plan is a state graph: each step of it a node with LangGraph's own retry policy and interrupt, the
rollback a second graph of undoing nodes. What LangGraph has no notion of (an end that is a failure,
tools that a plan may use, one owner of a thread at a time) is added only where a plan could not be
run at all without it: a failed step is noted in the state, so that the run has an end.
"""

import operator
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypedDict

import langgraph.pregel._retry
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import RetryPolicy, interrupt

from conformance.kit.pipe import (
    DEFAULT_TIMEOUT_MS,
    Pipe,
    RefusedError,
    resolve,
    step_reports,
)

CAPABILITIES = ("C0", "C1", "C2")
UNDO = "undo"

_PIPE = Pipe()


class ToolFailedError(Exception):
    """A tool reported a failure, or raised, or did not answer in time."""

    def __init__(self, step: str, message: str) -> None:
        """Name the step."""
        super().__init__(message)
        self.step = step


class PlanState(TypedDict, total=False):
    """The channels of a thread."""

    plan: dict[str, Any]
    done: Annotated[dict[str, Any], operator.or_]
    undo: Annotated[list[list[Any]], operator.add]
    failed: Annotated[dict[str, str], operator.or_]
    undone: Annotated[list[str], operator.add]


_Graph = CompiledStateGraph[PlanState, None, PlanState, PlanState]
_Node: TypeAlias = Any  # PlanState -> PlanState, which its own protocol of nodes does not admit


def _config(execution_id: str, *, namespace: str = "") -> RunnableConfig:
    thread = f"{execution_id}{namespace}"
    return {"configurable": {"thread_id": thread}, "max_concurrency": 1, "recursion_limit": 1000}


def _step_node(execution_id: str, step: Mapping[str, Any]) -> _Node:
    def node(state: PlanState) -> PlanState:
        if step.get("requires_confirmation"):
            interrupt(step["id"])
        reply = _PIPE.call(
            step["tool_name"],
            resolve(step["parameters"], state.get("done", {})),
            key=f"{execution_id}/{step['id']}",
            timeout_ms=step.get("timeout_ms") or DEFAULT_TIMEOUT_MS,
        )
        if not reply["success"]:
            raise ToolFailedError(step["id"], reply["error"])
        undo = reply.get("compensation")
        told: PlanState = {"done": {step["id"]: reply["output"]}}
        return told if undo is None else {**told, "undo": [[step["id"], undo]]}

    return node


def _undo_node(execution_id: str, step: str, undo: Mapping[str, Any]) -> _Node:
    def node(_state: PlanState) -> PlanState:
        key = f"{execution_id}/{step}/undo"
        _PIPE.call(undo["tool"], undo["parameters"], key=key, timeout_ms=DEFAULT_TIMEOUT_MS)
        return {"undone": [step]}

    return node


def _policy(step: Mapping[str, Any]) -> RetryPolicy | None:
    policy = step.get("retry_policy")
    if not policy:
        return None
    return RetryPolicy(
        initial_interval=policy.get("backoff_ms", 0) / 1000,
        max_attempts=policy["max_attempts"],
        jitter=False,
        retry_on=ToolFailedError,
    )


class LangGraphExecutor:
    """One process that runs graphs on a shared SQLite file."""

    def __init__(self, scratch: Path) -> None:
        """Open the checkpointer in `scratch`."""
        connection = sqlite3.connect(scratch / "langgraph.sqlite", check_same_thread=False)
        self._saver = SqliteSaver(connection)

    def start(self, execution_id: str, plan: Mapping[str, Any]) -> Mapping[str, Any]:
        """Invoke the plan's graph with its first input."""
        try:
            graph = self._plan_graph(execution_id, plan)
        except ValueError as error:
            raise RefusedError(str(error)) from None
        return self._invoke(graph, execution_id, {"plan": dict(plan), "done": {}})

    def resume(self, execution_id: str) -> Mapping[str, Any]:
        """Go on from the newest checkpoint."""
        values = self._values(execution_id)
        if values is None:
            raise RefusedError(f"no thread {execution_id}")
        return self._invoke(self._plan_graph(execution_id, values["plan"]), execution_id, None)

    def state(self, execution_id: str) -> Mapping[str, Any]:
        """Read the newest checkpoint."""
        values = self._values(execution_id)
        if values is None:
            return {"outcome": None}
        return self._report(self._plan_graph(execution_id, values["plan"]), execution_id)

    def _values(self, execution_id: str) -> Mapping[str, Any] | None:
        found = self._saver.get_tuple(_config(execution_id))
        if found is None:
            return None
        values: Mapping[str, Any] = found.checkpoint["channel_values"]
        # The first checkpoint holds the input under the name of the entrance.
        return values if "plan" in values else values.get("__start__")

    def _plan_graph(self, execution_id: str, plan: Mapping[str, Any]) -> _Graph:
        builder = StateGraph(PlanState)
        leaves = {step["id"] for step in plan["steps"]}
        for step in plan["steps"]:
            node = _step_node(execution_id, step)
            builder.add_node(step["id"], node, retry_policy=_policy(step))
        for step in plan["steps"]:
            needs = step.get("dependencies", [])
            builder.add_edge(list(needs) if needs else START, step["id"])
            leaves -= set(needs)
        for leaf in sorted(leaves):
            builder.add_edge(leaf, END)
        return builder.compile(checkpointer=self._saver)

    def _invoke(
        self, graph: _Graph, execution_id: str, given: PlanState | None
    ) -> Mapping[str, Any]:
        config = _config(execution_id)
        if not graph.get_state(config).values.get("failed"):
            try:
                graph.invoke(given, config, durability="sync")
            except ToolFailedError as error:
                failed: PlanState = {"failed": {error.step: str(error)}}
                graph.update_state(config, failed, as_node=error.step)
        values = graph.get_state(config).values
        if values.get("failed"):
            self._roll_back(execution_id, values["undo"])
        return self._report(graph, execution_id)

    def _roll_back(self, execution_id: str, undo: list[list[Any]]) -> None:
        """Run the graph that undoes, or what is left of it."""
        if not undo:
            return
        builder = StateGraph(PlanState)
        before = START
        for step, call in reversed(undo):
            builder.add_node(step, _undo_node(execution_id, step, call))
            builder.add_edge(before, step)
            before = step
        builder.add_edge(before, END)
        graph: _Graph = builder.compile(checkpointer=self._saver)
        config = _config(execution_id, namespace=f"/{UNDO}")
        known = self._saver.get_tuple(config) is not None
        graph.invoke(None if known else {"undone": []}, config, durability="sync")

    def _report(self, graph: _Graph, execution_id: str) -> Mapping[str, Any]:
        snapshot = graph.get_state(_config(execution_id))
        values = snapshot.values or self._values(execution_id) or {}
        failed = values.get("failed") or {}
        if failed:
            outcome = "failed"
        elif any(task.interrupts for task in snapshot.tasks):
            outcome = "waiting"
        else:
            outcome = "yielded" if snapshot.next else "completed"
        return {
            "outcome": outcome,
            "steps": step_reports(values["plan"], values.get("done") or {}, failed),
        }


def main() -> None:
    """Serve the harness."""
    _PIPE.keep_time(langgraph.pregel._retry)  # noqa: SLF001 - where LangGraph waits between attempts
    _PIPE.serve(CAPABILITIES, "langgraph", LangGraphExecutor)


if __name__ == "__main__":
    main()
