"""Executions for tests: an embedded store of their own, and time that a test owns."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Literal, TypeAlias, TypeVar

from chaos.virtual_time import VirtualClock, run_virtual
from engine import (
    Event,
    ExecutionResult,
    ExecutionState,
    SeededIdSource,
    Store,
    SystemClock,
    ToolExecutor,
    ToolRegistry,
    WorkflowMachine,
)
from engine.redis_store import RedisStore

_Result = TypeVar("_Result")

Tools: TypeAlias = ToolExecutor | Mapping[str, Callable[..., Any]]
ClockName: TypeAlias = Literal["virtual", "real"]

SEGMENTS_MAX = 200
"""Segments after which an execution counts as never ending; as many calls as a test ever makes."""


class NeverEndsError(AssertionError):
    """An execution yields again and again."""


def as_tools(tools: Tools) -> ToolExecutor:
    """Return a mapping of functions as a registry; anything else as it is."""
    if not isinstance(tools, Mapping):
        return tools
    registry = ToolRegistry()
    for name, function in tools.items():
        registry.tool(name)(function)
    return registry


class EmbeddedStores:
    """One embedded server, and a store on it for each event loop that asks."""

    def __init__(self, clock: VirtualClock | SystemClock, ids: SeededIdSource) -> None:
        """Start an empty server whose leases run on `clock`."""
        from fakeredis import FakeServer  # noqa: PLC0415 - an extra

        self._server = FakeServer()
        self._clock, self._ids = clock, ids

    def open(self) -> Store:
        """Return a store for the running loop; whoever asks closes it."""
        from fakeredis import FakeAsyncRedis  # noqa: PLC0415 - an extra

        client = FakeAsyncRedis(server=self._server)
        return RedisStore(client, clock=self._clock, ids=self._ids, close_client=True)


class WorkflowRun:
    """One execution of one plan, for a test.

    Attributes:
        clock: virtual, unless the test asked for the real one.
        last: the result of the segment that ran last.
    """

    def __init__(
        self,
        plan: Mapping[str, Any],
        tools: Tools,
        *,
        execution_id: str = "execution-1",
        clock: ClockName = "virtual",
        seed: int = 0,
        **options: Any,
    ) -> None:
        """Prepare the execution; see `workflow_machine` for the arguments."""
        self.execution_id = execution_id
        self.clock: VirtualClock | SystemClock = (
            VirtualClock() if clock == "virtual" else SystemClock()
        )
        self.last: ExecutionResult | None = None
        self._plan, self._options = plan, options
        self._tools = as_tools(tools)
        self._ids = SeededIdSource(seed)
        self._stores = EmbeddedStores(self.clock, self._ids)

    def machine(self, store: Store) -> WorkflowMachine:
        """Return a machine on `store`, as a process that has just started would make it."""
        machine = WorkflowMachine(
            self.execution_id,
            self._tools,
            store=store,
            clock=self.clock,
            ids=self._ids,
            **self._options,
        )
        machine.set_plan(self._plan)
        return machine

    def open_store(self) -> Store:
        """Return a store for the running loop, for tests that are asynchronous themselves."""
        return self._stores.open()

    def run(self) -> ExecutionResult:
        """Run to the end, or until a person has to decide; segments that yield are resumed."""
        return self.using(self._to_the_end)

    def segment(self) -> ExecutionResult:
        """Run one segment, as a process that has just started would."""
        self.last = self.using(lambda machine, _store: machine.execute())
        return self.last

    def confirm(self, *, approved: bool = True) -> None:
        """Answer what the execution waits for, as a person would."""
        waiting = self.state().waiting_for
        assert waiting is not None, "the execution does not wait for anybody"  # noqa: S101 - for a test
        self.using(lambda machine, _: machine.confirm(waiting.step_id, waiting.token, approved))

    def state(self) -> ExecutionState:
        """Return what is durable."""
        return self.using(lambda machine, _store: machine.get_state())

    def events(self) -> list[Event]:
        """Return the events of the execution, in order."""
        return self.using(lambda _machine, store: store.events(self.execution_id))

    def advance(self, ms: int) -> None:
        """Let so much time pass."""
        self.using(lambda _machine, _store: self.clock.sleep_ms(ms))

    def using(self, action: Callable[[WorkflowMachine, Store], Awaitable[_Result]]) -> _Result:
        """Run `action` with a fresh machine and its store, on a loop of its own."""

        async def main() -> _Result:
            store = self.open_store()
            try:
                return await action(self.machine(store), store)
            finally:
                await store.aclose()

        return self._on_a_loop(main)

    def _on_a_loop(self, main: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        if isinstance(self.clock, VirtualClock):
            return run_virtual(main, self.clock)
        return asyncio.run(main())

    async def _to_the_end(self, machine: WorkflowMachine, _store: Store) -> ExecutionResult:
        for _ in range(SEGMENTS_MAX):
            self.last = await machine.execute()
            if self.last.due_at_ms is None:
                return self.last
            await self.clock.sleep_ms(max(0, self.last.due_at_ms - self.clock.now_ms()))
        raise NeverEndsError(f"{self.execution_id} has not ended after {SEGMENTS_MAX} segments")


def make_tools(given: Any) -> ToolExecutor:
    """Return fresh tools: what a factory makes, else the tools that are given themselves."""
    is_factory = callable(given) and not hasattr(given, "execute")
    found = given() if is_factory else given
    if inspect.isawaitable(found):
        raise TypeError("the factory of tools must not be asynchronous")
    return as_tools(found)
