"""A plan in the making: what is decided so far, and the account of every occurrence."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from codemods.bridging import EVERYTHING
from codemods.grouping import Groups
from codemods.import_roots import ImportRoots
from codemods.migration import Change, Outcome, Row
from codemods.migration_settings import MigrationSettings
from codemods.occurrence import Kind, Occurrence, Status
from codemods.planner import IMPORT_RULE, ModulePlan
from codemods.report import ScanReport
from codemods.settings import ScanSettings
from codemods.source import Source
from codemods.text_passage import Refusal, TextEdit
from codemods.text_plan import TextPlan

IMPORTS = frozenset({Kind.IMPORT, Kind.FROM_IMPORT, Kind.STAR_IMPORT, Kind.RELATIVE_IMPORT})
# What a module's own plan decides, and what another module may take from it.
CODE = IMPORTS | {Kind.REEXPORT, Kind.REFERENCE, Kind.IDENTIFIER}
# Words in text that mean a local name, so they follow the import.
NAMED = frozenset({Kind.ANNOTATION, Kind.TYPE_COMMENT})
HANDED_ON = "handed on by "
INSIDE = "inside the legacy module"
_BY_HAND = "no rule rewrites this form: change it by hand"


@dataclass(slots=True)
class Draft:
    """The state of one planning run.

    Attributes:
        settings: of the scan.
        options: of the migration.
        report: what the scan found.
        units: the occurrences that are accounted for, by file.
        taken: modules that others take legacy names from.
        projects: the folders that were scanned as projects.
        pins: symbols that tests replace by name, with the files that do.
        plans: what is to be done to each module's imports and names.
        texts: what is to be done to the rest of each file.
        stays: occurrences that could be rewritten and must not be, with the reason.
        changes: the files that change.
        located: occurrences in notebooks with their places in the code as one module.
    """

    settings: ScanSettings
    options: MigrationSettings
    report: ScanReport
    units: Mapping[str, list[Occurrence]]
    taken: frozenset[str] = frozenset()
    projects: tuple[str, ...] = ()
    pins: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    plans: dict[str, ModulePlan] = field(default_factory=dict)
    texts: dict[str, TextPlan] = field(default_factory=dict)
    stays: dict[Occurrence, str] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    located: dict[Occurrence, Occurrence] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    resolved: dict[str, bool] = field(default_factory=dict)
    roots: dict[str, ImportRoots] = field(default_factory=dict)

    def is_resolved(self, shown: str) -> bool:
        """Say whether a module hands on nothing legacy any more after the run."""
        if shown not in self.resolved:
            self.resolved[shown] = False  # a cycle is not resolved
            self.resolved[shown] = all(
                self.row(item).outcome is Outcome.REWRITTEN
                for item in self.units[shown]
                if item.kind in CODE and not item.reason.startswith(f"{HANDED_ON}{shown}")
            )
        return self.resolved[shown]

    def row(self, item: Occurrence) -> Row:
        """Return the outcome of one occurrence."""
        if item.status is Status.ALLOWED:
            return Row(item, Outcome.ALLOWED, reasons=(item.reason,))
        if item.status is not Status.USE and not self.is_documentation(item):
            return Row(item, Outcome.REPORTED, reasons=(item.reason,))
        if item.reason.startswith(HANDED_ON):
            source = item.reason.removeprefix(HANDED_ON)
            if self.is_resolved(source):
                return Row(item, Outcome.REWRITTEN, (IMPORT_RULE,))
            return Row(item, Outcome.REPORTED, reasons=(f"{item.reason}, which is reported",))
        if item in self.stays:
            return Row(item, Outcome.REPORTED, reasons=(self.stays[item],))
        decided = self.texts[item.path].decided.get(item) if item.path in self.texts else None
        if decided is not None:
            return _row_of_text(item, decided)
        plan = self.plans.get(item.path)
        if plan is None or item.reason == INSIDE:
            return Row(item, Outcome.REPORTED, reasons=(_BY_HAND,))
        return self._row_of_code(item, plan)

    def _row_of_code(self, item: Occurrence, plan: ModulePlan) -> Row:
        if plan.edits:
            if not item.needle or self.is_edited(item, plan):
                return Row(item, Outcome.REWRITTEN, plan.rules, notes=plan.notes)
            return Row(item, Outcome.REPORTED, reasons=(_BY_HAND,))
        places = [f"{at.line}:{at.column} {at.rule} {at.reason}" for at in plan.blockers]
        rules = tuple(sorted({at.rule for at in plan.blockers}))
        return Row(item, Outcome.REPORTED, rules, tuple(places) or (_BY_HAND,))

    def is_edited(self, item: Occurrence, plan: ModulePlan) -> bool:
        """Say whether a module's own plan rewrites an occurrence, or what it names."""
        if item.cell is not None and item not in self.located:
            return False  # a magic, an output or a text
        place = self.located.get(item, item)
        offset = self.sources[item.path].line_starts[place.line - 1] + place.column - 1
        return offset in plan.covered or any(edit.start <= offset < edit.end for edit in plan.edits)

    def grouped(self) -> Iterator[Change]:
        """Yield the changes with their groups: facades with their importers, tests with code."""
        groups = Groups()
        for shown, items in self.units.items():
            sources = {
                item.reason.removeprefix(HANDED_ON)
                for item in items
                if item.reason.startswith(HANDED_ON)
            }
            groups.join([shown, *sources])
        for symbol, places in self.pins.items():
            users = [shown for shown, plan in self.plans.items() if uses(plan, symbol)]
            if places:
                groups.join([*places, *users])
        ordered = sorted(self.changes)
        numbers = groups.numbers(ordered)
        for shown in ordered:
            yield replace(self.changes[shown], group=numbers[shown])

    def is_documentation(self, item: Occurrence) -> bool:
        """Say whether an occurrence is documentation that has to be rewritten too."""
        return self.options.docs and item.status is Status.DOCUMENTATION


def _row_of_text(item: Occurrence, decided: TextEdit | Refusal) -> Row:
    if isinstance(decided, TextEdit):
        return Row(item, Outcome.REWRITTEN, (decided.rule,))
    rules = (decided.rule,) if decided.rule else ()
    return Row(item, Outcome.REPORTED, rules, (decided.reason or _BY_HAND,))


def uses(plan: ModulePlan, symbol: str) -> bool:
    """Say whether a module names a symbol, or may."""
    is_all = EVERYTHING in plan.uses or symbol == EVERYTHING
    return symbol in plan.uses or (is_all and bool(plan.uses))
