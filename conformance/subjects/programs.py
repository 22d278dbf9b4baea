"""Executors that are not ours, each a program of the executor protocol with an extra of its own."""

import importlib.util
import sqlite3
import sys
from dataclasses import dataclass
from functools import partial

from conformance.errors import HarnessError
from conformance.kit.fork_launch import fork_life
from conformance.kit.subprocess_executor import SubprocessSubject
from conformance.world import World

PIPE = "conformance.kit.pipe"


@dataclass(frozen=True)
class PackagedProgram:
    """Builds a subject that runs `python -m conformance.subjects.<name>_program`.

    Attributes:
        needs: the package without which it cannot.
        packages: what it imports, once for all its lives.
        sqlite: the oldest version of SQLite that it can work with under this Python.
    """

    name: str
    needs: str
    packages: tuple[str, ...] = ()
    sqlite: tuple[int, ...] = ()

    def __call__(self, world: World) -> SubprocessSubject:
        """Build the subject.

        Raises:
            HarnessError: the extra is not installed, or this Python's SQLite is too old for it.
        """
        if importlib.util.find_spec(self.needs) is None:
            raise HarnessError(
                f"the package {self.needs} is not installed",
                advice=f"pip install 'planproof[{self.name}]'",
            )
        if sqlite3.sqlite_version_info < self.sqlite:
            raise HarnessError(
                f"{self.name} needs SQLite {'.'.join(map(str, self.sqlite))} under this Python, "
                f"which has {sqlite3.sqlite_version}",
                advice="use a Python with a newer SQLite, or Python 3.11",
            )
        module = f"conformance.subjects.{self.name}_program"
        return SubprocessSubject(world, partial(fork_life, module, (*self.packages, PIPE)))


DBOS = PackagedProgram(
    "dbos",
    "dbos",
    ("dbos", "dbos._outcome"),
    # From Python 3.12 on it asks SQLite for milliseconds, which older ones answer with null.
    sqlite=(3, 42) if sys.version_info >= (3, 12) else (),
)
LANGGRAPH = PackagedProgram(
    "langgraph",
    "langgraph",
    ("langgraph.graph", "langgraph.pregel._retry", "langgraph.checkpoint.sqlite"),
)
