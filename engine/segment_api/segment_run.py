"""One call of `execute_segment` on a `WorkflowMachine`."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from engine.clock import SystemClock
from engine.errors import ExecutionNotFoundError
from engine.identity import SystemIdSource
from engine.plan import Plan, parse_plan
from engine.segment_api import adoption
from engine.segment_api.checkpoint import first_open_step
from engine.segment_api.claims import ClaimService, SegmentTools
from engine.segment_api.default_store import opened
from engine.segment_api.failures import MalformedPlanError
from engine.segment_api.realtime import Announcer
from engine.segment_api.records import ExecutionState, carried_intent, state_of
from engine.segment_api.result import DurableExecutionResult
from engine.segment_api.trace import TraceCallback, Tracer
from engine.store import Store
from engine.tool_adapters import PositionalTools, adapt_tools
from engine.types import execution as engine_records
from engine.workflow_machine import WorkflowMachine


@dataclass(frozen=True, slots=True)
class SegmentRun:
    """What `execute_segment` was called with."""

    execution_id: str
    tools: PositionalTools
    environment: Any
    initial_state: ExecutionState | None
    start_step_index: int
    segment_number: int
    idempotency: ClaimService | None
    trace: TraceCallback | None
    trace_id: str | None

    async def run(self, plan: Plan | Mapping[str, Any]) -> DurableExecutionResult:
        """Run the segment; see `engine.segment_api.execute_segment`."""
        parsed = _parsed(plan)
        async with AsyncExitStack() as stack:
            options = await stack.enter_async_context(opened(self.environment))
            store: Store = options["store"]
            durable = await _load(store, self.execution_id)
            announcer = self._announcer(parsed)
            listeners: list[Any] = [] if self.trace is None else [Tracer(self.trace)]
            if announcer is not None:
                listeners.append(announcer)
                await stack.enter_async_context(announcer.running())
            machine = WorkflowMachine(
                self.execution_id,
                self._segment_tools(parsed, durable),
                listeners=listeners,
                intent=None if self.initial_state is None else carried_intent(self.initial_state),
                trace_id=self.trace_id,
                **options,
            )
            machine.set_plan(parsed)
            await self._take_over(parsed, durable, options)
            result = await machine.execute()
            after = await store.load(self.execution_id)
        # Another process may have gone on already: what this segment did is told.
        after = after.model_copy(
            update={"status": result.status, "steps": result.steps, "error": result.error}
        )
        index = first_open_step(result.steps)
        if announcer is not None and result.due_at_ms is not None:
            await announcer.ask_to_continue(
                self.execution_id, index, result.segment_number + 1, after.trace_id
            )
        return DurableExecutionResult.of(result, state_of(after), index)

    async def _take_over(
        self,
        plan: Plan,
        durable: engine_records.ExecutionState | None,
        options: Mapping[str, Any],
    ) -> None:
        """Compare what was handed in with what is durable; begin where it says, if nothing is."""
        state = self.initial_state
        if durable is not None and state is not None:
            adoption.check_continues(durable, state)
        if durable is not None and not adoption.is_untouched(durable):
            adoption.check_not_ahead(durable, state, self.start_step_index)
            return
        adoption.check_new(self.execution_id, plan, state, self.start_step_index)
        if state is not None and adoption.is_begun(state):
            await adoption.adopt(
                options["store"],
                plan,
                state,
                segment_number=self.segment_number,
                clock=options.get("clock") or SystemClock(),
                ids=SystemIdSource(),
                trace_id=self.trace_id,
            )

    def _segment_tools(
        self, plan: Plan, durable: engine_records.ExecutionState | None
    ) -> SegmentTools:
        intent: Mapping[str, Any] | None = None
        called: set[str] = set()
        if self.initial_state is not None:
            intent = self.initial_state.intent
            called = {step.step_id for step in self.initial_state.step_states if step.attempts}
        if durable is not None:
            intent = durable.intent
            called |= {step.id for step in durable.steps if step.attempts}
        return SegmentTools(
            tools=adapt_tools(self.tools),
            validator=getattr(self.environment, "validator", None),
            claims=self.idempotency,
            owner=str((intent or {}).get("id", self.execution_id)),
            positions={step.id: index for index, step in enumerate(plan.steps)},
            called=called,
        )

    def _announcer(self, plan: Plan) -> Announcer | None:
        realtime = getattr(self.environment, "realtime", None)
        return None if realtime is None else Announcer(realtime, plan)


def _parsed(plan: Plan | Mapping[str, Any]) -> Plan:
    """Return the plan, checked; one without a list of steps would else be an empty one."""
    if isinstance(plan, Mapping) and not isinstance(plan.get("steps"), list | tuple):
        raise MalformedPlanError("plan.steps: a plan has a list of steps")
    return parse_plan(plan)


async def _load(store: Store, execution_id: str) -> engine_records.ExecutionState | None:
    try:
        return await store.load(execution_id)
    except ExecutionNotFoundError:
        return None
