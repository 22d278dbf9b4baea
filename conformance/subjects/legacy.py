"""The frozen segment executor as a subject: the only module that imports `legacy`."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from conformance.scenario import PatchState
from conformance.subject import ResumeRequest, SegmentResult, StartRequest, Threw
from conformance.subjects.legacy_records import (
    STATE_PREFIX,
    TASK_PREFIX,
    LegacyLens,
    at_ms,
    state_view,
    task_view,
)
from conformance.tool_scripts import Effect
from conformance.trace import PersistedView
from conformance.world import World
from legacy.durable_execution import (
    DurableExecutionResult,
    ExecutionEnvironment,
    IdempotencyService,
    ParameterError,
    RealtimeService,
    SegmentError,
    ToolExecutionResult,
    TraceEntry,
    execute_segment,
    planned_state,
    resume_from_checkpoint,
)

ToolCallback: TypeAlias = Callable[[str, Any], Awaitable[tuple[bool, Any, str | None]]]


class LegacySubject:
    """Runs a scenario through `legacy.durable_execution`."""

    def __init__(self, world: World) -> None:
        """Build the executor's environment from `world`."""
        self._world = world
        self._store = world.store
        self._store.observer.lens = LegacyLens(world.seen, world.clock.now_ms)
        self._tools = _Tools(world)
        redis: Any = _ParsingClient(world) if world.scenario.redis_autoparse else world.store
        self._environment = ExecutionEnvironment(
            redis=redis,
            clock=world.clock,
            realtime=RealtimeService(_Channel(world)),
            model=world.model,
            validator=_Validator(world),
            definitions=self._tools,
        )
        self._claims = (
            IdempotencyService(redis, world.clock) if world.scenario.idempotency else None
        )

    async def capabilities(self) -> frozenset[str]:
        """Declare that plans run; resuming never works."""
        return frozenset({"C0"})

    async def start(self, request: StartRequest) -> SegmentResult:
        """Call `execute_segment`, with a new state where the scenario's rule says so."""
        try:
            wants_state = request.initial == "fresh" or (
                request.initial is None and request.intent is not None
            )
            initial_state = (
                planned_state(
                    request.execution_id,
                    request.plan,
                    self._world.clock.now_ms(),
                    request.intent,
                )
                if wants_state
                else None
            )
            result = await execute_segment(
                request.plan,
                self._tools,
                execution_id=request.execution_id,
                environment=self._environment,
                initial_state=initial_state,
                start_step_index=request.start_step_index,
                segment_number=request.segment_number,
                idempotency=self._claims,
                trace=self._note,
                trace_id=self._world.scenario.trace_id,
            )
        except SegmentError as error:
            raise Threw(str(error), error.name) from error
        return _segment_result(result)

    async def resume(self, request: ResumeRequest) -> SegmentResult:
        """Call `resume_from_checkpoint`, after overwriting the checkpoint's status if asked to."""
        if request.assist_status is not None:
            await self._assist(request.execution_id, request.assist_status)
        try:
            result = await resume_from_checkpoint(
                request.execution_id,
                self._tools,
                environment=self._environment,
                idempotency=self._claims,
                trace=self._note,
                trace_id=self._world.scenario.trace_id,
            )
        except SegmentError as error:
            raise Threw(str(error), error.name) from error
        return _segment_result(result)

    async def state(self, execution_id: str) -> PersistedView:
        """Read the execution state and the task record."""
        envelope = await self._read(STATE_PREFIX + execution_id)
        record = await self._read(TASK_PREFIX + execution_id)
        return PersistedView(
            state=None if envelope is None else state_view(envelope["data"]),
            task=None if record is None else task_view(record),
        )

    async def effects(self) -> Sequence[Effect]:
        """Return the ledger of the scripted tools."""
        return self._world.tools.effects

    async def patch_state(self, operation: PatchState) -> None:
        """Overwrite the persisted status; optionally turn steps in progress into pending ones."""
        key = STATE_PREFIX + (operation.execution_id or self._world.scenario.execution_id)
        envelope = await self._read(key)
        if envelope is None:
            return
        if operation.status is not None:
            envelope["data"]["status"] = operation.status
        if operation.reset_in_progress:
            for step in envelope["data"]["step_states"]:
                if step["status"] == "in_progress":
                    step["status"] = "pending"
        await self._overwrite(key, envelope)

    async def close(self) -> None:
        """Nothing is held."""

    async def _assist(self, execution_id: str, status: str) -> None:
        key = TASK_PREFIX + execution_id
        record = await self._read(key)
        checkpoint = None if record is None else record["context"].get("execution_state")
        if checkpoint is not None:
            checkpoint["status"] = status
            await self._overwrite(key, record)

    async def _read(self, key: str) -> Any:
        with self._store.offstage():
            stored = await self._store.get(key)
        return None if stored is None else json.loads(stored)

    async def _overwrite(self, key: str, document: Any) -> None:
        with self._store.offstage():
            await self._store.set(key, json.dumps(document), keepttl=True)

    def _note(self, entry: TraceEntry) -> None:
        noted: dict[str, Any] = {
            "event": entry.event,
            "step_id": entry.step_id,
            "at_ms": at_ms(entry.timestamp),
            "latency_ms": entry.latency_ms,
        }
        if entry.error is not None:
            noted["error"] = entry.error
        self._world.seen.trace_entries.append(noted)


