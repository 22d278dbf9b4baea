"""The deprecated front of the segment executor: its names, marked, and routed.

Import from here instead of `legacy.durable_execution` to have each use reported (PEP 702), and each
execution carried out by whichever executor the router's flags name. The shapes stay the same.
"""

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from typing_extensions import deprecated, override

from engine import segment_api
from engine.router import Router, SegmentExecutor
from legacy import durable_execution as frozen
from legacy import front_failures
from legacy.front_failures import ADVICE, told_by_the_front

if TYPE_CHECKING:
    from legacy.front_failures import (
        CheckpointMissingError,
        DeadlockError,
        MalformedPlanError,
        MemoryFailure,
        SchemaViolation,
        SegmentError,
        StateTransitionError,
    )

__all__ = [  # noqa: F822 - constants and errors come from __getattr__
    "CHECKPOINT_THRESHOLD_MS",
    "LEGAL_TRANSITIONS",
    "RESUME_DELAY_MS",
    "STEP_ABORT_MS",
    "AbortController",
    "AbortSignal",
    "CheckpointManager",
    "CheckpointMissingError",
    "DeadlockError",
    "DurableExecutionResult",
    "ExecutionCheckpoint",
    "ExecutionEnvironment",
    "ExecutionState",
    "IdempotencyService",
    "MalformedPlanError",
    "MemoryFailure",
    "ParameterError",
    "RealtimeService",
    "SchemaViolation",
    "SegmentError",
    "StateTransitionError",
    "StepState",
    "ToolExecutionResult",
    "ToolExecutor",
    "TraceEntry",
    "create_initial_state",
    "execute_segment",
    "find_ready_steps",
    "planned_state",
    "resolve_step_parameters",
    "resume_from_checkpoint",
]

_FAILURES: Final = frozenset(kind.__name__ for kind in front_failures.FAILURES)
_MAKING: Final = frozenset({"abc", "typing"})
"""The modules in which an interpreter makes the class of a protocol."""
_CONSTANTS: Final = frozenset(name for name in __all__ if name.isupper())


def __getattr__(name: str) -> Any:
    """Hand out constants and errors, which nobody calls, with the warning at the place of use."""
    if name in _FAILURES:
        found = getattr(front_failures, name)
    elif name in _CONSTANTS:
        found = getattr(frozen, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"{name}: {ADVICE}", DeprecationWarning, stacklevel=2)
    return found


class _EitherMeta(type):
    """`isinstance` holds for the records of both executors and of this front."""

    @override
    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        name = cls.__name__
        kinds = getattr(frozen, name, None), getattr(segment_api, name, None)
        return any(isinstance(instance, kind) for kind in kinds if inspect.isclass(kind))


@deprecated("replaced by the unified engine: use `engine`")
class AbortController(frozen.AbortController, metaclass=_EitherMeta):
    """Aborts a signal."""


@deprecated("replaced by the unified engine: use `engine`")
class AbortSignal(frozen.AbortSignal, metaclass=_EitherMeta):
    """Tells a tool that its call was aborted."""


@deprecated("replaced by the unified engine: use `engine`")
class DurableExecutionResult(frozen.DurableExecutionResult, metaclass=_EitherMeta):
    """What a segment returns."""

    __slots__ = ()


@deprecated("replaced by the unified engine: use `engine`")
class ExecutionCheckpoint(frozen.ExecutionCheckpoint, metaclass=_EitherMeta):
    """What a resume starts from."""

    __slots__ = ()


@deprecated("replaced by the unified engine: use `engine`")
class ExecutionEnvironment(frozen.ExecutionEnvironment, metaclass=_EitherMeta):
    """Everything of the outside world that one executor process works with."""

    __slots__ = ()


@deprecated("replaced by the unified engine: use `engine`")
class ExecutionState(frozen.ExecutionState, metaclass=_EitherMeta):
    """The whole state of one execution."""

    __slots__ = ()


