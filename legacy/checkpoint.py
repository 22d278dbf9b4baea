"""Checkpoints: what a segment leaves behind when its time is up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from legacy.execution_state import ExecutionState, iso_time
from legacy.ports import ExecutionEnvironment
from legacy.task_state import TaskRecord, TaskService

RESUME_DELAY_MS: Final = 2_000


@dataclass(frozen=True, slots=True)
class ExecutionCheckpoint:
    """What a resume starts from."""

    execution_id: str
    state: ExecutionState
    start_step_index: int
    segment_number: int

    @property
    def plan(self) -> Mapping[str, Any] | None:
        """The plan inside the state: the parsed one, of the first run."""
        return self.state.plan


class CheckpointManager:
    """Stores a checkpoint in the context of the task record, and announces the next segment."""

    def __init__(self, environment: ExecutionEnvironment) -> None:
        """Work on the store, clock and channel of `environment`."""
        self._environment = environment
        self._tasks = TaskService(environment.redis, environment.clock)

    async def save(
        self,
        state: ExecutionState,
        *,
        next_step_index: int,
        segment_number: int,
        trace_id: str | None = None,
    ) -> None:
        """Store the checkpoint of segment `segment_number`, schedule the next and announce it.

        Quirk 47: a checkpoint that could not be written is scheduled and announced all the same.
        Quirk 48: an error of the schedule or the event ends the run as failed although a
        checkpoint stands.

        Raises:
            MemoryFailure: the schedule could not be written.
            Exception: the event could not be signed or published.
        """
        following = segment_number + 1
        await self._tasks.add_context(
            state.execution_id,
            {
                "execution_state": state.document(),
                "last_checkpoint_at": iso_time(self._environment.clock.now_ms()),
                "segment_number": following,
                "next_step_index": next_step_index,
            },
        )
        await self._tasks.schedule(
            state.execution_id,
            {
                "start_step_index": next_step_index,
                "segment_number": following,
                "priority": following,
                "intent_id": None if state.intent is None else state.intent["id"],
                "plan_id": None if state.plan is None else state.plan["id"],
                "trace_id": trace_id,
            },
            delay_ms=RESUME_DELAY_MS,
        )
        await self._environment.realtime.continue_execution(
            {
                "executionId": state.execution_id,
                "nextStepIndex": next_step_index,
                "segmentNumber": following,
                "traceId": trace_id,
            }
        )

    async def load(self, execution_id: str) -> ExecutionCheckpoint | None:
        """Return the checkpoint of an execution, or None if there is none that can be read.

        Quirk 6: index and segment number are the record's own, those of the first segment, not
        the ones in the checkpoint. Quirk 51: a checkpoint outlives the completion of its run.
        """
        record: TaskRecord | None = await self._tasks.find(execution_id)
        stored = None if record is None else record["context"].get("execution_state")
        if record is None or stored is None:
            return None
        return ExecutionCheckpoint(
            execution_id=execution_id,
            state=ExecutionState.from_document(stored),
            start_step_index=record["current_step_index"],
            segment_number=record["segment_number"],
        )
