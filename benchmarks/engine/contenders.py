"""What can be measured, and the names of our own in the report."""

from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from benchmarks.engine.workload import Load

FLOOR = "redis-py, one EVALSHA a step"
OURS = "planproof engine"
LEGACY = "legacy executor"

Counting: TypeAlias = Literal["connection", "server", "files"]
"""Where the bytes of a contender are counted: at its own connections, by the server (for one with
several processes), or as what its process writes (for one that stores in files)."""


class Contender(Protocol):
    """Something that carries chains of steps out durably.

    Attributes:
        counting: where what it sends is counted.
        imports: the statement by which a user of it imports it.
    """

    counting: Counting
    imports: str

    async def open(self, url: str, folder: Path) -> None:
        """Connect to the server at `url`; files go below `folder`."""

    async def prepare(self, steps: int) -> None:
        """Build what can be built once for all chains of this length; not measured."""

    async def run(self, load: Load, name: str) -> int:
        """Carry `load` out under ids that begin with `name`; return how many steps were done."""

    async def close(self) -> None:
        """Let go of everything."""

    def pids(self) -> list[int]:
        """Return further processes that do its work, for memory and processor time."""
