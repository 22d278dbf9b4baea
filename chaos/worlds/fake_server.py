"""Embedded servers for simulated worlds: on virtual time, photographed and set back in microseconds.

A fake server is used again and again, because its Lua runtime is dear; its content is not carried
over. The parts of `fakeredis` that have no public interface are all used in this module.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from fakeredis import FakeServer
from fakeredis.model import Hash, XStream, ZSet
from fakeredis.model._stream import StreamEntryKey

from chaos.port import Image, StoredKey
from chaos.virtual_time import VirtualClock

COLLECT_EVERY = 2_000
"""Scripts between two collections of Lua's garbage: it is a megabyte by then."""


class _VirtualTimeModule:
    """Stands in for the module `time` within `fakeredis`."""

    def __init__(self) -> None:
        self.clock: VirtualClock | None = None

    def time(self) -> float:
        return time.time() if self.clock is None else self.clock.now_ms() / 1000

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


_TIME = _VirtualTimeModule()


@cache
def _modules() -> tuple[Any, ...]:
    return tuple(
        module
        for name, module in sys.modules.items()
        if name.startswith("fakeredis.") and getattr(module, "time", None) is time
    )


@contextmanager
def server_time(clock: VirtualClock) -> Iterator[None]:
    """Let all embedded servers of this process live on `clock` meanwhile: TIME, TTL, stream ids."""
    modules = _modules()
    before, _TIME.clock = _TIME.clock, clock
    for module in modules:
        module.time = _TIME
    try:
        yield
    finally:
        _TIME.clock = before
        for module in modules:
            module.time = time


class _CompilingRuntime:
    """A Lua runtime that compiles each script once."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._compiled: dict[bytes, Any] = {}
        self._runs = 0

    def execute(self, script: Any) -> Any:
        if script == "collectgarbage()":
            self._runs += 1
            return self._runtime.execute(script) if self._runs % COLLECT_EVERY == 0 else None
        compiled = self._compiled.get(script)
        if compiled is None:
            compiled = self._compiled[script] = self._runtime.compile(script)
        return compiled()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)


class EmbeddedServer:
    """One fake server."""

    def __init__(self) -> None:
        """Start it, empty."""
        self.server: Any = FakeServer()

    def speed_up(self) -> None:
        """Compile scripts once, from now on; needs one script to have run."""
        runtime = getattr(self.server, "_lua_runtime", None)
        if runtime is not None and not isinstance(runtime, _CompilingRuntime):
            self.server._lua_runtime = _CompilingRuntime(runtime)  # noqa: SLF001 - see the module

    def know(self, scripts: Sequence[tuple[bytes, bytes]]) -> None:
        """Let the server know exactly these scripts: (digest, text)."""
        self.server.script_cache = dict(scripts)

    def photograph(self) -> Image:
        """Return everything that it holds, expired keys left out."""
        database = self.server.dbs[0]
        now_s = _TIME.time()
        return {
            key: StoredKey(*_plain(item.value), _ms(item.expireat))
            for key, item in database._dict.items()  # noqa: SLF001 - see the module
            if item.expireat is None or item.expireat >= now_s
        }

    def set_back(self, image: Image) -> None:
        """Hold exactly what `image` shows."""
        database = self.server.dbs[0]
        database._dict.clear()  # noqa: SLF001 - see the module
        database._expiry_heap.clear()  # noqa: SLF001 - see the module
        for key, stored in image.items():
            expires_s = None if stored.expires_ms is None else stored.expires_ms / 1000
            database[key] = _Item(_alive(stored), expires_s)


class _Item:
    """What the database keeps of a key."""

    __slots__ = ("expireat", "value")

    def __init__(self, value: Any, expireat: float | None) -> None:
        self.value = value
        self.expireat = expireat


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _plain(value: Any) -> tuple[str, Any]:
    if isinstance(value, bytes):
        return "string", value
    if isinstance(value, Hash):
        return "hash", dict(value._values)  # noqa: SLF001 - see the module
    if isinstance(value, ZSet):
        return "zset", dict(value.items())
    if isinstance(value, XStream):
        entries = value._values_dict  # noqa: SLF001 - see the module
        return "stream", tuple((key.encode(), tuple(fields)) for key, fields in entries.items())
    return type(value).__name__, repr(value)


def _alive(stored: StoredKey) -> Any:
    if stored.kind == "string":
        return stored.value
    if stored.kind == "hash":
        fields = Hash()
        fields._values = dict(stored.value)  # noqa: SLF001 - see the module
        return fields
    if stored.kind == "zset":
        members = ZSet()
        for member, score in stored.value.items():
            members.add(member, score)
        return members
    if stored.kind == "stream":
        stream = XStream()
        for key, fields in stored.value:
            stream.add(list(fields), StreamEntryKey.parse_str(key))
        return stream
    raise TypeError(f"a key of kind {stored.kind} cannot be set back")


_SPARE: list[EmbeddedServer] = []


@contextmanager
def borrowed_server() -> Iterator[EmbeddedServer]:
    """Give an empty server, and keep it for the next case."""
    embedded = _SPARE.pop() if _SPARE else EmbeddedServer()
    embedded.set_back({})
    try:
        yield embedded
    finally:
        embedded.speed_up()
        embedded.server.sockets.clear()  # it keeps those of killed clients for ever
        _SPARE.append(embedded)
