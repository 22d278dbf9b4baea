"""Executors that are not ours, each a program of the executor protocol with an extra of its own."""

import importlib.util
import sys
from dataclasses import dataclass

from conformance.errors import HarnessError
from conformance.kit.subprocess_executor import SubprocessSubject
from conformance.world import World


@dataclass(frozen=True)
class PackagedProgram:
    """Builds a subject that runs `python -m conformance.subjects.<name>_program`."""

    name: str
    needs: str

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
        return SubprocessSubject(world, (sys.executable, "-m", module))


DBOS = PackagedProgram("dbos", "dbos")
LANGGRAPH = PackagedProgram("langgraph", "langgraph")
