"""What a resume does about steps whose call was under way when the process died."""

import asyncio
from collections.abc import Mapping

from engine.checkpointer import Checkpointer
from engine.lookup import Lookup, lookup_failed
from engine.progress import Progress
from engine.states import StepStatus
from engine.types.execution import StepState


async def reconcile(
    progress: Progress, lookup: Lookup, checkpointer: Checkpointer
) -> dict[int, StepState]:
    """Return the steps whose state is settled by what their tools declare and know.

    Looked at are steps in progress, and those in doubt whose tool can be asked again.
    `queryable`: completed if the effect happened; in doubt while the lookup fails.
    `at_most_once`: in doubt until a person decides, however often one has decided before. All
    others are left in progress and called again with the same key and input. The lease is kept
    while lookups take their time.

    Raises:
        engine.errors.LeaseLostError: another process took over meanwhile.
        engine.errors.StoreUnavailableError: the lease could not be renewed until it ran out.
    """
    begun = {
        index: state for index in progress.ready() if _is_open(state := progress.states[index])
    }
    asked = {
        index: state
        for index, state in begun.items()
        if state.status is StepStatus.IN_PROGRESS or lookup.can_tell(progress.step(index), state)
    }
    found = await _look_up(progress, asked, lookup, checkpointer)
    settled: dict[int, StepState] = {}
    for index, state in asked.items():
        after = found[index]
        if after is None and state.status is StepStatus.IN_DOUBT:
            after = state.model_copy(update={"status": StepStatus.IN_PROGRESS, "error": None})
        if after is not None and after != state:
            settled[index] = after
    return settled


async def settle_doubts(
    progress: Progress,
    lookup: Lookup,
    checkpointer: Checkpointer,
    *,
    attempts: int,
    pause_ms: int,
) -> dict[int, StepState]:
    """Return the steps in doubt of which a lookup can tell a rollback what happened.

    What happened is completed, and so undone; what did not has failed. The others stay in doubt:
    for a rollback their effects have happened. A lookup that fails is tried `attempts` times, with
    doubling pauses.

    Raises:
        engine.errors.LeaseLostError: another process took over meanwhile.
        engine.errors.StoreUnavailableError: the lease could not be renewed until it ran out.
    """
    asked = {
        index: state
        for index in progress.ready()
        if (state := progress.states[index]).status is StepStatus.IN_DOUBT
        and lookup.can_tell(progress.step(index), state)
    }
    found = await _look_up(
        progress, asked, lookup, checkpointer, attempts=attempts, pause_ms=pause_ms
    )
    return {
        index: lookup.nothing(asked[index]) if state is None else state
        for index, state in found.items()
        if state != asked[index]
    }


def any_lookup_failed(progress: Progress) -> bool:
    """Whether a later lookup may settle what a person is asked about now."""
    return any(lookup_failed(progress.states[index]) for index in progress.ready())


def _is_open(state: StepState) -> bool:
    return state.status in (StepStatus.IN_PROGRESS, StepStatus.IN_DOUBT)


async def _look_up(
    progress: Progress,
    asked: Mapping[int, StepState],
    lookup: Lookup,
    checkpointer: Checkpointer,
    *,
    attempts: int = 1,
    pause_ms: int = 0,
) -> dict[int, StepState | None]:
    if not asked:
        return {}
    async with checkpointer.lease_kept(), asyncio.TaskGroup() as group:
        tasks = {
            index: group.create_task(
                lookup.settle(progress.step(index), state, attempts=attempts, pause_ms=pause_ms)
            )
            for index, state in asked.items()
        }
        await asyncio.wait(tasks.values())
    return {index: task.result() for index, task in tasks.items()}
