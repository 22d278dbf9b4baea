"""The frozen segment executor on a real client, with nothing around it that could slow it down."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from benchmarks.engine.contenders import Counting
from benchmarks.engine.workload import OUTPUT, Load, plan, run_all
from legacy.durable_execution import (
    ExecutionEnvironment,
    RealtimeService,
    ToolExecutionResult,
    execute_segment,
    planned_state,
)

MOST_KEPT_STEPS = 100
"""Steps of the plan that the state keeps a copy of."""


class _Clock:
    """The machine's time; but no segment ever uses its budget up, because none can be resumed."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        return 0

    async def sleep_ms(self, ms: float) -> None:
        raise AssertionError(f"a chain that does not fail never waits, least of all {ms} ms")

    def call_later_ms(self, ms: float, callback: Callable[[], object]) -> Any:
        return asyncio.get_running_loop().call_later(ms / 1_000, callback)


class _Nobody:
    """Channel, model, validator and definitions that do nothing at once."""

    async def sign(self, event: str) -> str:
        return event

    async def publish(self, event: str, data: Mapping[str, Any], token: str) -> None:
        pass

    async def generate(self, model_type: str, prompt: str) -> str:
        raise AssertionError(f"no tool fails, but {model_type} was asked: {prompt}")

    async def validate(self, tool_name: str, parameters: Any) -> Sequence[Any]:  # noqa: ARG002
        return ()

    def parameter_aliases(self, tool_name: str) -> Mapping[str, str]:  # noqa: ARG002
        return {}


class Legacy:
    """The segment executor; a plan is one segment."""

    counting: Counting = "connection"
    imports = "import legacy.durable_execution"

    async def open(self, url: str, folder: Path) -> None:  # noqa: ARG002 - it has no files
        nobody: Any = _Nobody()
        self._client: Any = Redis.from_url(url)
        self._clock = _Clock()
        self._environment = ExecutionEnvironment(
            redis=self._client,
            clock=self._clock,
            realtime=RealtimeService(nobody),
            model=nobody,
            validator=nobody,
            definitions=nobody,
        )
        self._plans: dict[int, dict[str, Any]] = {}
        self._calls = 0

    async def prepare(self, steps: int) -> None:
        self._plans.setdefault(steps, plan(steps))

    async def execute(
        self, tool_name: str, parameters: Any, timeout_ms: int | None = None, signal: Any = None
    ) -> Any:
        """Be the tool."""
        del tool_name, parameters, timeout_ms, signal
        self._calls += 1
        return ToolExecutionResult(success=True, has_output=True, output=OUTPUT)

    async def run(self, load: Load, name: str) -> int:
        chain, before = self._plans[load.steps], self._calls
        # Its state refuses longer plans, its loop does not; what the state copies is sent each time.
        kept = {**chain, "steps": chain["steps"][:MOST_KEPT_STEPS]}

        async def one(execution: str) -> int:
            execution_id = str(uuid.uuid5(uuid.NAMESPACE_URL, execution))
            result = await execute_segment(
                chain,
                self,
                execution_id=execution_id,
                environment=self._environment,
                initial_state=planned_state(execution_id, kept, self._clock.now_ms()),
            )
            return result.completed_steps if result.success and not result.is_partial else 0

        done = await run_all(load, name, one)
        return min(done, self._calls - before)

    async def close(self) -> None:
        await self._client.aclose()

    def pids(self) -> list[int]:
        return []
