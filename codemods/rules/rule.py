"""What a rule is: an id, its docstring, its cases, and a function over one reference."""

from collections.abc import Callable
from dataclasses import dataclass

from codemods.mapping import shipped
from codemods.module_view import ModuleView, Site
from codemods.settings import DEFAULT_ROOT


@dataclass(frozen=True, slots=True)
class Case:
    """A module before and after; the same text twice for one that is left alone.

    `LEGACY` in the texts stands for the legacy module's name. Without an `after` the module takes
    the same names from the bridge.
    """

    name: str
    before: str
    after: str = ""

    def __post_init__(self) -> None:
        """Fill in the module's name."""
        if not self.after:
            bridged = self.before.replace("from LEGACY import", f"from {shipped().bridge} import")
            object.__setattr__(self, "after", bridged)
        object.__setattr__(self, "before", self.before.replace("LEGACY", DEFAULT_ROOT))
        object.__setattr__(self, "after", self.after.replace("LEGACY", DEFAULT_ROOT))

    @property
    def is_noop(self) -> bool:
        """Whether the rule must leave the text as it is."""
        return self.before == self.after


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `migrate` records edits in the view or raises `BlockedError`.

    A rule without it describes what the planner does by itself.
    """

    id: str
    title: str
    text: str
    cases: tuple[Case, ...]
    migrate: Callable[[ModuleView, Site], None] | None = None
