"""What a text rule is: an id, its docstring, its cases, and a function over one passage.

A sibling of `codemods.rules.rule`: those rules see a module's names, these see its strings, its
comments, and files that are no modules.
"""

from collections.abc import Callable
from dataclasses import dataclass

from codemods.migration_settings import MigrationSettings
from codemods.occurrence import Kind
from codemods.settings import DEFAULT_ROOT
from codemods.text_passage import Passage, TextEdit


@dataclass(frozen=True, slots=True)
class TextCase:
    """A file before and after; the same text twice for one that is left alone.

    `LEGACY` in the texts stands for the legacy module's name. `options` are the settings that the
    case needs, the default ones if None.
    """

    name: str
    file: str
    before: str
    after: str
    options: MigrationSettings | None = None

    def __post_init__(self) -> None:
        """Fill in the module's name."""
        object.__setattr__(self, "before", self.before.replace("LEGACY", DEFAULT_ROOT))
        object.__setattr__(self, "after", self.after.replace("LEGACY", DEFAULT_ROOT))

    @classmethod
    def noop(
        cls, name: str, file: str, text: str, options: MigrationSettings | None = None
    ) -> "TextCase":
        """Return the case of a text that stays."""
        return cls(name, file, text, text, options)

    @property
    def is_noop(self) -> bool:
        """Whether the rule must leave the text as it is."""
        return self.before == self.after


@dataclass(frozen=True, slots=True)
class TextRule:
    """One rule over text. `migrate` returns an edit or raises `RefusedError`.

    `kinds` are the forms of occurrence that it answers for; every form of text has one rule.
    """

    id: str
    title: str
    text: str
    kinds: frozenset[Kind]
    cases: tuple[TextCase, ...]
    migrate: Callable[[Passage], TextEdit]
