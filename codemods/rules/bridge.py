"""What no rule can write directly keeps its name and is imported from `engine.segment_api`.

What: names that are handed on (`__all__`, facades, star imports, `functools.partial`, aliases,
decorators, arguments), calls with `*args`, results that leave their function, subclasses, modules
that are imported as a whole and looked into, and whatever tests replace by name.

Why it is safe: the bridge exports every legacy name with the same parameters and fields, which a
test compares, and runs it on the unified engine. Nothing but the import changes, so whoever takes
the name from this module, patches it or looks it up finds it where it was.
"""

from codemods.rules.rule import Case, Rule

CASES = (
    Case(
        "a facade",
        "from LEGACY import execute_segment as run\n\n__all__ = ['run']\n",
    ),
    Case("a star import", "from LEGACY import *\n"),
    Case(
        "a module that is looked into",
        "import LEGACY\n\nf = getattr(LEGACY, name)\n",
        "from engine import segment_api\n\nf = getattr(segment_api, name)\n",
    ),
    Case(
        "a module with a fallback keeps its name",
        "try:\n    import LEGACY\nexcept ImportError:\n    LEGACY = None\n",
        "try:\n    from engine import segment_api as LEGACY\nexcept ImportError:\n    LEGACY = None\n",
    ),
    Case("a name that the bridge has not", *["from LEGACY import __version__\n"] * 2),
)
RULE = Rule("CM108", "Names taken from the bridge", __doc__ or "", CASES)
