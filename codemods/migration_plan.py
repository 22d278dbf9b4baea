"""From a scan to a plan over files: modules first, then the text that names what they use."""

import datetime as dt
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from codemods.bridging import EVERYTHING
from codemods.discovery import project_root
from codemods.edits import Edit, EditError, apply_edits, apply_to_bytes
from codemods.errors import MissingPathError
from codemods.grouping import Groups
from codemods.import_roots import ImportRoots
from codemods.mapping import shipped
from codemods.migration import Change, Migration, Outcome, Row
from codemods.migration_settings import Binding, MigrationSettings
from codemods.module_plan import plan_module
from codemods.module_view import Blocker
from codemods.occurrence import Kind, Occurrence, Status
from codemods.planner import IMPORT_RULE, ModulePlan
from codemods.prefilter import read
from codemods.report import ScanReport
from codemods.scanner import Progress, scan
from codemods.settings import ScanSettings
from codemods.source import Source, decode_python

_UNITS = frozenset({Status.USE, Status.UNDECIDED, Status.ALLOWED, Status.UNEXAMINED})
_IMPORTS = frozenset({Kind.IMPORT, Kind.FROM_IMPORT, Kind.STAR_IMPORT, Kind.RELATIVE_IMPORT})
_NAMED = frozenset({Kind.ANNOTATION, Kind.TYPE_COMMENT})
# By these a test replaces what the code under test calls.
_REPLACING = frozenset({Kind.PATCH_TARGET, Kind.MODULE_LOOKUP})
_HANDED_ON = "handed on by "
_INSIDE = "inside the legacy module"
_SUFFIXES = (".py", ".pyi", ".pyw")
_BY_HAND = "no rule rewrites this form: change it by hand"
_WRITABLE = 0o222
_WORD = re.compile(r"\w+")
# `sys.modules`, however it is reached: what is put there takes the whole module's place.
_MODULES = "modules"


@dataclass(slots=True)
class _Run:
    """The state of one planning run."""

    settings: ScanSettings
    options: MigrationSettings
    report: ScanReport
    units: Mapping[str, list[Occurrence]]
    taken: frozenset[str] = frozenset()
    pins: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    plans: dict[str, ModulePlan] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    resolved: dict[str, bool] = field(default_factory=dict)
    roots: dict[str, ImportRoots] = field(default_factory=dict)

    # Modules

    def find_pins(self) -> None:
        """Note which symbols tests replace by name, and where: they have to be bridged."""
        for shown, items in self.units.items():
            for item in items:
                if item.kind in _REPLACING and not item.reason.startswith(_HANDED_ON):
                    for symbol in _symbols_of(item):
                        self.pins[symbol].add(shown)

    def plan_modules(self, chosen: Sequence[str]) -> None:
        """Plan every module, again while modules are found that replace symbols themselves."""
        pending = list(chosen)
        while pending:
            before = set(self.pins)
            for shown in pending:
                self.plan_file(shown)
            for shown, plan in self.plans.items():
                for symbol in plan.assigned:
                    self.pins[symbol].add(shown)
            new = set(self.pins) - before
            pending = [shown for shown in chosen if self._is_concerned(shown, new)]

    def _is_concerned(self, shown: str, symbols: Collection[str]) -> bool:
        plan = self.plans.get(shown)
        return plan is not None and any(_uses(plan, symbol) for symbol in symbols)

    def plan_file(self, shown: str) -> None:
        """Plan one file that imports a legacy module directly."""
        items = [item for item in self.units[shown] if _is_import(item)]
        if items and shown.endswith(_SUFFIXES):
            self.changes.pop(shown, None)
            self.plans[shown] = self._plan(self._path(shown), shown, items)

    def _path(self, shown: str) -> str:
        return os.path.join(self.report.root, shown)  # noqa: PTH118 - names need not be Unicode

    def _plan(self, path: str, shown: str, items: list[Occurrence]) -> ModulePlan:
        refusal = self._refusal(path)
        data = read(path, "/dev/null")
        if refusal or not isinstance(data, bytes):
            return _blocked(refusal or "the file has changed since it was scanned")
        named = [item for item in self.units[shown] if item.kind in _NAMED and item.needle]
        try:
            text = decode_python(data)
            plan = plan_module(
                text,
                self.settings.all_roots,
                wanted={(item.line, item.column) for item in items},
                named={(item.line, item.column) for item in named},
                kept=self.report.facades.get(shown, ()) if shown in self.taken else (),
                pinned=self.pins.keys(),
                keeps_locals=self.options.binding is Binding.KEEP,
                bridge=self.options.bridge,
            )
            if plan.edits:
                self._change(path, shown, data, plan.edits, plan.rules)
                self.sources[shown] = Source.of(text)
        except (EditError, UnicodeError, LookupError, IndexError) as error:
            return _blocked(str(error))
        return plan

    def _change(
        self, path: str, shown: str, data: bytes, edits: Sequence[Edit], rules: Iterable[str]
    ) -> None:
        apply_edits(decode_python(data), edits)
        after = apply_to_bytes(data, edits)
        self.changes[shown] = Change(path, shown, data, after, tuple(rules))

    def _refusal(self, path: str) -> str:
        if os.path.islink(path):  # noqa: PTH114 - the same
            return "a symbolic link: migrate the file it leads to"
        if not os.stat(path).st_mode & _WRITABLE:  # noqa: PTH116 - the same
            return "the file is read-only"
        project = str(project_root(Path(path)))
        roots = self.roots.setdefault(project, ImportRoots(project, self.settings.source_roots))
        name = shipped().engine
        found = roots.locate((name,), 0, path).file(1)
        if found is not None and not (Path(found).parent / "workflow_machine.py").exists():
            return f"the project has a module {name} of its own, so the engine cannot be imported"
        return ""

    # The account

    def is_resolved(self, shown: str) -> bool:
        """Say whether a module hands on nothing legacy any more after the run."""
        if shown not in self.resolved:
            self.resolved[shown] = False  # a cycle is not resolved
            self.resolved[shown] = all(
                self.row(item).outcome is Outcome.REWRITTEN
                for item in self.units[shown]
                if not item.reason.startswith(f"{_HANDED_ON}{shown}")
            )
        return self.resolved[shown]

    def row(self, item: Occurrence) -> Row:
        """Return the outcome of one occurrence."""
        if item.status is Status.ALLOWED:
            return Row(item, Outcome.ALLOWED, reasons=(item.reason,))
        if item.status is not Status.USE:
            return Row(item, Outcome.REPORTED, reasons=(item.reason,))
        if item.reason.startswith(_HANDED_ON):
            source = item.reason.removeprefix(_HANDED_ON)
            if self.is_resolved(source):
                return Row(item, Outcome.REWRITTEN, (IMPORT_RULE,))
            return Row(item, Outcome.REPORTED, reasons=(f"{item.reason}, which is reported",))
        plan = self.plans.get(item.path)
        if plan is None or item.reason == _INSIDE:
            return Row(item, Outcome.REPORTED, reasons=(_BY_HAND,))
        if item.path in self.changes:
            if not item.needle or self._is_edited(item, plan):
                return Row(item, Outcome.REWRITTEN, plan.rules, notes=plan.notes)
            return Row(item, Outcome.REPORTED, reasons=(_BY_HAND,))
        places = [f"{at.line}:{at.column} {at.rule} {at.reason}" for at in plan.blockers]
        rules = tuple(sorted({at.rule for at in plan.blockers}))
        return Row(item, Outcome.REPORTED, rules, tuple(places) or (_BY_HAND,))

    def _is_edited(self, item: Occurrence, plan: ModulePlan) -> bool:
        offset = self.sources[item.path].line_starts[item.line - 1] + item.column - 1
        return offset in plan.covered or any(edit.start <= offset < edit.end for edit in plan.edits)

    def grouped(self) -> Iterator[Change]:
        """Yield the changes with their groups: facades with their importers, tests with code."""
        groups = Groups()
        for shown, items in self.units.items():
            sources = {
                item.reason.removeprefix(_HANDED_ON)
                for item in items
                if item.reason.startswith(_HANDED_ON)
            }
            groups.join([shown, *sources])
        for symbol, places in self.pins.items():
            users = [shown for shown, plan in self.plans.items() if _uses(plan, symbol)]
            groups.join([*places, *users])
        ordered = sorted(self.changes)
        numbers = groups.numbers(ordered)
        for shown in ordered:
            yield replace(self.changes[shown], group=numbers[shown])


