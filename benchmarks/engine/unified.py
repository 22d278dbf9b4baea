"""The unified engine."""

from pathlib import Path
from typing import Any

from benchmarks.engine.contenders import Counting
from benchmarks.engine.workload import OUTPUT, Load, plan, run_all
from engine import EffectSemantics, ToolRegistry, WorkflowMachine, WorkflowSettings
from engine.plan import Plan, parse_plan
from engine.store_url import open_store


class Unified:
    """This project's engine as a worker process runs it."""

    counting: Counting = "connection"
    imports = "import engine, engine.redis_store"

    async def open(self, url: str, folder: Path) -> None:  # noqa: ARG002 - it has no files
        self._store: Any = open_store(url)
        self._settings = WorkflowSettings.worker()
        self._tools = ToolRegistry()
        self._calls = 0
        self._plans: dict[int, Plan] = {}

        @self._tools.tool(effects=EffectSemantics.KEYED)
        async def work(number: int) -> dict[str, str]:  # noqa: ARG001 - its value does not matter
            self._calls += 1
            return OUTPUT

    async def prepare(self, steps: int) -> None:
        self._plans.setdefault(steps, parse_plan(plan(steps)))

    async def run(self, load: Load, name: str) -> int:
        chain, before = self._plans[load.steps], self._calls

        async def one(execution_id: str) -> int:
            machine = WorkflowMachine(
                execution_id, self._tools, store=self._store, settings=self._settings
            )
            machine.set_plan(chain)
            result = await machine.execute()
            return result.completed_steps if result.success else 0

        done = await run_all(load, name, one)
        return min(done, self._calls - before)

    async def close(self) -> None:
        await self._store.aclose()

    def pids(self) -> list[int]:
        return []
