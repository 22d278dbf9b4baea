"""Errors change their names where they are caught or tested for.

What: the class in `except`, `isinstance`, `issubclass` and `pytest.raises`.

Why it is safe: the successors are classes of one hierarchy under `EngineError`, as the old ones
were under `SegmentError`. An error that is raised, made or derived from is bridged, because the
engine's take other arguments.
"""

import ast

from codemods.mapping import shipped
from codemods.module_view import BlockedError, ModuleView, Site
from codemods.rules.rule import Case, Rule

_TESTS = frozenset({"isinstance", "issubclass", "raises"})


def migrate(view: ModuleView, site: Site) -> None:
    """Rewrite one handler or test."""
    node: ast.AST = site.node
    parent = view.parents[node]
    if isinstance(parent, ast.Tuple):
        node, parent = parent, view.parents[parent]
    is_handler = isinstance(parent, ast.ExceptHandler)
    function = parent.func if isinstance(parent, ast.Call) else None
    name = getattr(function, "attr", getattr(function, "id", ""))
    if not (is_handler or (name in _TESTS and function is not node)):
        raise BlockedError(site.node, f"{site.symbol.name} is raised, made or derived from here")
    view.replace(*view.span(site.node), view.use(site.symbol.target))


CASES = (
    Case(
        "a handler",
        "import LEGACY as de\ntry:\n    go()\n"
        "except (KeyError, de.CheckpointMissingError):\n    pass\n",
        "from engine.errors import ExecutionNotFoundError\ntry:\n    go()\n"
        "except (KeyError, ExecutionNotFoundError):\n    pass\n",
    ),
    Case(
        "an error that is raised",
        "from LEGACY import SegmentError\n\ndef f():\n    raise SegmentError('x')\n",
    ),
    Case("another one's error", "raise x.SegmentError('x')\n"),
)
RULE = Rule(
    shipped().symbols["SegmentError"].rule, "Errors that are caught", __doc__ or "", CASES, migrate
)
