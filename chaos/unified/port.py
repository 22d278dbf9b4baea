"""The unified engine behind the port of campaigns."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from chaos.plans import ChaosPlan
from chaos.port import (
    Callee,
    CallRequest,
    Command,
    DurableView,
    ExecutorPort,
    Image,
    LifeResult,
    Operation,
    Surroundings,
)
from chaos.unified import sites, view
from chaos.unified.canonical import canonical_form
from chaos.unified.staleness import is_stale
from chaos.unified.watcher import Watcher
from engine import EffectSemantics, ToolCall, ToolDefinition, ToolResult, WorkflowMachine
from engine.errors import EngineError
from engine.redis_store import RedisStore

REFUSALS = frozenset({"STALE", "HELD", "UNDONE", "MISSING", "MISMATCH", "VERSION", "CORRUPT", "NO"})
COMPENSATION = ":compensation"
"""How the key of a compensation ends."""


class CalledTools:
    """The tools of a plan as the engine sees them: `ToolExecutor` and `ToolCatalog`."""

    def __init__(self, callee: Callee, plan: ChaosPlan) -> None:
        """Pass calls on to `callee`."""
        self._callee = callee
        self._plan = plan

    def definition(self, tool_name: str) -> ToolDefinition | None:
        """Return what the plan says of a tool."""
        script = self._plan.tools.get(tool_name)
        if script is None:
            return None
        lookup = None
        if script.effects is EffectSemantics.QUERYABLE:
            lookup = self._look_up
        return ToolDefinition(name=tool_name, effects=script.effects, lookup=lookup)

    async def execute(self, call: ToolCall, /) -> ToolResult:
        """Pass one call on."""
        answer = await self._callee.call(
            CallRequest(
                step=call.step_id,
                tool=call.tool_name,
                key=call.idempotency_key,
                attempt=call.attempt,
                arguments=call.parameters,
                compensation=call.idempotency_key.endswith(COMPENSATION),
            )
        )
        return ToolResult.ok(answer.output) if answer.success else ToolResult.failed(answer.error)

    async def _look_up(self, key: str) -> ToolResult | None:
        answer = await self._callee.look_up(key.split(":")[1], key)
        return None if answer is None else ToolResult.ok(answer.output)


class UnifiedPort(ExecutorPort):
    """One plan on `engine.WorkflowMachine`."""

    name = "unified"
    scripts: Sequence[str] = sites.SCRIPTS
    loggers: Sequence[str] = ("planproof.engine",)

    def __init__(self, plan: ChaosPlan) -> None:
        """Run `plan`."""
        self._plan = plan
        self._step_ids = [step["id"] for step in plan.plan["steps"]]

    @override
    async def run(self, life: Surroundings, *, begin: bool) -> LifeResult:
        machine = self._machine(life)
        if begin:
            machine.set_plan(self._plan.plan)
        result = await machine.execute()
        return LifeResult(str(result.status), result.error.code if result.error else None)

    @override
    async def decide(self, life: Surroundings, view: DurableView, *, approved: bool) -> LifeResult:
        machine = self._machine(life)
        await machine.confirm(view.waiting_for or "", view.token or "", approved)
        return LifeResult()

    @override
    async def cancel(self, life: Surroundings) -> bool:
        return await self._machine(life).cancel("a person said so")

    @override
    def error_code(self, error: BaseException) -> str:
        return error.code if isinstance(error, EngineError) else type(error).__name__

    @override
    def operation(self, commands: Sequence[Command]) -> Operation | None:
        return sites.name_operation(commands, self._step_ids)

    @override
    def refusal(self, reply: Any) -> str | None:
        first = reply[0] if isinstance(reply, list) and reply else None
        word = first.decode(errors="replace") if isinstance(first, bytes) else first
        return word if isinstance(word, str) and word in REFUSALS else None

    @override
    def view(self, image: Image) -> DurableView:
        return view.read_view(image, self._step_ids)

    @override
    def final_hash(self, image: Image) -> str:
        return view.final_hash(image, self._step_ids)

    @override
    def left_behind(self, image: Image) -> tuple[str, ...]:
        return view.left_behind(image)

    @override
    def canonical(self, image: Image, now_ms: int) -> Any:
        return canonical_form(image, now_ms, self._plan)

    @override
    def is_stale(self, commands: Sequence[Command], image: Image) -> bool:
        return is_stale(commands[0], image)

    def _machine(self, life: Surroundings) -> WorkflowMachine:
        # Without a clock of its own, as in production: leases run on the server's.
        store = RedisStore(
            life.client, prefix=life.key_prefix, clock=life.lease_clock, ids=life.ids
        )
        return WorkflowMachine(
            life.execution_id,
            CalledTools(life.callee, self._plan),
            store=store,
            clock=life.clock,
            ids=life.ids,
            settings=self._plan.settings,
            failover=self._plan.failover,
            listeners=(Watcher(),) if self._plan.is_watched else (),
        )
