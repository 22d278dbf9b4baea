"""Executors that are not ours, each a program of the executor protocol with an extra of its own."""

import importlib.util
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
    """

    name: str
    needs: str
    packages: tuple[str, ...] = ()

    def __call__(self, world: World) -> SubprocessSubject:
        """Build the subject.

        Raises:
            HarnessError: the extra is not installed.
        """
        if importlib.util.find_spec(self.needs) is None:
            raise HarnessError(
                f"the package {self.needs} is not installed",
                advice=f"pip install 'planproof[{self.name}]'",
            )
        module = f"conformance.subjects.{self.name}_program"
        return SubprocessSubject(world, partial(fork_life, module, (*self.packages, PIPE)))


DBOS = PackagedProgram("dbos", "dbos", ("dbos", "dbos._outcome"))
LANGGRAPH = PackagedProgram(
    "langgraph",
    "langgraph",
    ("langgraph.graph", "langgraph.pregel._retry", "langgraph.checkpoint.sqlite"),
)
