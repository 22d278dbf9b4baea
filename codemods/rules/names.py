"""Classes and constants whose successor has the same shape change only their name.

What: protocols of tools, what a tool returns, the environment, a validator's fault, and the time
limits. Where the local name is bound more than once, exported, listed in `__all__` or used by other
modules it is kept: `from engine import PositionalTools as ToolExecutor`.

Why it is safe: a test compares the signatures of both sides, so whatever is done with the old name
(annotation, base class, call, `isinstance`) can be done with the new one.
"""

from codemods.mapping import shipped
from codemods.module_view import ModuleView, Site
from codemods.rules.rule import Case, Rule


def migrate(view: ModuleView, site: Site) -> None:
    """Rewrite one reference."""
    view.replace(*view.span(site.node), view.use(site.symbol.target))


CASES = (
    Case(
        "in a TYPE_CHECKING block",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from LEGACY import ToolExecutor  # only a type\n\n"
        "def f(tools: ToolExecutor): ...\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from engine import PositionalTools  # only a type\n\n"
        "def f(tools: PositionalTools): ...\n",
    ),
    Case(
        "a name with a fallback keeps it",
        "try:\n    from LEGACY import ToolExecutor\nexcept ImportError:\n"
        "    ToolExecutor = object\n",
        "try:\n    from engine import PositionalTools as ToolExecutor\nexcept ImportError:\n"
        "    ToolExecutor = object\n",
    ),
    Case(
        "an alias, a list with comments, and a name in __all__",
        "from LEGACY import (\n    ToolExecutor as Tools,  # one\n"
        "    ParameterError,  # two\n)\n__all__ = ['ParameterError']\n",
        "from engine import (\n    PositionalTools as Tools,  # one\n"
        "    ParameterFault as ParameterError,  # two\n)\n__all__ = ['ParameterError']\n",
    ),
    Case(
        "a shadowing parameter keeps the name",
        "from LEGACY import ToolExecutor\n\ndef f(ToolExecutor): return ToolExecutor\n",
        "from engine import PositionalTools as ToolExecutor\n\n"
        "def f(ToolExecutor): return ToolExecutor\n",
    ),
    Case(
        "function-local, with backslashes, never hoisted",
        "def f():\n    from LEGACY \\\n        import ToolExecutionResult\n"
        "    return ToolExecutionResult(True)\n",
        "def f():\n    from engine \\\n        import ToolAnswer\n    return ToolAnswer(True)\n",
    ),
    Case(
        "names of two modules",
        "from LEGACY import ParameterError, STEP_ABORT_MS\nx = STEP_ABORT_MS\n",
        "from engine import ParameterFault\n"
        "from engine.limits import STEP_ABORT_MS\nx = STEP_ABORT_MS\n",
    ),
    Case("an attribute of something else", "x.ToolExecutor = 1\n", "x.ToolExecutor = 1\n"),
    Case(
        "a collision",
        "import LEGACY\nPositionalTools = 1\nx: LEGACY.ToolExecutor\n",
        "from engine import PositionalTools as engine_PositionalTools\n"
        "PositionalTools = 1\nx: engine_PositionalTools\n",
    ),
)
RULE = Rule(
    shipped().symbols["ToolExecutor"].rule, "Names of the same shape", __doc__ or "", CASES, migrate
)
