"""What has no successor of the same use is taken from the bridge, in its old shape.

What: states, signals, claim and realtime services, trace entries, and the functions over states.

Why it is safe: the bridge has them under the same names and with the same parameters, which a test
compares; the report says what the engine does instead, for whoever finishes by hand.
"""

from codemods.mapping import shipped
from codemods.module_view import BlockedError, ModuleView, Site
from codemods.rules.rule import Case, Rule


def migrate(view: ModuleView, site: Site) -> None:
    """Refuse the direct form."""
    del view
    raise BlockedError(site.node, site.symbol.reason)


CASES = (
    Case("a signal", "from LEGACY import AbortSignal\n\ndef f(signal: AbortSignal): ...\n"),
    Case("another one's signal", "from other import AbortSignal\n"),
)
RULE = Rule(
    shipped().symbols["AbortSignal"].rule,
    "Names without a direct successor",
    __doc__ or "",
    CASES,
    migrate,
)
