"""The unified engine as a subject."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from chaos.virtual_time import EPOCH_MS
from conformance.observed_redis import StoreCommand
from conformance.scenario import PatchState
from conformance.subject import ResumeRequest, SegmentResult, StartRequest, Threw
from conformance.subjects import unified_migration
from conformance.tool_scripts import Effect
from conformance.trace import PersistedView, StateView
from conformance.world import World
from engine import redis_scripts
from engine.error_recovery import ModelErrorRecovery
from engine.errors import EngineError, ExecutionNotFoundError, LeaseHeldError
from engine.events import Event, EventName
from engine.identity import SeededIdSource
from engine.plan import Compensation
from engine.redis_store import RedisStore
from engine.settings import WorkflowSettings
from engine.tools import ParameterFault, ToolCall, ToolDefinition, ToolResult
from engine.types.execution import ErrorInfo, ExecutionResult, StepState, WorkflowExecutor
from engine.workflow_machine import WorkflowMachine

CAPABILITIES = frozenset({"C0", "C1", "C2", "C3", "C4", "C5"})
PREFIX = "planproof"
_SCRIPT_NAMES = {
    hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(): name
    for name, text in redis_scripts.BY_NAME.items()
} | {text: name for name, text in redis_scripts.BY_NAME.items()}
_UPDATES = {
    EventName.STEP_STARTED: ("in_progress", "Starting {label}..."),
    EventName.STEP_COMPLETED: ("completed", "Completed {label}"),
    EventName.STEP_FAILED: ("failed", "Failed: {error}"),
}


class UnifiedSubject:
    """Runs a scenario through `engine.WorkflowMachine` with its default settings."""

    def __init__(self, world: World) -> None:
        """Build the machine's parts from `world`."""
        self._world = world
        world.store.observer.lens = _Lens()
        # A process that follows a dead one, or works beside another, must draw other ids.
        world.store.observer.processes += 1
        seed = f"{world.scenario.execution_id}/{world.store.observer.processes}"
        self._ids = SeededIdSource(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]))
        self._store = RedisStore(world.store, prefix=PREFIX, clock=world.clock, ids=self._ids)
        self._plans: dict[str, Mapping[str, Any]] = {}

    async def capabilities(self) -> frozenset[str]:
        """Declare all levels."""
        return CAPABILITIES

    async def start(self, request: StartRequest) -> SegmentResult:
        """Set the plan and execute; what legacy alone knows of a start is left out."""
        self._plans[request.execution_id] = request.plan
        executor = self._executor(request.execution_id, request.intent)

        async def execute() -> ExecutionResult:
            executor.set_plan(request.plan)
            return await executor.execute()

        return await self._carry_out(execute)

    async def resume(self, request: ResumeRequest) -> SegmentResult:
        """Resume; needs no assistance."""
        return await self._carry_out(self._executor(request.execution_id, None).execute)

    async def state(self, execution_id: str) -> PersistedView:
        """Read what the store holds."""
        with self._world.store.offstage():
            try:
                state = await self._store.load(execution_id)
            except ExecutionNotFoundError:
                return PersistedView()
        return PersistedView(state=_view(str(state.status), state.steps, state.error))

    async def effects(self) -> Sequence[Effect]:
        """Return the ledger of the scripted tools."""
        return self._world.tools.effects

    async def patch_state(self, operation: PatchState) -> None:
        """Do nothing: the operation mends the legacy executor's state."""

    async def close(self) -> None:
        """Nothing is held."""

    async def hand_out(self, execution_id: str) -> Mapping[str, Any]:
        """Hand the run back to the records that other executors read."""
        machine = self._machine(execution_id, None)
        return await unified_migration.hand_out(self._world, self._store, self._ids, machine)

    async def take_in(self, progress: Mapping[str, Any]) -> None:
        """Adopt a run that another executor has begun."""
        await unified_migration.take_in(self._world, self._store, self._ids, progress)

    def _executor(self, execution_id: str, intent: Mapping[str, Any] | None) -> WorkflowExecutor:
        return self._machine(execution_id, intent)

    def _machine(self, execution_id: str, intent: Mapping[str, Any] | None) -> WorkflowMachine:
        world = self._world
        tools = _Tools(world)
        return WorkflowMachine(
            execution_id,
            tools,
            store=self._store,
            clock=world.clock,
            ids=self._ids,
            settings=self._settings(),
            catalog=tools,
            validator=tools,
            recovery=ModelErrorRecovery(lambda prompt: world.model.generate("planning", prompt)),
            listeners=(self._note,),
            intent=intent,
            trace_id=world.scenario.trace_id,
        )

    def _settings(self) -> WorkflowSettings:
        return WorkflowSettings()

    async def _carry_out(self, call: Callable[[], Awaitable[ExecutionResult]]) -> SegmentResult:
        """Call, again when a dead process' lease has run out, as a queue would redeliver."""
        while True:
            try:
                return _segment_result(await call())
            except LeaseHeldError as error:
                await self._world.clock.sleep_ms(error.retry_after_ms)
            except EngineError as error:
                raise Threw(error.message, error.code) from error

    def _note(self, event: Event) -> None:
        """Show an event in the words of the trace."""
        seen, at_ms = self._world.seen, self._world.clock.elapsed_ms
        if event.name in _UPDATES and event.step_index is not None:
            status, message = _UPDATES[event.name]
            plan = self._plans.get(event.execution_id, self._world.scenario.plan)
            step = plan["steps"][event.step_index]
            label = step.get("description") or step["tool_name"]
            seen.step_updates.append(
                {
                    "step_index": event.step_index,
                    "status": status,
                    "message": message.format(label=label, error=event.detail.get("message")),
                    "step_name": step["tool_name"],
                    "total_steps": len(plan["steps"]),
                    "at_ms": at_ms,
                }
            )
        elif event.step_index is None:
            seen.events.append(
                {
                    "name": str(event.name),
                    "at_ms": at_ms,
                    "next_step_index": None,
                    "segment_number": event.segment_number,
                }
            )
        if event.name is EventName.WORKFLOW_RESUME:
            delay_ms = event.detail["due_at_ms"] - self._world.clock.now_ms()
            seen.scheduled.append(
                {
                    "start_step_index": None,
                    "segment_number": event.segment_number + 1,
                    "delay_s": delay_ms / 1000,
                }
            )


