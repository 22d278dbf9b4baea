"""Binds the name of the legacy module to the executor that this process is to use.

The folder of this package goes to the front of `PYTHONPATH`: its `sitecustomize` then runs in every
Python process below, before anything of the consumer's is imported. So little may be imported here.
"""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from typing_extensions import override

FOLDER = Path(__file__).parent
EXECUTOR_VARIABLE = "PLANPROOF_EXECUTOR"  # the router of `engine.router_flags` reads it as well
MODULES_VARIABLE = "PLANPROOF_LEGACY_MODULES"
DEFAULT_MODULES = ("durable_execution",)

# Executor -> the module that has the legacy module's names and calls, carried out by that executor.
STAND_INS: Mapping[str, str] = {
    "legacy": "legacy.durable_execution",
    "unified": "engine.segment_api",
}


class StandIn(Loader):
    """Loads a module by handing another one out under its name.

    It is the other module itself, so that whoever patches a name in it patches what is called.
    """

    def __init__(self, target: str) -> None:
        """Hand out the module `target`."""
        self.target = target

    @override
    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    @override
    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self.target)


class StandInFinder(MetaPathFinder):
    """Finds the stand-in for each of some names."""

    def __init__(self, names: Sequence[str], target: str) -> None:
        """Let `target` stand in for `names`."""
        self.names = frozenset(names)
        self.target = target

    @override
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in self.names:
            return None
        return ModuleSpec(fullname, StandIn(self.target), is_package=True)


def install(environment: Mapping[str, str] = os.environ) -> None:
    """Bind the names as the environment asks for; without a request nothing happens.

    For `unified` the stand-in comes before whatever is installed under the name. For `legacy` it
    comes after it: what is installed is what the consumer runs today, and the frozen executor
    takes its place only where nothing is.
    """
    executor = environment.get(EXECUTOR_VARIABLE, "")
    target = STAND_INS.get(executor)
    if target is None:
        return
    finder = StandInFinder(legacy_modules(environment), target)
    if executor == "legacy":
        sys.meta_path.append(finder)
    else:
        sys.meta_path.insert(0, finder)


def legacy_modules(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the names of the legacy module, as its consumers import it."""
    given = environment.get(MODULES_VARIABLE, "")
    return tuple(name for name in given.split(",") if name) or DEFAULT_MODULES


def reached(executor: str, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the ways to the executor that this process has imported.

    Raises:
        RuntimeError: a name is bound to another executor, since something had imported it before.
    """
    names = legacy_modules(environment)
    if executor == "unified":
        expected = sys.modules.get(STAND_INS[executor])
        for name in names:
            if name in sys.modules and sys.modules[name] is not expected:
                raise RuntimeError(f"{name} was imported before it could be replaced")
    return tuple(name for name in (*names, "legacy.front") if name in sys.modules)
