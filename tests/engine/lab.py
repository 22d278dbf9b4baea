"""What the tests of the engine share: scripted tools, a store that counts and fails, virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fakeredis import FakeAsyncRedis, FakeServer
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from chaos.virtual_time import VirtualClock, run_virtual
from engine import (
    EffectSemantics,
    Event,
    ExecutionResult,
    SeededIdSource,
    ToolCall,
    ToolDefinition,
    ToolResult,
    WorkflowMachine,
    WorkflowSettings,
)
from engine.plan import Compensation, Plan, parse_plan
from engine.redis_store import RedisStore

EXECUTION = "execution-1"
WORKER = WorkflowSettings.worker()
_Result = TypeVar("_Result")
Behaviour = Callable[[ToolCall], Awaitable[ToolResult]]


class Killed(BaseException):
    """The process is gone."""


def step(name: str, *after: str, tool: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a step that calls the tool of its own name, unless told otherwise."""
    return {"id": name, "tool_name": tool or name, "dependencies": list(after), **more}


def plan_of(*steps: Mapping[str, Any], **more: Any) -> Plan:
    return parse_plan({"id": "plan-1", "steps": list(steps), **more})


def chain(length: int, **more: Any) -> Plan:
    return plan_of(
        *(
            step(f"s{at}", *([f"s{at - 1}"] if at else []), tool="work", **more)
            for at in range(length)
        )
    )


def undo(name: str, **parameters: Any) -> Compensation:
    return Compensation(tool_name=name, parameters=parameters)


@dataclass
class Script:
    """How one tool answers. `answers` are taken in turn; the last one repeats."""

    answers: Sequence[ToolResult | BaseException | Behaviour] = ()
    latency_ms: int = 10
    deaf: bool = False


@dataclass
class Tools:
    """Scripted tools and the ledger of what reached them, which outlives every process."""

    clock: VirtualClock
    scripts: dict[str, Script] = field(default_factory=dict)
    definitions: dict[str, ToolDefinition] = field(default_factory=dict)
    calls: list[ToolCall] = field(default_factory=list)
    started_ms: list[int] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    running: int = 0
    widest: int = 0

    def define(
        self, name: str, effects: EffectSemantics = EffectSemantics.UNKEYED, **more: Any
    ) -> None:
        self.definitions[name] = ToolDefinition(name=name, effects=effects, **more)

    def definition(self, tool_name: str) -> ToolDefinition | None:
        return self.definitions.get(tool_name)

    def count(self, tool_name: str) -> int:
        return sum(call.tool_name == tool_name for call in self.calls)

    @property
    def names(self) -> list[str]:
        return [call.tool_name for call in self.calls]

    async def execute(self, call: ToolCall) -> ToolResult:
        earlier = self.count(call.tool_name)
        self.calls.append(call)
        self.started_ms.append(self.clock.elapsed_ms)
        script = self.scripts.get(call.tool_name, Script())
        self.running += 1
        self.widest = max(self.widest, self.running)
        try:
            await self._wait(script)
        finally:
            self.running -= 1
        self.ended.append(call.step_id)
        if not script.answers:
            return ToolResult.ok({"step": call.step_id})
        answer = script.answers[min(earlier, len(script.answers) - 1)]
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, ToolResult) else await answer(call)

    async def _wait(self, script: Script) -> None:
        end_ms = self.clock.elapsed_ms + script.latency_ms
        while self.clock.elapsed_ms < end_ms:
            try:
                await self.clock.sleep_ms(end_ms - self.clock.elapsed_ms)
            except asyncio.CancelledError:
                if not script.deaf:
                    raise


