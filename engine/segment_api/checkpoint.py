"""Checkpoints: what a resume starts from. The engine writes them itself, at each transition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import ExecutionNotFoundError
from engine.segment_api.adoption import check_not_ahead
from engine.segment_api.default_store import opened
from engine.segment_api.failures import CheckpointMissingError
from engine.segment_api.records import ExecutionState, state_of
from engine.states import StepStatus, is_terminal
from engine.types import execution as engine_records


@dataclass(frozen=True, slots=True)
class ExecutionCheckpoint:
    """What a resume starts from.

    Attributes:
        start_step_index: position of the first step that has not completed.
        segment_number: of the segment that a resume would run; of the last one after the end.
    """

    execution_id: str
    state: ExecutionState
    start_step_index: int
    segment_number: int

    @property
    def plan(self) -> Mapping[str, Any] | None:
        """The plan inside the state."""
        return self.state.plan


class CheckpointManager:
    """Reads checkpoints, and vouches for them."""

    def __init__(self, environment: Any | None = None) -> None:
        """Work on the store of `environment`; None: on the default store."""
        self._environment = environment

    async def save(
        self,
        state: ExecutionState,
        *,
        next_step_index: int,
        segment_number: int,  # noqa: ARG002 - of the call's shape; the engine numbers segments
        trace_id: str | None = None,  # noqa: ARG002 - of the call's shape
    ) -> None:
        """Make sure that what `state` says is durable; nothing is written.

        Raises:
            CheckpointMissingError: the store does not know the execution.
            engine.errors.StateConflictError: the store knows less than `state`, or a step in
                front of `next_step_index` has not ended.
            MemoryFailure: the store failed.
        """
        durable = await load_durable(state.execution_id, self._environment)
        if durable is None:
            raise CheckpointMissingError(f"no execution {state.execution_id}")
        check_not_ahead(durable, state, next_step_index)

    async def load(self, execution_id: str) -> ExecutionCheckpoint | None:
        """Return what is durable of an execution, ended or not; None if there is none.

        Raises:
            MemoryFailure: the store failed.
        """
        durable = await load_durable(execution_id, self._environment)
        if durable is None:
            return None
        index = first_open_step(durable.steps)
        return ExecutionCheckpoint(
            execution_id=execution_id,
            state=state_of(durable),
            start_step_index=len(durable.steps) if index is None else index,
            segment_number=durable.segment_number + (not is_terminal(durable.status)),
        )


async def load_durable(
    execution_id: str, environment: Any | None
) -> engine_records.ExecutionState | None:
    """Return the engine's record of an execution, or None."""
    async with opened(environment) as options:
        try:
            found: engine_records.ExecutionState = await options["store"].load(execution_id)
        except ExecutionNotFoundError:
            return None
        return found


def first_open_step(steps: tuple[engine_records.StepState, ...]) -> int | None:
    """Return the position of the first step that has not completed, or None."""
    return next(
        (at for at, step in enumerate(steps) if step.status is not StepStatus.COMPLETED), None
    )
