"""Without these a graph could lose a checkpoint, or read another thread's."""

import asyncio
from typing import TypedDict

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from engine.adapters.langgraph_saver import StoreSaver
from engine.errors import CheckpointCorruptError, ExecutionNotFoundError
from engine.store_url import open_store

COUNTS = {"put": 17, "put_writes": 10, "get_tuple": 10, "list": 16, "delete_thread": 5}


def _on_a_store(test, url="memory://"):
    async def whole():
        store = open_store(url)
        try:
            return await test(store)
        finally:
            await store.aclose()

    return asyncio.run(whole())


@pytest.fixture(params=["memory", pytest.param("server", marks=pytest.mark.redis)])
def url(request):
    return "memory://" if request.param == "memory" else request.getfixturevalue("redis_server").url


def test_the_base_clauses_of_langgraphs_conformance_package_are_kept(url):
    async def test(store):
        @checkpointer_test(name="planproof")
        async def saver():
            yield StoreSaver(store)

        return await validate(saver)

    report = _on_a_store(test, url)
    failures = [text for result in report.results.values() for text in result.failures]
    assert failures == []
    assert report.passed_all_base()
    passed = {name: result.tests_passed for name, result in report.results.items()}
    assert {name: passed[name] for name in COUNTS} == COUNTS
    not_there = {name for name, result in report.results.items() if not result.detected}
    assert not_there == {"copy_thread", "delete_for_runs", "prune"}


class _Numbers(TypedDict):
    total: int


def _graph(store, calls):
    def add(state):
        calls.append("add")
        return {"total": state["total"] + 1}

    def ask(state):
        return {"total": state["total"] * interrupt("by how much?")}

    builder = StateGraph(_Numbers)
    builder.add_node("add", add)
    builder.add_node("ask", ask)
    builder.add_edge(START, "add")
    builder.add_edge("add", "ask")
    builder.add_edge("ask", END)
    return builder.compile(checkpointer=StoreSaver(store))


def test_another_process_goes_on_with_a_graph_that_waits():
    calls = []

    async def test(store):
        thread = {"configurable": {"thread_id": "t"}}
        await _graph(store, calls).ainvoke({"total": 4}, thread)
        again = _graph(store, calls)
        assert (await again.aget_state(thread)).next == ("ask",)
        assert await again.ainvoke(Command(resume=3), thread) == {"total": 15}
        history = [state.values async for state in again.aget_state_history(thread)]
        assert history == [{"total": 15}, {"total": 5}, {"total": 4}, {}]

    _on_a_store(test)
    assert calls == ["add"]


def _config(thread, namespace="", identity=None):
    named = {} if identity is None else {"checkpoint_id": identity}
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, **named}}


def _checkpoint(identity):
    return {
        "v": 1,
        "id": identity,
        "ts": "2026-01-01T00:00:00+00:00",
        "channel_values": {},
        "channel_versions": {},
        "versions_seen": {},
        "updated_channels": None,
    }


def test_all_threads_are_listed_the_newest_first():
    async def test(store):
        saver = StoreSaver(store)
        for identity, thread in (("1", "a"), ("2", "b"), ("3", "a:}:graph-index:x")):
            await saver.aput(_config(thread), _checkpoint(identity), {"step": 1}, {})
        found = [tup.config["configurable"] async for tup in saver.alist(None)]
        assert [(one["thread_id"], one["checkpoint_id"]) for one in found] == [
            ("a:}:graph-index:x", "3"),
            ("b", "2"),
            ("a", "1"),
        ]
        assert [tup async for tup in saver.alist(None, limit=0)] == []

    _on_a_store(test)


def test_a_namespace_is_not_the_prefix_of_another():
    async def test(store):
        saver = StoreSaver(store)
        await saver.aput(_config("t", "child"), _checkpoint("1"), {}, {})
        await saver.aput(_config("t", "child:2"), _checkpoint("9"), {}, {})
        stored = await saver.aput(_config("t", "child", "1"), _checkpoint("10"), {}, {})
        await saver.aput_writes(stored, [("c", 1)], "task")
        found = await saver.aget_tuple(_config("t", "child", "1"))
        assert found.pending_writes == []
        assert (await saver.aget_tuple(_config("t", "child:2"))).checkpoint["id"] == "9"
        assert await saver.aget_tuple(_config("t", "chil")) is None

    _on_a_store(test)


def test_writes_come_in_the_order_of_their_tasks():
    async def test(store):
        saver = StoreSaver(store)
        stored = await saver.aput(_config("t"), _checkpoint("1"), {}, {})
        await saver.aput_writes(stored, [("c", n) for n in range(12)], "z", "~1")
        await saver.aput_writes(stored, [("c", "late")], "a", "~2")
        await saver.aput_writes(stored, [("c", "again")], "a", "~2")
        await saver.aput_writes(stored, [], "b")
        found = (await saver.aget_tuple(stored)).pending_writes
        assert [value for _, _, value in found] == [*range(12), "late"]

    _on_a_store(test)


def test_graphs_and_executions_do_not_meet():
    async def test(store):
        saver = StoreSaver(store)
        await saver.aput(_config("t"), _checkpoint("1"), {}, {})
        with pytest.raises(ExecutionNotFoundError):
            await store.load("t")
        await saver.adelete_thread("t")
        assert [key async for key in store._client.scan_iter("*")] == []

    _on_a_store(test)


def test_what_cannot_be_read_or_written_is_named():
    async def test(store):
        saver = StoreSaver(store)
        stored = await saver.aput(_config("t"), _checkpoint("1"), {}, {})
        with pytest.raises(ValueError, match="holds a NUL"):
            await saver.aput(_config("t", "a\0b"), _checkpoint("1"), {}, {})
        key = await anext(store._client.scan_iter("*:graph:t"))
        await store._client.hset(key, "\0" + "1\0", '{"parent": null, "checkpoint": ["json", "?"]}')
        with pytest.raises(CheckpointCorruptError, match="thread t: a checkpoint cannot be read"):
            await saver.aget_tuple(stored)

    _on_a_store(test)


def test_blocking_calls_say_what_to_call():
    async def test(store):
        saver = StoreSaver(store)
        for call in (
            lambda: saver.get_tuple(_config("t")),
            lambda: saver.list(None),
            lambda: saver.put(_config("t"), _checkpoint("1"), {}, {}),
        ):
            with pytest.raises(NotImplementedError, match="ainvoke"):
                call()

    _on_a_store(test)
