"""What the segment executor is given from outside: clock, store, tools, model and observers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from redis.asyncio import Redis

from legacy.abort import AbortSignal
from legacy.realtime import RealtimeService


class Timer(Protocol):
    """A timer that can be taken back."""

    def cancel(self) -> None:
        """Take the timer back."""


class Clock(Protocol):
    """Where the executor reads time and waits."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""

    def monotonic_ms(self) -> float:
        """Return milliseconds on a clock that never goes back."""

    async def sleep_ms(self, ms: float) -> None:
        """Wait `ms` milliseconds."""

    def call_later_ms(self, ms: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` in `ms` milliseconds unless the timer is cancelled."""


@dataclass(frozen=True, slots=True)
class ToolExecutionResult:
    """What a tool returned.

    `has_output` is false when the result has no output at all; `compensation` is what the tool says
    undoes its effect, kept and never run.
    """

    success: bool
    has_output: bool = False
    output: Any = None
    error: str | None = None
    compensation: Mapping[str, Any] | None = None


class ToolExecutor(Protocol):
    """Carries out tool calls. It may raise; it may heed `signal` or not."""

    async def execute(
        self,
        tool_name: str,
        parameters: Any,
        timeout_ms: int | None = None,
        signal: AbortSignal | None = None,
    ) -> ToolExecutionResult:
        """Call a tool. `timeout_ms` is passed on from the plan and enforced by nobody else."""


class ToolDefinitions(Protocol):
    """The registry of tools, as far as the executor reads it."""

    def parameter_aliases(self, tool_name: str) -> Mapping[str, str]:
        """Return alias -> primary in definition order; empty for an unknown tool."""


@dataclass(frozen=True, slots=True)
class ParameterError:
    """One complaint of the parameter validator."""

    path: str
    message: str


class ParameterValidator(Protocol):
    """Judges the parameters of a call."""

    async def validate(self, tool_name: str, parameters: Any) -> Sequence[ParameterError]:
        """Return the errors; none means valid."""


class LanguageModel(Protocol):
    """The model that is asked how to recover from a tool failure."""

    async def generate(self, model_type: str, prompt: str) -> str:
        """Return the model's answer; raises if there is none."""


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One entry for the trace callback. `timestamp` is ISO 8601, `latency_ms` milliseconds."""

    timestamp: str
    event: str
    step_id: str
    latency_ms: int
    error: str | None = None
    phase: str = "execution"


TraceCallback = Callable[[TraceEntry], None]


class ClaimService(Protocol):
    """Remembers which steps were claimed."""

    def claim(self, owner: str, step_index: int) -> Awaitable[bool]:
        """Claim a step; return False if it was claimed before."""


@dataclass(frozen=True, slots=True)
class ExecutionEnvironment:
    """Everything of the outside world that one executor process works with."""

    redis: Redis
    clock: Clock
    realtime: RealtimeService
    model: LanguageModel
    validator: ParameterValidator
    definitions: ToolDefinitions
