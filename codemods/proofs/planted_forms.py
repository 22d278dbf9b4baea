"""Legacy forms to plant into foreign modules: generated from a seed, each with what it must show.

A form is appended to a module as whole statements at its end, so nothing of the module changes its
meaning. Names carry the number of the plant, so several forms of one module do not meet.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_NAMES = ("ToolExecutor", "DurableExecutionResult", "ExecutionEnvironment", "SegmentError")


@dataclass(frozen=True, slots=True)
class Plant:
    """One planted form: its kind, and the lines to append."""

    form: str
    text: str


def _call(draw: random.Random, root: str, n: int) -> str:
    name = f"execute_segment_{n}" if draw.random() < 0.5 else "execute_segment"  # noqa: PLR2004 - a coin
    clause = "execute_segment" if name == "execute_segment" else f"execute_segment as {name}"
    order = ["execution_id='x'", "environment=env"]
    draw.shuffle(order)
    return (
        f"async def planted_{n}(plan, tools, env):\n"
        f"    from {root} import {clause}\n"
        f"    result = await {name}(plan, tools, {', '.join(order)})\n"
        f"    return result.success\n"
    )


def _module_call(draw: random.Random, root: str, n: int) -> str:
    field = draw.choice(["error_code", "success", "is_partial", "total_steps"])
    return (
        f"async def planted_{n}(key, tools, env):\n"
        f"    import {root} as planted_module_{n}\n"
        f"    result = await planted_module_{n}.resume_from_checkpoint(key, tools, environment=env)\n"
        f"    return result.{field}\n"
    )


def _name(draw: random.Random, root: str, n: int) -> str:
    name = draw.choice(_NAMES[:3])
    return (
        f"from {root} import {name} as planted_name_{n}\n"
        f"def planted_{n}(value: planted_name_{n}) -> None: ...\n"
    )


def _handler(_draw: random.Random, root: str, n: int) -> str:
    return (
        f"def planted_{n}(go):\n"
        f"    from {root} import SegmentError as planted_error_{n}\n"
        f"    try:\n        return go()\n"
        f"    except planted_error_{n}:\n        return None\n"
    )


def _guarded(_draw: random.Random, root: str, n: int) -> str:
    return (
        f"try:\n    from {root} import ToolExecutor as planted_name_{n}\n"
        f"except ImportError:\n    planted_name_{n} = None\n"
    )


def _partial(_draw: random.Random, root: str, n: int) -> str:
    return (
        f"from functools import partial as planted_partial_{n}\n"
        f"from {root} import execute_segment as planted_call_{n}\n"
        f"planted_{n} = planted_partial_{n}(planted_call_{n}, execution_id='x')\n"
    )


def _dynamic(draw: random.Random, root: str, n: int) -> str:
    quote = draw.choice("'\"")
    return (
        f"def planted_{n}():\n"
        f"    import importlib as planted_importlib_{n}\n"
        f"    return planted_importlib_{n}.import_module({quote}{root}{quote})\n"
    )


def _patched(_draw: random.Random, root: str, n: int) -> str:
    return (
        f"def planted_{n}():\n"
        f"    from unittest import mock\n"
        f"    return mock.patch('{root}.CheckpointManager')\n"
    )


FORMS: dict[str, Callable[[random.Random, str, int], str]] = {
    "call": _call,
    "call through the module": _module_call,
    "name": _name,
    "handler": _handler,
    "guarded import": _guarded,
    "partial": _partial,
    "dynamic import": _dynamic,
    "patch target": _patched,
}


def plants(count: int, seed: int, roots: Sequence[str]) -> list[Plant]:
    """Return `count` forms; every form comes before one comes again."""
    draw = random.Random(seed)  # noqa: S311 - the same forms for the same seed
    found: list[Plant] = []
    while len(found) < count:
        names = list(FORMS)
        draw.shuffle(names)
        for form in names[: count - len(found)]:
            found.append(Plant(form, FORMS[form](draw, draw.choice(roots), len(found))))
    return found