class _Tools:
    """The scripted tools, their aliases and the scripted validator in the engine's shapes."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def execute(self, call: ToolCall, /) -> ToolResult:
        reply = await self._world.tools.call(
            call.tool_name,
            call.parameters,
            timeout_ms=call.timeout_ms,
            idempotency_key=call.idempotency_key,
        )
        undo = reply.compensation
        return ToolResult(
            success=reply.success,
            output=reply.output,
            has_output=reply.has_output,
            error=reply.error or "",
            compensation=None
            if undo is None
            else Compensation(tool_name=undo["toolName"], parameters=undo.get("parameters") or {}),
        )

    def definition(self, tool_name: str) -> ToolDefinition | None:
        return ToolDefinition(tool_name, aliases=self._world.tools.aliases(tool_name))

    def validate(self, tool_name: str, parameters: Mapping[str, Any]) -> Sequence[ParameterFault]:
        return [
            ParameterFault(error.path, error.message)
            for error in self._world.validator.validate(tool_name, parameters)
        ]


class _Lens:
    """What the engine's keys and scripts are called in a trace."""

    def key_kind(self, key: str) -> str:
        parts = key.rpartition("}:")[2].split(":", maxsplit=1)
        return parts[0]

    def detail(self, command: StoreCommand) -> Mapping[str, Any] | None:
        if command.script is None:
            return None
        return {"script": _SCRIPT_NAMES.get(command.script, "other")}

    def applied(self, command: StoreCommand) -> None:
        """Nothing is kept."""


def _segment_result(result: ExecutionResult) -> SegmentResult:
    return SegmentResult(
        success=result.success,
        # A partial result asks the driver to resume; an execution that waits for a person would
        # only be woken in vain.
        is_partial=result.is_partial and result.waiting_for is None,
        completed_steps=result.completed_steps,
        failed_steps=result.failed_steps,
        total_steps=result.total_steps,
        segment_number=result.segment_number if result.due_at_ms is not None else None,
        error_code=None if result.error is None else result.error.code,
        error_message=None if result.error is None else result.error.message,
        execution_time_ms=result.execution_time_ms,
        state=_view(str(result.status), result.steps, result.error),
    )


def _view(status: str, steps: Sequence[StepState], error: ErrorInfo | None) -> StateView:
    return StateView(
        status=status,
        steps=[_step_view(step) for step in steps],
        error=None if error is None else error.model_dump(),
    )


def _step_view(step: StepState) -> dict[str, Any]:
    completed_at_ms = step.completed_at_ms
    return {
        "id": step.id,
        "status": str(step.status),
        "output": step.output,
        "has_output": step.has_output,
        "error_code": None if step.error is None else step.error.code,
        "error_message": None if step.error is None else step.error.message,
        "attempts": step.attempts,
        "latency_ms": step.latency_ms,
        "has_input": step.input is not None,
        "has_started_at": step.started_at_ms is not None,
        "completed_at_ms": None if completed_at_ms is None else completed_at_ms - EPOCH_MS,
    }
