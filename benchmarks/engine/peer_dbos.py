"""DBOS with its system database in SQLite."""

from pathlib import Path
from typing import Any

from dbos import DBOS, SetWorkflowID

from benchmarks.engine.contenders import Counting
from benchmarks.engine.workload import OUTPUT, Load, run_all


class Dbos:
    """A workflow function that awaits one step after the other."""

    counting: Counting = "files"
    imports = "import dbos"

    async def open(self, url: str, folder: Path) -> None:  # noqa: ARG002 - it needs no server
        database = f"sqlite:///{folder / 'dbos.sqlite'}"
        DBOS(config={"name": "bench", "system_database_url": database, "log_level": "ERROR"})
        calls = [0]
        self._calls = calls

        @DBOS.step()
        async def work(number: int) -> dict[str, str]:  # noqa: ARG001 - its value does not matter
            calls[0] += 1
            return OUTPUT

        @DBOS.workflow()
        async def chain(steps: int) -> int:
            for number in range(steps):
                await work(number)
            return steps

        self._chain: Any = chain
        DBOS.launch()

    async def prepare(self, steps: int) -> None:
        pass

    async def run(self, load: Load, name: str) -> int:
        before = self._calls[0]

        async def one(execution_id: str) -> int:
            with SetWorkflowID(execution_id):
                return int(await self._chain(load.steps))

        done = await run_all(load, name, one)
        return min(done, self._calls[0] - before)

    async def close(self) -> None:
        DBOS.destroy()

    def pids(self) -> list[int]:
        return []
