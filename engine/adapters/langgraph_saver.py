"""A LangGraph checkpointer on the engine's store (`pip install 'planproof[langgraph]'`).

Graphs keep their checkpoints where executions are kept: on the same Redis, under keys of the same
scheme, each call one script. LangGraph has no notion of an owner: two processes at one thread both write.
"""

import base64
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias

from typing_extensions import override

try:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import (
        WRITES_IDX_MAP,
        BaseCheckpointSaver,
        ChannelVersions,
        Checkpoint,
        CheckpointMetadata,
        CheckpointTuple,
        get_checkpoint_id,
        get_checkpoint_metadata,
        writes_sort_key,
    )
    from langgraph.checkpoint.serde.base import SerializerProtocol
except ImportError as error:
    raise ImportError(
        f"{error}; the LangGraph checkpointer is an extra: pip install 'planproof[langgraph]'"
    ) from None

from engine.adapters import langgraph_scripts
from engine.errors import CheckpointCorruptError
from engine.redis_store import RedisStore

KINDS: Final = ("graph", "graph-index", "graph-writes", "graph-writes-index")
END: Final = "\0"
"""After each part of an index member; the byte after it ends the range of what begins so."""
_AFTER: Final = "\1"
_Typed: TypeAlias = tuple[str, str]


