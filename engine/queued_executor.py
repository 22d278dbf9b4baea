"""A `WorkflowExecutor` whose slices are carried out by the workers of a queue."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from engine.clock import Clock, SystemClock
from engine.errors import LeaseHeldError
from engine.limits import EXECUTE_POLL_MS, EXECUTE_WAIT_MS, MAX_EXECUTE_POLL_MS
from engine.plan import Plan
from engine.results import recorded_result
from engine.resume_queue import ResumeQueue, ask
from engine.states import is_terminal
from engine.types.execution import ExecutionResult, ExecutionState, SingleStepResult, YieldReason
from engine.workflow_machine import WorkflowMachine

WorkflowMachines: TypeAlias = Callable[[str], WorkflowMachine]
"""Makes the machine of an execution id: `partial(WorkflowMachine, tools=tools, store=store)`."""


class QueuedExecutor:
    """One execution of one plan, driven elsewhere: one message a slice, which carries only the id.

    The base of the adapters. What is durable is the store's; the queue only says that it is time.
    """

    def __init__(
        self,
        execution_id: str,
        machines: WorkflowMachines,
        queue: ResumeQueue,
        *,
        clock: Clock | None = None,
        wait_ms: int = EXECUTE_WAIT_MS,
    ) -> None:
        """Prepare to have `execution_id` carried out; nothing is read, written or sent yet.

        Args:
            execution_id: names the execution for ever.
            machines: makes its machine, on the store that the workers use. Its tools are called
                only by `execute_single_step`; its safety policy judges the plan.
            queue: whose workers drive the execution.
            clock: the time; by default the system's.
            wait_ms: how long `execute` waits for the end.
        """
        self.execution_id = execution_id
        self._machine = machines(execution_id)
        self._queue = queue
        self._clock = clock or SystemClock()
        self._wait_ms = wait_ms
        self._left = False

    def set_plan(self, plan: Plan | Mapping[str, Any]) -> None:
        """Give the plan to be executed. See `WorkflowMachine.set_plan`."""
        self._machine.set_plan(plan)

    async def submit(self) -> ExecutionState:
        """Make the execution durable and due, and ask for its first slice; wait for nothing.

        A queue that loses the message, or refuses it, delays the execution until the next sweep.

        Raises:
            engine.errors.EngineError: as `WorkflowMachine.submit` does.
        """
        state = await self._machine.submit()
        if not is_terminal(state.status):
            await ask(self._queue, self.execution_id, self._clock.now_ms())
        return state

    async def execute(self) -> ExecutionResult:
        """Submit the execution and wait until it has ended or waits for a person.

        It looks at the store, ever less often, for at most `wait_ms`; slices that yield meanwhile
        are waited for, too. When that time is over, or `yield_execution` was called, the result is
        partial and the execution goes on: call it again to wait longer.

        Raises:
            engine.errors.EngineError: as `WorkflowMachine.execute` does, without `LEASE_HELD`:
                somebody who works on it is waited for.
        """
        self._left = False
        begun_ms = self._clock.monotonic_ms()
        with contextlib.suppress(LeaseHeldError):  # it is being carried out
            await self.submit()
        pause_ms = EXECUTE_POLL_MS
        while True:
            state = await self._machine.get_state()
            spent_ms = self._clock.monotonic_ms() - begun_ms
            if is_terminal(state.status) or state.waiting_for or self._left:
                return self._result(state, spent_ms)
            if spent_ms >= self._wait_ms:
                return self._result(state, spent_ms)
            await self._clock.sleep_ms(min(pause_ms, self._wait_ms - spent_ms))
            pause_ms = min(pause_ms * 2, MAX_EXECUTE_POLL_MS)

    async def execute_single_step(self, step_index: int | None = None) -> SingleStepResult:
        """Carry out one ready step here, in this process, under the lease that the workers respect.

        Between two steps the execution is due after `resume_delay_ms`, and workers go on with it.

        Raises:
            engine.errors.EngineError: as `WorkflowMachine.execute_single_step` does.
        """
        return await self._machine.execute_single_step(step_index)

    async def get_state(self) -> ExecutionState:
        """Return what is durable. See `WorkflowMachine.get_state`."""
        return await self._machine.get_state()

    async def yield_execution(self, reason: str) -> None:
        """Ask the segment to end before its next batch, in whatever process it runs.

        It sees the request with its next write. A waiting `execute` returns a partial result at its
        next look.

        Raises:
            engine.errors.StoreUnavailableError: the store failed; the segment was not asked.
        """
        self._left = True
        await self._machine.yield_execution(reason)
        await self._machine.request_yield()

    async def cancel(self, reason: str) -> bool:
        """Cancel the execution, wherever it runs. See `WorkflowMachine.cancel`."""
        known = await self._machine.cancel(reason)
        if known:
            await ask(self._queue, self.execution_id, self._clock.now_ms())
        return known

    async def confirm(self, step_id: str, token: str, approved: bool) -> None:  # noqa: FBT001
        """Decide about a step, and ask for the next slice. See `WorkflowMachine.confirm`."""
        await self._machine.confirm(step_id, token, approved)
        await ask(self._queue, self.execution_id, self._clock.now_ms())

    def _result(self, state: ExecutionState, spent_ms: float) -> ExecutionResult:
        result = recorded_result(state).model_copy(update={"execution_time_ms": int(spent_ms)})
        if is_terminal(state.status):
            return result
        reason, due_at_ms = None, state.due_at_ms
        if state.waiting_for:
            reason = YieldReason.CONFIRMATION
        else:
            reason = YieldReason.REQUESTED if self._left else YieldReason.BUDGET
            due_at_ms = due_at_ms or self._clock.now_ms()
        return result.model_copy(
            update={
                "is_partial": True,
                "yield_reason": reason,
                "due_at_ms": due_at_ms,
                "waiting_for": state.waiting_for,
            }
        )
