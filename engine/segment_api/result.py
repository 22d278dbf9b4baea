"""What one segment returns: the engine's result with the fields that callers of segments read."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import SkipValidation, field_serializer

from engine.segment_api.records import ExecutionState
from engine.states import ExecutionStatus
from engine.types.execution import ErrorInfo, ExecutionResult

_POSITIONAL = (
    "success",
    "is_partial",
    "state",
    "completed_steps",
    "failed_steps",
    "total_steps",
    "execution_time_ms",
    "next_step_index",
    "segment_number",
    "error_code",
    "error_message",
)
# Callers take results apart like any frozen record: `dataclasses.replace`, `asdict` and
# `fields`.
_FIELDS = dataclasses.make_dataclass(
    "_FIELDS",
    [
        *((name, Any) for name in _POSITIONAL),
        *((name, Any) for name in ExecutionResult.model_fields if name not in _POSITIONAL),
    ],
)


class DurableExecutionResult(ExecutionResult):
    """What a segment returns.

    Attributes:
        state: what is durable after the segment.
        segment_number: the segment that ended before the execution did; None after the end.
        next_step_index: position of the first step that has not completed; None after the end.
        error_code: why the execution failed; None if it has not.
        error_message: the same in words.
    """

    state: SkipValidation[ExecutionState]
    segment_number: int | None = None  # type: ignore[assignment]  # callers test it for None
    next_step_index: int | None = None
    error_code: str | None = None
    error_message: str | None = None

    __dataclass_fields__: ClassVar = vars(_FIELDS)["__dataclass_fields__"]

    def __init__(  # noqa: PLR0917 - the shape of the call
        self,
        success: bool,  # noqa: FBT001 - the shape of the call
        is_partial: bool,  # noqa: FBT001 - the shape of the call
        state: ExecutionState,
        completed_steps: int,
        failed_steps: int,
        total_steps: int,
        execution_time_ms: int,
        next_step_index: int | None = None,
        segment_number: int | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
        **further: Any,
    ) -> None:
        """Take the fields in this order; `further` are those of `engine.ExecutionResult`.

        What is left out of those follows from the state, so that a test can build one by hand.
        """
        if isinstance(state, Mapping):
            state = ExecutionState.from_document(state)
        further.setdefault("execution_id", getattr(state, "execution_id", ""))
        further.setdefault("status", _status(state, success=success, is_partial=is_partial))
        if error_code is not None:
            further["error"] = ErrorInfo(code=error_code, message=error_message or "")
        further |= {
            "success": success,
            "is_partial": is_partial,
            "state": state,
            "completed_steps": completed_steps,
            "failed_steps": failed_steps,
            "total_steps": total_steps,
            "execution_time_ms": execution_time_ms,
            "next_step_index": next_step_index,
            "segment_number": segment_number,
            "error_code": error_code,
            "error_message": error_message,
        }
        super().__init__(**further)

    @field_serializer("state")
    def _document(self, state: ExecutionState) -> dict[str, Any]:
        return state.document()

    @classmethod
    def of(
        cls, result: ExecutionResult, state: ExecutionState, next_step_index: int | None
    ) -> Self:
        """Return `result` with what is durable after it."""
        known = {name: getattr(result, name) for name in ExecutionResult.model_fields}
        known["segment_number"] = result.segment_number if result.is_partial else None
        error = result.error
        return cls(
            state=state,
            next_step_index=next_step_index if result.is_partial else None,
            error_code=None if error is None else error.code,
            error_message=None if error is None else error.message,
            **known,
        )


def _status(state: Any, *, success: bool, is_partial: bool) -> ExecutionStatus:
    """Return the status that a state names, else the one that follows from the outcome."""
    try:
        return ExecutionStatus(str(getattr(state, "status", "")))
    except ValueError:
        if is_partial:
            return ExecutionStatus.EXECUTING
        return ExecutionStatus.COMPLETED if success else ExecutionStatus.FAILED
