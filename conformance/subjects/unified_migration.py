"""How runs come to the unified engine and leave it, in the words of progress/v1.

Both ways go through the records of the segment executor, as a cutover does: a foreign run is
written down as that executor would have left it, and adopted; one that leaves is handed back, and
told from what was written for its heir.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from conformance.kit.progress import PROGRESS_SCHEMA
from conformance.subject import Threw
from conformance.world import World
from engine.adoption import adopt, look
from engine.errors import (
    AdoptionRefusedError,
    EngineError,
    ExecutionNotFoundError,
    HandBackRefusedError,
    HandedBackError,
    LeaseHeldError,
)
from engine.hand_back import hand_back
from engine.identity import IdSource
from engine.legacy_records import envelope_of, keys_of, resumable_task
from engine.plan import parse_plan
from engine.redis_store import RedisStore
from engine.segment_api.records import ExecutionState, StepState, plan_document, planned_state
from engine.states import StepStatus
from engine.workflow_machine import WorkflowMachine


async def take_in(
    world: World, store: RedisStore, ids: IdSource, progress: Mapping[str, Any]
) -> None:
    """Write the run down as the segment executor leaves one between two steps, and adopt it.

    Raises:
        Threw: the engine refuses it, or has it already.
    """
    try:
        await _require_absent(store, progress["execution_id"])
        state = _foreign_state(progress, world.clock.now_ms())
        task = resumable_task(state, None, 1, world.clock.now_ms())
        task_key, state_key = keys_of(state.execution_id)[:2]
        with world.store.offstage():
            await world.store.set(task_key, json.dumps(task))
            await world.store.set(state_key, json.dumps(envelope_of(state, world.clock.now_ms())))
        await adopt(state.execution_id, store=store, ids=ids)
    except EngineError as error:
        raise Threw(error.message, error.code) from error


async def _require_absent(store: RedisStore, execution_id: str) -> None:
    """Refuse a run that is ours: the records of one that was adopted keep others off it."""
    with contextlib.suppress(ExecutionNotFoundError, HandedBackError):
        await store.load(execution_id)
        raise AdoptionRefusedError(f"execution {execution_id}: it is known here already")


def _foreign_state(progress: Mapping[str, Any], now_ms: int) -> ExecutionState:
    state = planned_state(
        progress["execution_id"], progress["plan"], now_ms, intent=progress["intent"]
    )
    steps = tuple(_foreign_step(step) for step in progress["steps"])
    return replace(state, step_states=steps)


def _foreign_step(step: Mapping[str, Any]) -> StepState:
    if step["status"] == "pending":
        return StepState(step["id"])
    return StepState(
        step["id"], str(StepStatus.COMPLETED), attempts=1, has_output=True, output=step["output"]
    )


async def hand_out(
    world: World, store: RedisStore, ids: IdSource, machine: WorkflowMachine
) -> Mapping[str, Any]:
    """Hand the run back, and tell what its heir finds.

    A step whose call a dead process had begun is called again first, under its key: between two
    steps a run can leave, in the middle of one it cannot.

    Raises:
        Threw: the run has ended, waits for a person, or cannot be gone on with elsewhere.
    """
    try:
        await _leave(world, store, ids, machine)
        seen = await look(store, machine.execution_id)
    except EngineError as error:
        raise Threw(error.message, error.code) from error
    state = seen.records.state
    assert state is not None  # noqa: S101 - it was written by the hand-back
    assert state.plan is not None  # noqa: S101 - the same
    return {
        "schema": PROGRESS_SCHEMA,
        "execution_id": state.execution_id,
        "plan": plan_document(parse_plan(state.plan)),
        "intent": state.intent,
        "steps": [
            {"id": step.step_id, "status": step.status, "output": step.output}
            for step in state.step_states
        ],
    }


async def _leave(world: World, store: RedisStore, ids: IdSource, machine: WorkflowMachine) -> None:
    """Hand the run back as soon as it stands between two steps and no process has it."""
    while True:
        try:
            await hand_back(machine.execution_id, store=store, ids=ids)
        except LeaseHeldError as error:
            await world.clock.sleep_ms(error.retry_after_ms)
        except HandBackRefusedError:
            state = await store.load(machine.execution_id)
            if all(step.status is not StepStatus.IN_PROGRESS for step in state.steps):
                raise
            await machine.execute_single_step()
        else:
            return
