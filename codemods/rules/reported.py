"""What has no successor of the same use is reported, with what the engine does instead.

What: nothing is rewritten in a module that uses such a name.

Why it is safe: a module is migrated as a whole or not at all, so no half of it depends on the old
module's objects while the other half makes new ones.
"""

from codemods.mapping import shipped
from codemods.module_view import BlockedError, ModuleView, Site
from codemods.rules.rule import Case, Rule


def migrate(view: ModuleView, site: Site) -> None:
    """Refuse."""
    del view
    raise BlockedError(site.node, site.symbol.reason)


_TEXT = "from LEGACY import AbortSignal\n\ndef f(signal: AbortSignal): ...\n"
CASES = (Case("a signal", _TEXT, _TEXT),)
RULE = Rule(
    shipped().symbols["AbortSignal"].rule,
    "Names without a successor",
    __doc__ or "",
    CASES,
    migrate,
)
