"""The unified durable workflow engine.

>>> from engine import ToolRegistry, execute_workflow
"""

from engine.clock import Clock, SystemClock
from engine.error_recovery import CallAgain, ErrorRecovery, FailedCall, ModelErrorRecovery
from engine.errors import EngineError
from engine.events import Event, EventName
from engine.failover import (
    AlternativeParameters,
    AlternativeTool,
    Escalate,
    FailoverPolicy,
    FailoverRule,
    FailureReason,
    RetryAfter,
)
from engine.identity import IdSource, SeededIdSource, SystemIdSource
from engine.plan import Compensation, Constraints, Plan, RetryPolicy, Step, parse_plan
from engine.safety import ForbiddenSequence, ParameterLimit, SafetyPolicy
from engine.saga_orchestrator import SagaResult, execute_plan_with_saga
from engine.settings import Durability, References, Scheduling, WorkflowSettings
from engine.states import ExecutionStatus, StepStatus
from engine.store import Store
from engine.store_url import open_store
from engine.tool_adapters import (
    PositionalTools,
    RunEnvironment,
    ToolAnswer,
    adapt_tools,
    load_state,
    workflow_options,
)
from engine.tools import (
    EffectSemantics,
    ParameterFault,
    ToolCall,
    ToolDefinition,
    ToolExecutor,
    ToolRegistry,
    ToolResult,
)
from engine.types.execution import (
    ErrorInfo,
    ExecutionResult,
    ExecutionState,
    SingleStepResult,
    StepState,
    WorkflowExecutor,
)
from engine.workflow import execute_workflow
from engine.workflow_machine import WorkflowMachine

__all__ = [
    "AlternativeParameters",
    "AlternativeTool",
    "CallAgain",
    "Clock",
    "Compensation",
    "Constraints",
    "Durability",
    "EffectSemantics",
    "EngineError",
    "ErrorInfo",
    "ErrorRecovery",
    "Escalate",
    "Event",
    "EventName",
    "ExecutionResult",
    "ExecutionState",
    "ExecutionStatus",
    "FailedCall",
    "FailoverPolicy",
    "FailoverRule",
    "FailureReason",
    "ForbiddenSequence",
    "IdSource",
    "ModelErrorRecovery",
    "ParameterFault",
    "ParameterLimit",
    "Plan",
    "PositionalTools",
    "References",
    "RetryAfter",
    "RetryPolicy",
    "RunEnvironment",
    "SafetyPolicy",
    "SagaResult",
    "Scheduling",
    "SeededIdSource",
    "SingleStepResult",
    "Step",
    "StepState",
    "StepStatus",
    "Store",
    "SystemClock",
    "SystemIdSource",
    "ToolAnswer",
    "ToolCall",
    "ToolDefinition",
    "ToolExecutor",
    "ToolRegistry",
    "ToolResult",
    "WorkflowExecutor",
    "WorkflowMachine",
    "WorkflowSettings",
    "adapt_tools",
    "execute_plan_with_saga",
    "execute_workflow",
    "load_state",
    "open_store",
    "parse_plan",
    "workflow_options",
]