class StoreSaver(BaseCheckpointSaver[int]):
    """`BaseCheckpointSaver` for graphs that are run with `ainvoke` and `astream`."""

    def __init__(self, store: RedisStore, *, serde: SerializerProtocol | None = None) -> None:
        """Keep checkpoints in `store`, which stays the caller's to close.

        Args:
            store: what `engine.store_url.open_store` returns.
            serde: how values become bytes; by default LangGraph's own way.
        """
        super().__init__(serde=serde)
        self._store = store

    @override
    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that `config` names, by default the newest of its namespace.

        Raises:
            engine.errors.StoreUnavailableError: the store failed; call again.
            engine.errors.CheckpointCorruptError: what it holds cannot be read.
        """
        thread, namespace = _thread(config), _namespace(config) or ""
        identity = get_checkpoint_id(config)
        if identity:
            low = high = f"[{_member(namespace, identity)}"
        else:
            low, high = f"[{_member(namespace)}", f"({_part(namespace)}{_AFTER}"
        return await self._read(thread, low, high)

    @override
    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yield the checkpoints of a thread, or of all, the newest first; see LangGraph.

        What is written meanwhile may be missing; what is deleted meanwhile is left out.
        """
        left = limit
        async for thread, member in self._members(config, before):
            if left is not None and left <= 0:
                return
            found = await self._read(thread, f"[{member}", f"[{member}")
            if found is None or not _matches(found.metadata, filter or {}):
                continue
            left = None if left is None else left - 1
            yield found

    @override
    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint whose parent is the one that `config` names; return its own config."""
        thread, namespace = _thread(config), _namespace(config) or ""
        record = {
            "parent": get_checkpoint_id(config),
            "checkpoint": self._dump(checkpoint),
            "metadata": self._dump(get_checkpoint_metadata(config, metadata)),
        }
        member = _member(namespace, checkpoint["id"])
        await self._run(thread, langgraph_scripts.PUT, [member, json.dumps(record)])
        return _config(thread, namespace, checkpoint["id"])

    @override
    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Keep writes of a task; a write that is there stays, unless its channel has one place."""
        thread, namespace = _thread(config), _namespace(config) or ""
        identity = str(config["configurable"]["checkpoint_id"])
        arguments: list[str] = []
        for position, (channel, value) in enumerate(writes):
            place = WRITES_IDX_MAP.get(channel, position)
            record = {"channel": channel, "path": task_path, "value": self._dump(value)}
            member = _member(namespace, identity, task_id, str(place))
            arguments += (member, "1" if place < 0 else "0", json.dumps(record))
        if arguments:
            await self._run(thread, langgraph_scripts.PUT_WRITES, arguments)

    @override
    async def adelete_thread(self, thread_id: str) -> None:
        """Forget a thread with all its namespaces."""
        await self._run(str(thread_id), langgraph_scripts.DELETE, [])

    @override
    def get_tuple(self, config: RunnableConfig) -> NoReturn:
        """Refuse: see `aget_tuple`."""
        _refuse_blocking()

    @override
    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Refuse: see `alist`."""
        _refuse_blocking()

    @override
    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Refuse: see `aput`."""
        _refuse_blocking()

    async def _members(
        self, config: RunnableConfig | None, before: RunnableConfig | None
    ) -> AsyncIterator[tuple[str, str]]:
        """Yield thread and index member of what is listed, by descending checkpoint id."""
        namespace = None if config is None else _namespace(config)
        low, high = "-", "+"
        if namespace is not None:
            low, high = f"[{_part(namespace)}{END}", f"({_part(namespace)}{_AFTER}"
        wanted = None if config is None else get_checkpoint_id(config)
        bound = None if before is None else get_checkpoint_id(before)
        threads = await self._threads() if config is None else [_thread(config)]
        found: list[tuple[str, str, str]] = []
        for thread in threads:
            for member in await self._run(thread, langgraph_scripts.INDEX, [low, high]):
                identity = _parts(thread, str(member), 2)[1]
                if wanted in (None, identity) and (bound is None or identity < bound):
                    found.append((identity, thread, str(member)))
        for _, thread, member in sorted(found, reverse=True):
            yield thread, member

    async def _threads(self) -> Sequence[str]:
        """Return the ids of all threads that have a checkpoint."""
        kind = KINDS[1]
        names = [
            key.decode() if isinstance(key, bytes) else str(key)
            async for key in self._store.scan_keys(kind)
        ]
        return sorted({name.partition(f"}}:{kind}:")[2] for name in names})

    async def _read(self, thread: str, low: str, high: str) -> CheckpointTuple | None:
        reply = await self._run(thread, langgraph_scripts.GET, [low, high])
        if not reply:
            return None
        try:
            return self._tuple(thread, [str(part) for part in reply])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointCorruptError(
                f"thread {thread}: a checkpoint cannot be read: {str(error).splitlines()[0]}"
            ) from None

    def _tuple(self, thread: str, reply: Sequence[str]) -> CheckpointTuple:
        namespace, identity = _parts(thread, reply[0], 2)
        record = json.loads(reply[1])
        parent = record["parent"]
        return CheckpointTuple(
            config=_config(thread, namespace, identity),
            checkpoint=self._load(record["checkpoint"]),
            metadata=self._load(record["metadata"]),
            parent_config=_config(thread, namespace, parent) if parent else None,
            pending_writes=self._writes(thread, dict(zip(reply[2::2], reply[3::2], strict=True))),
        )

    def _writes(self, thread: str, found: Mapping[str, str]) -> "Any":
        writes = []
        for member, text in found.items():
            _, _, task, place = _parts(thread, member, 4)
            record = json.loads(text)
            order = writes_sort_key(record["path"], task, int(place))
            writes.append((order, (task, record["channel"], self._load(record["value"]))))
        return [write for _, write in sorted(writes, key=lambda one: one[0])]

    def _dump(self, value: Any) -> _Typed:
        kind, data = self.serde.dumps_typed(value)
        return kind, base64.b64encode(data).decode()

    def _load(self, typed: Sequence[str]) -> Any:
        kind, text = typed
        return self.serde.loads_typed((kind, base64.b64decode(text, validate=True)))

    async def _run(self, thread: str, script: str, arguments: Sequence[str]) -> Sequence[Any]:
        return await self._store.run_script(thread, script, arguments, kinds=KINDS)


def _refuse_blocking() -> NoReturn:
    raise NotImplementedError("the engine's store is asynchronous: run the graph with ainvoke")


def _thread(config: RunnableConfig) -> str:
    return str(config["configurable"]["thread_id"])


def _namespace(config: RunnableConfig) -> str | None:
    found = config["configurable"].get("checkpoint_ns")
    return None if found is None else str(found)


def _config(thread: str, namespace: str, identity: str) -> RunnableConfig:
    return {
        "configurable": {
            "thread_id": thread,
            "checkpoint_ns": namespace,
            "checkpoint_id": identity,
        }
    }


def _part(text: str) -> str:
    if END in text:
        raise ValueError(f"{text!r} holds a NUL, which parts the names in the store")
    return text


def _member(*parts: str) -> str:
    return "".join(f"{_part(part)}{END}" for part in parts)


def _parts(thread: str, member: str, count: int) -> Sequence[str]:
    parts = member.split(END)[:-1]
    if len(parts) != count:
        raise CheckpointCorruptError(f"thread {thread}: {member!r} names no checkpoint or write")
    return parts


def _matches(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(metadata.get(name) == value for name, value in wanted.items())