class Client(FakeAsyncRedis):
    """A Redis client that counts commands and bytes, and fails or dies when told."""

    commands: list[tuple[Any, ...]]

    def __init__(self, server: FakeServer) -> None:
        super().__init__(server=server)
        self.commands = []
        self.fail_at: frozenset[int] = frozenset()
        self.fault: Exception = RedisConnectionError("connection refused")
        self.lose_reply_at: frozenset[int] = frozenset()
        self.die_before: int | None = None
        self.die_after: int | None = None
        self.dead = False
        self.freeze_at: int | None = None
        self.thaw: asyncio.Event | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.dead:
            raise Killed
        self.commands.append(args)
        number = len(self.commands)
        if number == self.die_before:
            self.dead = True
            raise Killed
        if number >= (self.freeze_at or 10**9) and self.thaw is not None:
            await self.thaw.wait()
        if number in self.fail_at:
            raise self.fault
        try:
            answer = await super().execute_command(*args, **options)
        except Exception:
            if number == self.die_after:
                self.dead = True
                raise Killed from None
            raise
        if number == self.die_after:
            self.dead = True
            raise Killed
        if number in self.lose_reply_at:
            raise RedisConnectionError("connection reset")
        return answer

    @property
    def sent_bytes(self) -> int:
        return sum(len(str(part)) for command in self.commands for part in command)


class RetryingClient(Client):
    """Faults below the client library's own retries, each once: nth attempt to send anything."""

    def __init__(self, server: FakeServer, retries: int) -> None:
        retry = Retry(ExponentialWithJitterBackoff(base=1, cap=10), retries)
        super().__init__(server)
        self.connection_pool.connection_kwargs["retry"] = retry  # the fake drops the argument
        self.attempts = 0
        self.cut_at = 0
        self.lose_at = 0

    async def _send_command_parse_response(self, *args: Any, **options: Any) -> Any:
        self.attempts += 1
        number = self.attempts
        if number == self.cut_at:
            raise RedisConnectionError("connection reset")
        try:
            return await super()._send_command_parse_response(*args, **options)
        finally:
            if number == self.lose_at:
                raise RedisConnectionError("connection reset")


@dataclass
class Lab:
    """One store, one timeline, one set of tools; machines come and go."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    server: FakeServer = field(default_factory=FakeServer)
    events: list[Event] = field(default_factory=list)
    tools: Tools = field(init=False)
    clients: list[Client] = field(default_factory=list)
    machines: int = 0

    def __post_init__(self) -> None:
        self.tools = Tools(self.clock)

    def client(self) -> Client:
        client = Client(self.server)
        self.clients.append(client)
        return client

    def store(self, client: Client | None = None) -> RedisStore:
        self.machines += 1
        return RedisStore(
            client or self.client(), clock=self.clock, ids=SeededIdSource(1_000 + self.machines)
        )

    def machine(
        self,
        plan: Plan | Mapping[str, Any] | None = None,
        *,
        client: Client | None = None,
        execution_id: str = EXECUTION,
        **options: Any,
    ) -> WorkflowMachine:
        """Return the machine of a new process."""
        store = self.store(client)
        options.setdefault("ids", SeededIdSource(self.machines))
        options.setdefault("listeners", [self.events.append])
        machine = WorkflowMachine(
            execution_id, self.tools, store=store, clock=self.clock, **options
        )
        if plan is not None:
            machine.set_plan(plan)
        return machine

    def run(self, main: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        async def whole() -> _Result:
            try:
                return await main()
            finally:
                for client in self.clients:
                    client.dead = False
                    await client.aclose()
                self.clients.clear()

        return run_virtual(whole, self.clock)

    async def finish(self, plan: Plan | None = None, **options: Any) -> ExecutionResult:
        """Resume in ever new processes, when due, until the execution waits or has ended."""
        result = await self.machine(plan, **options).execute()
        while result.due_at_ms is not None:
            await self.clock.sleep_ms(max(0, result.due_at_ms - self.clock.now_ms()))
            result = await self.machine(**options).execute()
        return result

    def event_names(self) -> list[str]:
        return [str(event.name) for event in self.events]


def balance(calls: Iterable[ToolCall]) -> dict[str, int]:
    """Return, per step, how many distinct effects are left: keyed callees deduplicate."""
    keys = {call.idempotency_key for call in calls}
    left: dict[str, int] = {}
    for key in keys:
        name = key.split(":")[1]
        left[name] = left.get(name, 0) + (-1 if key.endswith(":compensation") else 1)
    return left