class _Tools:
    """The scripted tools in the shape that the legacy executor calls."""

    def __init__(self, world: World) -> None:
        self._tools = world.tools

    async def execute(
        self,
        tool_name: str,
        parameters: Any,
        timeout_ms: int | None = None,
        signal: Any = None,
    ) -> ToolExecutionResult:
        reply = await self._tools.call(tool_name, parameters, timeout_ms=timeout_ms, signal=signal)
        return ToolExecutionResult(
            success=reply.success,
            has_output=reply.has_output,
            output=reply.output,
            error=reply.error,
            compensation=reply.compensation,
        )

    def parameter_aliases(self, tool_name: str) -> Mapping[str, str]:
        return self._tools.aliases(tool_name)


class _Validator:
    """The scripted validator in the shape that the legacy executor calls."""

    def __init__(self, world: World) -> None:
        self._validator = world.validator

    async def validate(self, tool_name: str, parameters: Any) -> Sequence[ParameterError]:
        return [
            ParameterError(error.path, error.message)
            for error in self._validator.validate(tool_name, parameters)
        ]


class _Channel:
    """The scripted channel, with what its events mean for the trace."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def sign(self, event: str) -> str:
        await self._world.channel.sign(event)
        return f"token:{event}"

    async def publish(self, event: str, data: Mapping[str, Any], token: str) -> None:
        del token
        await self._world.channel.publish(event)
        at_ms = self._world.clock.elapsed_ms
        if event == "ExecutionStepUpdate":
            self._world.seen.step_updates.append(
                {
                    "step_index": data["stepIndex"],
                    "status": data["status"],
                    "message": data["message"],
                    "step_name": data["stepName"],
                    "total_steps": data["totalSteps"],
                    "at_ms": at_ms,
                }
            )
        else:
            self._world.seen.events.append(
                {
                    "name": event,
                    "at_ms": at_ms,
                    "next_step_index": data["nextStepIndex"],
                    "segment_number": data["segmentNumber"],
                }
            )


class _ParsingClient:
    """A client whose `get` returns parsed JSON, as the original's real client does."""

    def __init__(self, world: World) -> None:
        self._store = world.store

    async def get(self, key: str) -> Any:
        stored = await self._store.get(key)
        return None if stored is None else json.loads(stored)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def _segment_result(result: DurableExecutionResult) -> SegmentResult:
    return SegmentResult(
        success=result.success,
        is_partial=result.is_partial,
        completed_steps=result.completed_steps,
        failed_steps=result.failed_steps,
        total_steps=result.total_steps,
        next_step_index=result.next_step_index,
        segment_number=result.segment_number,
        error_code=result.error_code,
        error_message=result.error_message,
        execution_time_ms=result.execution_time_ms,
        state=state_view(result.state.document()),
    )


class LegacyLife:
    """One life of a process that runs the legacy executor, for campaigns that break it.

    It is given a client, tools and a clock, and nothing else of a scenario's world: no realtime
    channel is listened to, every parameter is valid, and there is no model.
    """

    def __init__(self, redis: Any, clock: Any, call: ToolCallback) -> None:
        """Prepare a process; `call(tool, parameters)` returns (success, output, error)."""
        self._tools = _CalledTools(call)
        self._environment = ExecutionEnvironment(
            redis=redis,
            clock=clock,
            realtime=RealtimeService(_NoChannel()),
            model=_NoModel(),
            validator=_AllValid(),
            definitions=self._tools,
        )

    async def start(self, execution_id: str, plan: Mapping[str, Any]) -> tuple[str, str | None]:
        """Run the first segment; return the state's status and the code of an error."""
        result = await execute_segment(
            plan, self._tools, execution_id=execution_id, environment=self._environment
        )
        return result.state.status, result.error_code

    async def resume(self, execution_id: str) -> tuple[str, str | None]:
        """Run the next segment from the checkpoint; return the same.

        Raises:
            SegmentError: it cannot be resumed.
        """
        result = await resume_from_checkpoint(
            execution_id, self._tools, environment=self._environment
        )
        return result.state.status, result.error_code


class _CalledTools:
    def __init__(self, call: ToolCallback) -> None:
        self._call = call

    async def execute(
        self, tool_name: str, parameters: Any, timeout_ms: int | None = None, signal: Any = None
    ) -> ToolExecutionResult:
        del timeout_ms, signal
        success, output, error = await self._call(tool_name, parameters)
        return ToolExecutionResult(success, has_output=success, output=output, error=error)

    def parameter_aliases(self, tool_name: str) -> Mapping[str, str]:
        del tool_name
        return {}


class _AllValid:
    async def validate(self, tool_name: str, parameters: Any) -> Sequence[ParameterError]:
        del tool_name, parameters
        return []


class _NoModel:
    async def generate(self, model_type: str, prompt: str) -> str:
        del model_type, prompt
        raise LookupError("there is no model")


class _NoChannel:
    async def sign(self, event: str) -> str:
        return event

    async def publish(self, event: str, data: Mapping[str, Any], token: str) -> None:
        """Nobody listens."""
