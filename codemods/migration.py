"""From a scan to a plan over files: what is rewritten, what is reported, and the account of both."""

import datetime as dt
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from codemods.discovery import project_root
from codemods.edits import EditError, apply_edits, apply_to_bytes
from codemods.errors import MissingPathError
from codemods.import_roots import ImportRoots
from codemods.mapping import shipped
from codemods.module_plan import IMPORT_RULE, ModulePlan, plan_module
from codemods.module_view import Blocker
from codemods.occurrence import Kind, Occurrence, Status
from codemods.prefilter import read
from codemods.report import ScanReport
from codemods.scanner import Progress, scan
from codemods.settings import ScanSettings
from codemods.source import Source, decode_python

_UNITS = frozenset({Status.USE, Status.UNDECIDED, Status.ALLOWED, Status.UNEXAMINED})
_IMPORTS = frozenset({Kind.IMPORT, Kind.FROM_IMPORT, Kind.STAR_IMPORT, Kind.RELATIVE_IMPORT})
_HANDED_ON = "handed on by "
_INSIDE = "inside the legacy module"
_SUFFIXES = (".py", ".pyi", ".pyw")
_BY_HAND = "no rule rewrites this form: change it by hand"
_WRITABLE = 0o222


class Outcome(StrEnum):
    """What became of an occurrence; every one has exactly one outcome."""

    REWRITTEN = "rewritten"
    REPORTED = "reported"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class Row:
    """One occurrence with its outcome; a reported one with the reasons and their places."""

    occurrence: Occurrence
    outcome: Outcome
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One file: absolute path, path to show, bytes before and after."""

    path: str
    shown: str
    before: bytes
    after: bytes
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Migration:
    """The plan over all files; nothing has been written."""

    scanned: ScanReport
    rows: tuple[Row, ...]
    changes: tuple[Change, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many occurrences have an outcome."""
        return sum(row.outcome is outcome for row in self.rows)

    @property
    def unexamined(self) -> int:
        """How many reported occurrences could not be examined at all."""
        return sum(row.occurrence.status is Status.UNEXAMINED for row in self.rows)

    def residue(self) -> Counter[tuple[str, str, str]]:
        """Return what a scan after the run must find: path, kind and word, with their number."""
        kept = (row.occurrence for row in self.rows if row.outcome is not Outcome.REWRITTEN)
        return Counter(_key(item) for item in kept)


def found_by(plan: Migration) -> Counter[tuple[str, str, str]]:
    """Return the same of everything that a plan's scan found."""
    return Counter(_key(row.occurrence) for row in plan.rows)


def _key(item: Occurrence) -> tuple[str, str, str]:
    return item.path, item.kind.value, item.needle


@dataclass(slots=True)
class _Run:
    settings: ScanSettings
    report: ScanReport
    units: Mapping[str, list[Occurrence]]
    plans: dict[str, ModulePlan] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    resolved: dict[str, bool] = field(default_factory=dict)
    roots: dict[str, ImportRoots] = field(default_factory=dict)

    def plan_file(self, shown: str) -> None:
        """Plan one file that imports a legacy module directly."""
        items = [item for item in self.units[shown] if _is_import(item)]
        if not items or not shown.endswith(_SUFFIXES):
            return
        path = os.path.join(self.report.root, shown)  # noqa: PTH118 - names need not be Unicode
        self.plans[shown] = self._plan(path, shown, items)

    def _plan(self, path: str, shown: str, items: list[Occurrence]) -> ModulePlan:
        refusal = self._refusal(path)
        data = read(path, "/dev/null")
        if refusal or not isinstance(data, bytes):
            return _blocked(refusal or "the file has changed since it was scanned")
        is_taken = any(
            item.reason == f"{_HANDED_ON}{shown}" for found in self.units.values() for item in found
        )
        try:
            text = decode_python(data)
            plan = plan_module(
                text,
                self.settings.all_roots,
                wanted={(item.line, item.column) for item in items},
                kept=self.report.facades.get(shown, ()) if is_taken else (),
            )
            if plan.edits:
                apply_edits(text, plan.edits)
                after = apply_to_bytes(data, plan.edits)
                self.changes[shown] = Change(path, shown, data, after, plan.rules)
                self.sources[shown] = Source.of(text)
        except (EditError, UnicodeError, LookupError, IndexError) as error:
            return _blocked(str(error))
        return plan

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

    def is_resolved(self, shown: str) -> bool:
        """Say whether a module hands on nothing legacy any more after the run."""
        if shown not in self.resolved:
            self.resolved[shown] = False  # a cycle is not resolved
            self.resolved[shown] = all(
                self.row(item).outcome is Outcome.REWRITTEN for item in self.units[shown]
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
        if plan is None or not item.needle or item.reason == _INSIDE:
            return Row(item, Outcome.REPORTED, reasons=(_BY_HAND,))
        if item.path in self.changes:
            if self._is_edited(item, plan):
                return Row(item, Outcome.REWRITTEN, plan.rules)
            return Row(item, Outcome.REPORTED, reasons=(_BY_HAND,))
        places = [f"{at.line}:{at.column} {at.rule} {at.reason}" for at in plan.blockers]
        rules = tuple(sorted({at.rule for at in plan.blockers}))
        return Row(item, Outcome.REPORTED, rules, tuple(places) or (_BY_HAND,))

    def _is_edited(self, item: Occurrence, plan: ModulePlan) -> bool:
        offset = self.sources[item.path].line_starts[item.line - 1] + item.column - 1
        return any(edit.start <= offset < edit.end for edit in plan.edits)


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
    run = _Run(settings, report, units)
    chosen = [
        shown
        for shown in sorted(units)
        if any(Path(report.root, shown).is_relative_to(path) for path in given)
    ]
    for shown in chosen:
        run.plan_file(shown)
    rows = tuple(run.row(item) for shown in chosen for item in units[shown])
    return Migration(report, rows, tuple(run.changes[shown] for shown in sorted(run.changes)))
