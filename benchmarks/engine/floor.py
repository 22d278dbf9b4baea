"""The floor: the least that a durable step can cost with the same client."""

import hashlib
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from benchmarks.engine.contenders import Counting
from benchmarks.engine.workload import OUTPUT, Load, run_all


class Floor:
    """One fenced write of a step's output for each step: the least that a durable step can cost."""

    counting: Counting = "connection"
    imports = "import redis.asyncio"

    _SCRIPT = """
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 'STALE' end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 'OK'
"""

    async def open(self, url: str, folder: Path) -> None:  # noqa: ARG002 - it has no files
        self._client: Any = Redis.from_url(url)
        await self._client.script_load(self._SCRIPT)
        self._digest = hashlib.sha1(self._SCRIPT.encode(), usedforsecurity=False).hexdigest()
        self._output = str(OUTPUT)

    async def prepare(self, steps: int) -> None:
        pass

    async def run(self, load: Load, name: str) -> int:
        client, digest, output = self._client, self._digest, self._output

        async def one(key: str) -> int:
            done = 0
            await client.hset(key, "fence", "1")
            for index in range(load.steps):
                done += await client.evalsha(digest, 1, key, "1", str(index), output) == b"OK"
            return done

        return await run_all(load, f"floor:{name}", one)

    async def close(self) -> None:
        await self._client.aclose()

    def pids(self) -> list[int]:
        return []