def _uses(plan: ModulePlan, symbol: str) -> bool:
    is_all = EVERYTHING in plan.uses or symbol == EVERYTHING
    return symbol in plan.uses or (is_all and bool(plan.uses))


def _symbols_of(item: Occurrence) -> Iterator[str]:
    """Yield what a patch or a look-up replaces; everything where that is not said."""
    known = shipped().symbols
    name = item.target.rpartition(".")[2]
    if item.kind is Kind.MODULE_LOOKUP:
        if _MODULES in item.text:
            yield EVERYTHING
    elif name in known:
        yield name
    else:
        named = [word for word in _WORD.findall(item.text) if word in known]
        yield from named or [EVERYTHING]


def _is_import(item: Occurrence) -> bool:
    return (
        item.status is Status.USE
        and item.kind in _IMPORTS
        and bool(item.needle)
        and item.cell is None
        and item.reason != _INSIDE
    )


def _blocked(reason: str) -> ModulePlan:
    return ModulePlan(blockers=(Blocker(1, 1, IMPORT_RULE, reason),))


def plan_migration(
    paths: Iterable[Path | str],
    settings: ScanSettings | None = None,
    options: MigrationSettings | None = None,
    *,
    today: dt.date | None = None,
    progress: Progress | None = None,
    jobs: int = 1,
) -> Migration:
    """Plan every file below `paths`; nothing is written.

    The whole of their projects is scanned, because modules elsewhere may take names from these.

    Raises:
        codemods.errors.CodemodError: as `codemods.scanner.scan`.
    """
    settings = settings or ScanSettings()
    given = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - links keep their names
    for path in given:
        if not path.exists():
            raise MissingPathError("no such file or folder", place=str(path))
    every = [*dict.fromkeys(project_root(path) for path in given), *given]
    report = scan(every, settings, today=today, progress=progress, jobs=jobs)
    units: dict[str, list[Occurrence]] = defaultdict(list)
    for item in report.occurrences:
        if item.status in _UNITS:
            units[item.path].append(item)
    taken = frozenset(
        item.reason.removeprefix(_HANDED_ON)
        for found in units.values()
        for item in found
        if item.reason.startswith(_HANDED_ON)
    )
    run = _Run(settings, options or MigrationSettings(), report, units, taken)
    chosen = [
        shown
        for shown in sorted(units)
        if any(Path(report.root, shown).is_relative_to(path) for path in given)
    ]
    run.find_pins()
    run.plan_modules(chosen)
    rows = tuple(run.row(item) for shown in chosen for item in units[shown])
    return Migration(report, rows, tuple(run.grouped()))
