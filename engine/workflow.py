"""The common case in two lines: run a plan until it ends."""

from collections.abc import Mapping
from typing import Any

from engine.clock import Clock, SystemClock
from engine.identity import SystemIdSource
from engine.plan import Plan
from engine.store import Store
from engine.store_url import open_store
from engine.tools import ToolExecutor
from engine.types.execution import ExecutionResult
from engine.workflow_machine import WorkflowMachine


async def execute_workflow(
    plan: Plan | Mapping[str, Any],
    tools: ToolExecutor,
    *,
    execution_id: str | None = None,
    store: Store | None = None,
    store_url: str | None = None,
    resume: bool = True,
    **options: Any,
) -> ExecutionResult:
    """Run `plan` and return its result; segments that yield are resumed here, when due.

    Args:
        plan: the plan, or its JSON form.
        tools: carries the calls out.
        execution_id: by default a fresh one.
        store: where the execution is durable; else `store_url` is opened, and closed at the end.
        store_url: see `engine.store_url.open_store`; by default PLANPROOF_STORE_URL.
        resume: False: return the first partial result instead.
        **options: further keyword arguments of `WorkflowMachine`.

    Raises:
        engine.errors.EngineError: as `WorkflowMachine.set_plan` and `execute` do.
    """
    clock: Clock = options.get("clock") or SystemClock()
    ids = options.get("ids") or SystemIdSource()
    opened = store or open_store(store_url, clock=options.get("clock"), ids=options.get("ids"))
    try:
        machine = WorkflowMachine(execution_id or ids.new_id(), tools, store=opened, **options)
        machine.set_plan(plan)
        result = await machine.execute()
        while resume and result.due_at_ms is not None:
            await clock.sleep_ms(max(0, result.due_at_ms - clock.now_ms()))
            result = await machine.execute()
        return result
    finally:
        if store is None:
            await opened.aclose()