@deprecated("replaced by the unified engine: use `engine`")
class StepState(frozen.StepState, metaclass=_EitherMeta):
    """What is known of one step."""

    __slots__ = ()


@deprecated("replaced by the unified engine: use `engine`")
class ToolExecutionResult(frozen.ToolExecutionResult, metaclass=_EitherMeta):
    """What a tool returned."""

    __slots__ = ()


@deprecated("replaced by the unified engine: use `engine`")
class ParameterError(frozen.ParameterError, metaclass=_EitherMeta):
    """One complaint of the parameter validator."""

    __slots__ = ()


@deprecated("replaced by the unified engine: use `engine`")
class TraceEntry(frozen.TraceEntry, metaclass=_EitherMeta):
    """One entry for the trace callback."""

    __slots__ = ()


@deprecated("replaced by the unified engine: use `engine`")
class IdempotencyService(frozen.IdempotencyService, metaclass=_EitherMeta):
    """Set-if-absent claims, which both executors ask."""


@deprecated("replaced by the unified engine: use `engine`")
class RealtimeService(frozen.RealtimeService, metaclass=_EitherMeta):
    """Publishes what is told to the outside, for both executors."""


@deprecated("replaced by the unified engine: use `engine`", category=None)
class ToolExecutor(frozen.ToolExecutor, Protocol):
    """Carries out tool calls. Whoever subclasses it is warned."""

    @override
    def __init_subclass__(cls, *arguments: Any, **keywords: Any) -> None:
        """Warn at the class statement, wherever the interpreter makes the class."""
        frame, level = inspect.currentframe(), 1
        while frame is not None and (level == 1 or frame.f_globals.get("__name__") in _MAKING):
            frame, level = frame.f_back, level + 1
        warnings.warn(ADVICE, DeprecationWarning, stacklevel=level)
        super().__init_subclass__(*arguments, **keywords)


@deprecated("replaced by the unified engine: use `engine`")
class CheckpointManager(metaclass=_EitherMeta):
    """Reads and writes checkpoints of whichever executor an execution belongs to."""

    def __init__(self, environment: Any) -> None:
        """Work on the store of `environment`."""
        self._environment = environment

    async def save(
        self,
        state: Any,
        *,
        next_step_index: int,
        segment_number: int,
        trace_id: str | None = None,
    ) -> None:
        """Store the checkpoint of a segment.

        Raises:
            SegmentError: as the executor does.
        """
        manager, form = await self._of(state.execution_id)
        with told_by_the_front():
            await manager.save(
                form(state),
                next_step_index=next_step_index,
                segment_number=segment_number,
                trace_id=trace_id,
            )

    async def load(self, execution_id: str) -> Any:
        """Return the checkpoint of an execution, or None.

        Raises:
            SegmentError: as the executor does.
        """
        manager, _ = await self._of(execution_id)
        with told_by_the_front():
            return await manager.load(execution_id)

    async def _of(self, execution_id: str) -> tuple[Any, Any]:
        with told_by_the_front():
            owner = await router().whose(execution_id, self._environment)
        if owner == "unified":
            return segment_api.CheckpointManager(self._environment), _unified_state
        return frozen.CheckpointManager(self._environment), _frozen_state


@deprecated("replaced by the unified engine: use `engine`")
def create_initial_state(execution_id: str, now_ms: int) -> frozen.ExecutionState:
    """Return a state in RECEIVED; either executor takes it.

    Raises:
        SchemaViolation: `execution_id` is not a UUID.
    """
    with told_by_the_front():
        return frozen.create_initial_state(execution_id, now_ms)


@deprecated("replaced by the unified engine: use `engine`")
def planned_state(
    execution_id: str, plan: Any, now_ms: int, intent: Any | None = None
) -> frozen.ExecutionState:
    """Return a new state in PLANNED; either executor takes it.

    Raises:
        SchemaViolation: the id, the plan or the intent does not have its shape.
    """
    with told_by_the_front():
        return frozen.planned_state(execution_id, plan, now_ms, intent)


