"""One call of a tool: bounded in time, whatever the tool does."""

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from engine.clock import Clock
from engine.errors import EngineError, StoreUnavailableError
from engine.tools import ToolCall, ToolExecutor, ToolResult
from engine.types.execution import ErrorInfo

_T = TypeVar("_T")
ABORTED = "AbortError: cancelled"
NO_MESSAGE = "Unknown tool execution error"


@dataclass(slots=True)
class Answer:
    """How one call ended."""

    result: ToolResult
    raised: bool = False
    aborted: bool = False
    code: str = ""
    tool_name: str = ""

    @property
    def unknown(self) -> bool:
        """Whether nobody can tell if the effect happened: an exception, but none of ours."""
        return self.raised and not self.code

    def error(self) -> ErrorInfo:
        """Return the error of a failed call under its code."""
        message = self.result.error
        if self.code:
            return ErrorInfo(code=self.code, message=message)
        if self.raised:
            return ErrorInfo(code="STEP_EXECUTION_FAILED", message=message)
        if "invalid parameters" in message.lower():
            return ErrorInfo(code="TOOL_VALIDATION_FAILED", message=message)
        return ErrorInfo(code="TOOL_EXECUTION_FAILED", message=message or NO_MESSAGE)


def invoke(
    tools: ToolExecutor, call: ToolCall, *, clock: Clock, abort_ms: int | None
) -> Awaitable[Answer]:
    """Make one call, cancelled after `abort_ms`. A tool that ends all the same is heard.

    Raises:
        asyncio.CancelledError: the caller was cancelled; what the tool answers to that, however
            late, goes to nobody, so that nothing is called again for an execution that was lost.
        engine.errors.StoreUnavailableError: the tool raised it, for an execution inside this one.
    """
    if abort_ms is None:
        return _answer(in_own_context(_execute(tools, call)), call)
    return _bounded(tools, call, clock, abort_ms)


async def _bounded(tools: ToolExecutor, call: ToolCall, clock: Clock, abort_ms: int) -> Answer:
    aborted = False
    task: asyncio.Future[ToolResult]

    def abort() -> None:
        nonlocal aborted
        aborted = True
        task.cancel()

    # Armed before the call, so that at the very bound the abort comes first.
    timer = clock.call_later_ms(abort_ms, abort)
    task = asyncio.ensure_future(_execute(tools, call))
    try:
        answer = await _answer(task, call)
    finally:
        timer.cancel()
    return replace(answer, aborted=True) if aborted else answer


async def _answer(called: Awaitable[ToolResult], call: ToolCall) -> Answer:
    """Wait for a call; whatever it raises is an answer, unless the caller itself is cancelled."""
    code, raised = "", True
    try:
        result = await called
        raised = False
    except asyncio.CancelledError:  # the abort, the caller's, or an accident inside the tool
        result = ToolResult.failed(ABORTED)
    except StoreUnavailableError:
        raise
    except EngineError as error:
        code, result = error.code, ToolResult.failed(error.message)
    except Exception as error:  # noqa: BLE001 - whatever a tool raises is the step's failure
        result = ToolResult.failed(str(error))
    caller = asyncio.current_task()
    if caller is not None and caller.cancelling():
        raise asyncio.CancelledError
    return Answer(result, raised=raised, code=code, tool_name=call.tool_name)


@types.coroutine
def in_own_context(called: Coroutine[Any, Any, _T]) -> Generator[Any, Any, _T]:
    """Run a coroutine inside the caller's task, but in a copy of its context.

    What a task of its own would be for, at a tenth of the price: context variables that a tool sets
    are not seen by the next one. Who needs to be cancelled apart from the caller needs a task.
    """
    run = copy_context().run
    step: Callable[[Any], Any] = called.send
    given: Any = None
    while True:
        try:
            waited = run(step, given)
        except StopIteration as ended:
            found: _T = ended.value
            return found
        try:
            yield waited
            step, given = called.send, None
        except GeneratorExit:
            called.close()
            raise
        except BaseException as error:  # noqa: BLE001 - the coroutine's to handle
            step, given = called.throw, error


async def _execute(tools: ToolExecutor, call: ToolCall) -> ToolResult:
    answer: object = await tools.execute(call)
    if isinstance(answer, ToolResult):
        return answer
    raise TypeError(f"a tool executor returns ToolResult, not {type(answer).__name__}")
