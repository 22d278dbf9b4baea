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
from typing import Any

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


_TARGET = "_stands_in_for"


class StandInModule(ModuleType):
    """A module with a name of its own and everything else of another one.

    What is set, replaced or taken away here (a test that patches a name) is so in the other module,
    where those who call it look it up.
    """

    @override
    def __getattr__(self, name: str) -> Any:
        if _is_own(name) and _TARGET not in vars(self):  # the module is being made
            raise AttributeError(name)
        return getattr(vars(self)[_TARGET], name)

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        holder: Any = super() if _is_own(name) else vars(self)[_TARGET]
        holder.__setattr__(name, value)

    @override
    def __delattr__(self, name: str) -> None:
        holder: Any = super() if _is_own(name) else vars(self)[_TARGET]
        holder.__delattr__(name)

    @override
    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(vars(self)[_TARGET])})


def _is_own(name: str) -> bool:
    """Whether an attribute is the stand-in's: what the import system and Python itself set."""
    return name.startswith("__") and name.endswith("__")


class StandInLoader(Loader):
    """Makes the stand-in for one module."""

    def __init__(self, target: str) -> None:
        """Let the module `target` be stood in for."""
        self.target = target

    @override
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StandInModule(spec.name)

    @override
    def exec_module(self, module: ModuleType) -> None:
        target = importlib.import_module(self.target)
        vars(module)[_TARGET] = target
        module.__doc__ = target.__doc__


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
        return ModuleSpec(fullname, StandInLoader(self.target), is_package=True)


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
        for name in names:
            found = sys.modules.get(name)
            if found is not None and not isinstance(found, StandInModule):
                raise RuntimeError(f"{name} was imported before it could be replaced")
    return tuple(name for name in (*names, "legacy.front") if name in sys.modules)
