"""Runs in every Python process that has this folder on its path: see `conformance.executor_switch`."""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

HERE = Path(__file__).parent


def _hand_on() -> None:
    """Run the `sitecustomize` that this one hides, if there is one."""
    others = [entry for entry in sys.path if not entry or Path(entry) != HERE]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


def _switch() -> None:
    try:
        from conformance.executor_switch import install  # noqa: PLC0415 - see below
    except ImportError:
        return  # an interpreter of another environment: nothing of this run reaches it
    install()


_switch()
_hand_on()
