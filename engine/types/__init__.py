"""Types that executors exchange."""

from engine.types.execution import (
    ErrorInfo,
    ExecutionResult,
    ExecutionState,
    SingleStepResult,
    StepState,
    WorkflowExecutor,
)

__all__ = [
    "ErrorInfo",
    "ExecutionResult",
    "ExecutionState",
    "SingleStepResult",
    "StepState",
    "WorkflowExecutor",
]
