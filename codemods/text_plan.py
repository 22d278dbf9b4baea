"""The plan for what one file says outside of imports and names: strings, configuration, documents."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from codemods.discovery import Language
from codemods.edits import Edit
from codemods.mapping import shipped
from codemods.migration_settings import MigrationSettings
from codemods.occurrence import Occurrence
from codemods.source import Source
from codemods.text_edits import decide
from codemods.text_passage import Refusal, TextEdit


@dataclass(frozen=True, slots=True)
class TextPlan:
    """What was decided about each occurrence of one file."""

    decided: Mapping[Occurrence, TextEdit | Refusal] = field(default_factory=dict)

    def edits(self, stays: Iterable[Occurrence] = ()) -> list[Edit]:
        """Return the edits, each once, without those of occurrences that have to stay."""
        kept = frozenset(stays)
        found = {
            Edit(item.start, item.end, item.old, item.new)
            for occurrence, item in self.decided.items()
            if isinstance(item, TextEdit) and occurrence not in kept
        }
        return sorted(found)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that rewrite something."""
        return tuple(
            sorted({item.rule for item in self.decided.values() if isinstance(item, TextEdit)})
        )


def plan_text(
    source: Source,
    items: Iterable[Occurrence],
    language: Language,
    options: MigrationSettings,
    is_taken: Callable[[int, int], bool] | None = None,
) -> TextPlan:
    """Decide about each occurrence.

    Args:
        source: the whole decoded text.
        items: the occurrences.
        language: how the file is read.
        options: the migration's settings.
        is_taken: says whether an edit of the module's own plan touches a span.
    """
    decided: dict[Occurrence, TextEdit | Refusal] = {}
    for item in items:
        found = decide(source, item, language, options, shipped())
        if (
            isinstance(found, TextEdit)
            and is_taken is not None
            and is_taken(found.start, found.end)
        ):
            found = Refusal("the code around it is rewritten too", found.rule)
        decided[item] = found
    return TextPlan(decided)
