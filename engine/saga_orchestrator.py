"""`execute_plan_with_saga`: run a plan to its end, with everything undone if it fails."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from engine.plan import Plan
from engine.tools import ToolExecutor
from engine.types.execution import ErrorInfo, ExecutionResult
from engine.workflow import execute_workflow


class SagaResult(BaseModel):
    """How a saga ended.

    Attributes:
        balanced: nothing that should have been undone remains.
        execution: the full result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    success: bool
    balanced: bool
    compensated_steps: tuple[str, ...]
    uncompensated_steps: tuple[str, ...]
    error: ErrorInfo | None
    execution: ExecutionResult


async def execute_plan_with_saga(
    plan: Plan | Mapping[str, Any], tools: ToolExecutor, **options: Any
) -> SagaResult:
    """Run `plan`; if a step fails, undo every completed step that can be undone.

    Args:
        plan: the plan, or its JSON form.
        tools: carries calls and compensations out.
        **options: keyword arguments of `engine.workflow.execute_workflow`.

    Raises:
        engine.errors.EngineError: as `execute_workflow` does.
    """
    result = await execute_workflow(plan, tools, **options)
    return SagaResult(
        success=result.success,
        balanced=not result.is_partial and not result.uncompensated_steps,
        compensated_steps=result.compensated_steps,
        uncompensated_steps=result.uncompensated_steps,
        error=result.error,
        execution=result,
    )
