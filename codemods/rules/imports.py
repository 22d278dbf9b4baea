"""Imports of the legacy module become imports of the engine, where they stand.

What: `import`, `from ... import`, aliases, relative and vendored paths, in any block. A name that
the engine already gives to the module is not imported twice.

Why it is safe: an import is edited in place and never hoisted, so cycles, fallbacks, conditions and
`TYPE_CHECKING` blocks keep their order. A local name stays where it is bound more than once,
exported, in `__all__`, named in text, or taken by the new name's namesake.
"""

from codemods.rules.rule import Case, Rule

CASES = (
    Case(
        "a package path",
        "from acme.vendor.LEGACY import ToolExecutor as T\n",
        "from engine import PositionalTools as T\n",
    ),
    Case(
        "a relative path",
        "from . import LEGACY, other\nx: LEGACY.ToolExecutor\n",
        "from . import other\nfrom engine import PositionalTools\nx: PositionalTools\n",
    ),
    Case(
        "a target that is imported already",
        "from engine import PositionalTools\nfrom LEGACY import ToolExecutor\nx: ToolExecutor\n",
        "from engine import PositionalTools\nx: PositionalTools\n",
    ),
    Case(
        "another module's submodule",
        "from LEGACY.worker import main\n",
        "from LEGACY.worker import main\n",
    ),
)
RULE = Rule("CM001", "Imports of the legacy module", __doc__ or "", CASES)
