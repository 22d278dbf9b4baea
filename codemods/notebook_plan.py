"""The plan for one notebook: its code cells as one module, with the text in them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from codemods.discovery import Language
from codemods.edits import Edit, EditError
from codemods.migration_draft import CODE, NAMED
from codemods.migration_settings import MigrationSettings
from codemods.module_view import Blocker
from codemods.notebook_edits import NotebookModule, apply, plan_notebook
from codemods.occurrence import Occurrence
from codemods.planner import IMPORT_RULE, ModulePlan
from codemods.source import Source
from codemods.text_plan import TextPlan, plan_text


@dataclass(frozen=True, slots=True)
class NotebookMigration:
    """What is to be done to a notebook.

    Attributes:
        plan: of its code as one module.
        text: of the strings in it.
        source: that module.
        located: each occurrence in the code with its place in the module.
        after: the notebook's bytes; None if nothing changes.
    """

    plan: ModulePlan
    text: TextPlan
    source: Source
    located: Mapping[Occurrence, Occurrence]
    after: bytes | None = None


def migrate_notebook(
    data: bytes,
    items: Sequence[Occurrence],
    needles: Sequence[str],
    options: MigrationSettings,
    plan_code: Callable[[str, Sequence[Occurrence]], ModulePlan],
) -> NotebookMigration:
    """Plan a notebook.

    Args:
        data: its bytes.
        items: the occurrences in it.
        needles: the legacy words.
        options: the migration's settings.
        plan_code: plans a module's text with the occurrences in it.
    """
    found: list[NotebookMigration] = []

    def plan(module: NotebookModule) -> Sequence[Edit]:
        located = {item: place for item in items if (place := module.find(item)) is not None}
        code = plan_code(module.text, list(located.values()))
        source = Source.of(module.text)
        in_text = {
            item: place
            for item, place in located.items()
            if item.needle and item.kind not in CODE | NAMED
        }
        text = plan_text(
            source,
            in_text.values(),
            Language.PYTHON,
            options,
            lambda start, end: any(edit.start < end and start < edit.end for edit in code.edits),
        )
        by_item = {item: text.decided[place] for item, place in in_text.items()}
        found.append(NotebookMigration(code, TextPlan(by_item), source, located))
        return [*code.edits, *text.edits()]

    planned = plan_notebook(data, plan, needles=needles)
    made = found[0] if found else NotebookMigration(ModulePlan(), TextPlan(), Source.of(""), {})
    blockers = tuple(
        Blocker(
            item.line,
            item.column,
            IMPORT_RULE,
            f"cell {item.cell}: {item.reason}" if item.cell else item.reason,
        )
        for item in planned.refusals
    )
    if blockers:
        return _blocked(made, blockers)
    if not planned.edits:
        return made
    try:
        after = apply(data, planned)
    except EditError as error:
        return _blocked(made, (Blocker(1, 1, IMPORT_RULE, str(error)),))
    return NotebookMigration(made.plan, made.text, made.source, made.located, after)


def _blocked(made: NotebookMigration, blockers: tuple[Blocker, ...]) -> NotebookMigration:
    plan = ModulePlan(blockers=(*made.plan.blockers, *blockers), uses=made.plan.uses)
    return NotebookMigration(plan, TextPlan(), made.source, made.located)