@deprecated("replaced by the unified engine: use `engine`")
def find_ready_steps(
    state: Any, steps: Sequence[Mapping[str, Any]], start_index: int
) -> list[Mapping[str, Any]]:
    """Return the steps that can run now, as the executor that made `state` sees it.

    Raises:
        SegmentError: as the executor does.
    """
    with told_by_the_front():
        if isinstance(state, segment_api.ExecutionState):
            return list(segment_api.find_ready_steps(state, steps, start_index))
        return frozen.find_ready_steps(state, steps, start_index)


@deprecated("replaced by the unified engine: use `engine`")
def resolve_step_parameters(parameters: Any, state: Any) -> Any:
    """Return parameters with references replaced, as the executor that made `state` does."""
    if isinstance(state, segment_api.ExecutionState):
        return segment_api.resolve_step_parameters(parameters, state)
    return frozen.resolve_step_parameters(parameters, state)


@deprecated("replaced by the unified engine: use `engine`")
async def execute_segment(
    plan: Mapping[str, Any],
    tools: Any,
    *,
    execution_id: str,
    environment: Any,
    initial_state: Any | None = None,
    start_step_index: int | None = None,
    segment_number: int | None = None,
    idempotency: Any | None = None,
    trace: Any | None = None,
    trace_id: str | None = None,
) -> Any:
    """Run one segment on the executor that the router names; arguments and result are the same.

    Raises:
        SegmentError: as the executor does.
    """
    with told_by_the_front():
        return await router().execute_segment(
            plan,
            tools,
            execution_id=execution_id,
            environment=environment,
            initial_state=initial_state,
            start_step_index=start_step_index,
            segment_number=segment_number,
            idempotency=idempotency,
            trace=trace,
            trace_id=trace_id,
        )


@deprecated("replaced by the unified engine: use `engine`")
async def resume_from_checkpoint(
    execution_id: str,
    tools: Any,
    *,
    environment: Any,
    idempotency: Any | None = None,
    trace: Any | None = None,
    trace_id: str | None = None,
) -> Any:
    """Run the next segment on the executor that the execution belongs to.

    Raises:
        SegmentError: as the executor does.
    """
    with told_by_the_front():
        return await router().resume_from_checkpoint(
            execution_id,
            tools,
            environment=environment,
            idempotency=idempotency,
            trace=trace,
            trace_id=trace_id,
        )


async def _frozen_segment(*args: Any, initial_state: Any = None, **options: Any) -> Any:
    state = None if initial_state is None else _frozen_state(initial_state)
    return await frozen.execute_segment(*args, initial_state=state, **options)


async def _unified_segment(*args: Any, initial_state: Any = None, **options: Any) -> Any:
    state = None if initial_state is None else _unified_state(initial_state)
    return await segment_api.execute_segment(*args, initial_state=state, **options)


def _frozen_state(state: Any) -> frozen.ExecutionState:
    if isinstance(state, frozen.ExecutionState):
        return state
    return frozen.ExecutionState.from_document(state.document())


def _unified_state(state: Any) -> segment_api.ExecutionState:
    if isinstance(state, segment_api.ExecutionState):
        return state
    return segment_api.ExecutionState.from_document(state.document())


LEGACY: Final = SegmentExecutor(_frozen_segment, frozen.resume_from_checkpoint)
UNIFIED: Final = SegmentExecutor(_unified_segment, segment_api.resume_from_checkpoint)
_ROUTERS: Final[list[Router]] = []


def router() -> Router:
    """Return the router in use; by default one with the default flags."""
    if not _ROUTERS:
        _ROUTERS.append(Router(LEGACY, UNIFIED))
    return _ROUTERS[0]


def use_router(chosen: Router | None) -> None:
    """Route all calls of this front by `chosen`; None: by the default flags again."""
    _ROUTERS[:] = [] if chosen is None else [chosen]
