"""From a scan to a plan over files: modules first, then the text that names what they use."""

import datetime as dt
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from codemods.bridging import EVERYTHING
from codemods.collection import paused
from codemods.discovery import Language, language_of, project_root
from codemods.edits import Edit, EditError, apply_edits, apply_to_bytes, apply_to_text_bytes
from codemods.errors import MissingPathError
from codemods.examination import language_of_bytes
from codemods.import_roots import ImportRoots
from codemods.mapping import shipped
from codemods.migration import Change, Migration, Outcome
from codemods.migration_draft import CODE, HANDED_ON, IMPORTS, INSIDE, NAMED, Draft, uses
from codemods.migration_settings import Binding, MigrationSettings
from codemods.module_plan import plan_module
from codemods.module_view import Blocker
from codemods.notebook_plan import migrate_notebook
from codemods.occurrence import Kind, Occurrence, Status
from codemods.planner import IMPORT_RULE, ModulePlan
from codemods.prefilter import read
from codemods.replaced_names import replaced_names
from codemods.scanner import Progress, scan
from codemods.settings import ScanSettings
from codemods.source import Source, decode_python, decode_text
from codemods.text_edits import settle
from codemods.text_passage import Refusal
from codemods.text_plan import plan_text

_UNITS = frozenset({Status.USE, Status.UNDECIDED, Status.ALLOWED, Status.UNEXAMINED})
# By these a test replaces what the code under test calls.
_REPLACING = frozenset({Kind.PATCH_TARGET, Kind.MODULE_LOOKUP})
_SUFFIXES = (".py", ".pyi", ".pyw")
_NOTEBOOK = ".ipynb"
_WRITABLE = 0o222
_WORD = re.compile(r"\w+")
_STAR = re.compile(r"\bimport\s*\*")
# `sys.modules`, however it is reached: what is put there takes the whole module's place.
_MODULES = "modules"


class _Run(Draft):
    """Fills the draft: modules, then text, then what has to change together."""

    # Modules

    def find_pins(self) -> None:
        """Note which symbols tests replace by name, and where: they have to be bridged."""
        for shown, items in self.units.items():
            for item in items:
                if item.kind in _REPLACING and not item.reason.startswith(HANDED_ON):
                    for symbol in _symbols_of(item):
                        self.pins[symbol].add(shown)

    def plan_modules(self, chosen: Sequence[str]) -> None:
        """Plan every module, again while symbols are found to be replaced somewhere."""
        self._plan_until_settled(chosen, list(chosen))
        names: dict[str, set[str]] = defaultdict(set)
        for plan in self.plans.values():
            for local, symbol in plan.gone:
                names[local].add(symbol)
        found = replaced_names(self.projects, names)
        for symbol in found:
            self.pins[symbol].update(())
        concerned = [shown for shown in chosen if self._is_concerned(shown, found.keys())]
        self._plan_until_settled(chosen, concerned)

    def _plan_until_settled(self, chosen: Sequence[str], pending: list[str]) -> None:
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
        return plan is not None and any(uses(plan, symbol) for symbol in symbols)

    def plan_file(self, shown: str) -> None:
        """Plan one file that imports a legacy module directly."""
        items = [item for item in self.units[shown] if _is_import(item)]
        allowed = any(item.status is Status.ALLOWED for item in self.units[shown])
        if shown.endswith(_NOTEBOOK):
            self._plan_notebook(shown)
        elif not shown.endswith(_SUFFIXES):
            return
        elif items:
            self.changes.pop(shown, None)
            self.plans[shown] = self._plan(self._path(shown), shown)
        elif allowed:
            self.plans[shown] = _blocked("what it uses is allowed to stay")
        if shown in self.plans and self.plans[shown].uses == {EVERYTHING}:
            self.plans[shown] = replace(self.plans[shown], uses=self._named_in(shown))

    def _plan_notebook(self, shown: str) -> None:
        items = [item for item in self.units[shown] if item.cell and item.status is Status.USE]
        data = read(self._path(shown), "/dev/null") if items else None
        if not isinstance(data, bytes):
            return
        self.changes.pop(shown, None)
        refusal = self._refusal(self._path(shown))
        if refusal:
            self.plans[shown] = _blocked(refusal)
            return
        made = migrate_notebook(data, items, self.settings.needles, self.options, self._plan_text)
        self.plans[shown], self.texts[shown] = made.plan, made.text
        self.sources[shown] = made.source
        self.located.update(made.located)
        if made.after is not None:
            rules = sorted({*made.plan.rules, *made.text.rules})
            self.changes[shown] = Change(self._path(shown), shown, data, made.after, tuple(rules))

    def _named_in(self, shown: str) -> frozenset[str]:
        """Return the symbols whose names stand anywhere in a module, or `EVERYTHING`."""
        data = read(self._path(shown), "/dev/null")
        text = decode_text(data) if isinstance(data, bytes) else ""
        found = frozenset(_WORD.findall(text)).intersection(shipped().symbols)
        is_whole = not text or _STAR.search(text) is not None
        return frozenset({EVERYTHING}) if is_whole or not found else found

    def _path(self, shown: str) -> str:
        return os.path.join(self.report.root, shown)  # noqa: PTH118 - names need not be Unicode

    def _plan(self, path: str, shown: str) -> ModulePlan:
        refusal = self._refusal(path)
        data = read(path, "/dev/null")
        if refusal or not isinstance(data, bytes):
            return _blocked(refusal or "the file has changed since it was scanned")
        try:
            text = decode_python(data)
            kept = self.report.facades.get(shown, ()) if shown in self.taken else ()
            plan = self._plan_text(text, self.units[shown], kept)
            if plan.edits:
                self._change(path, shown, data, plan.edits, plan.rules)
                self.sources[shown] = Source.of(text)
        except (EditError, UnicodeError, LookupError, IndexError) as error:
            return _blocked(str(error))
        return plan

    def _plan_text(
        self, text: str, items: Sequence[Occurrence], kept: Collection[str] = ()
    ) -> ModulePlan:
        """Plan a module's text with the occurrences in it."""
        wanted = {(item.line, item.column) for item in items if _is_import(item)}
        named = [item for item in items if item.kind not in CODE and item.needle]
        if not wanted:
            return ModulePlan()
        return plan_module(
            text,
            self.settings.all_roots,
            wanted=wanted,
            named={(item.line, item.column) for item in named if item.kind in NAMED},
            paths={(item.line, item.column) for item in named if item.kind not in NAMED},
            kept=kept,
            pinned=self.pins.keys(),
            keeps_locals=self.options.binding is Binding.KEEP,
            bridge=self.options.bridge,
        )

    def _change(
        self, path: str, shown: str, data: bytes, edits: Sequence[Edit], rules: Iterable[str]
    ) -> None:
        apply_edits(decode_python(data), edits)
        after = apply_to_bytes(data, edits)
        self.changes[shown] = Change(path, shown, data, after, tuple(rules))

    # Text

    def plan_text_of(self, shown: str) -> None:
        """Plan what a file says outside of its imports and names."""
        items = [item for item in self.units[shown] if self._is_text(item)]
        data = read(self._path(shown), "/dev/null") if items else None
        if not isinstance(data, bytes):
            return
        refusal = self._refusal(self._path(shown))
        if refusal:
            self.stays.update(dict.fromkeys(items, refusal))
            return
        name = shown.rpartition("/")[2]
        language = language_of_bytes(name, language_of(name) or Language.BARE, data)
        is_python = language is Language.PYTHON
        try:
            source = Source.of(decode_python(data) if is_python else decode_text(data))
        except (UnicodeError, LookupError) as error:
            self.stays.update(dict.fromkeys(items, str(error)))
            return
        own = self.plans.get(shown, ModulePlan()).edits
        self.texts[shown] = plan_text(
            source,
            items,
            language or Language.CONFIGURATION,
            self.options,
            lambda start, end: any(edit.start < end and start < edit.end for edit in own),
        )
        self.write_text_of(shown, data, is_python=is_python)

    def write_text_of(self, shown: str, data: bytes, *, is_python: bool) -> None:
        """Add the edits of a file's text to those of its code."""
        plan = self.plans.get(shown, ModulePlan())
        found = self.texts[shown]
        edits = [*plan.edits, *found.edits(self.stays)]
        self.changes.pop(shown, None)
        if not edits:
            return
        try:
            after = apply_to_bytes(data, edits) if is_python else apply_to_text_bytes(data, edits)
        except EditError as error:
            self.stays.update(dict.fromkeys(found.decided, str(error)))
            if plan.edits:
                self._change(self._path(shown), shown, data, plan.edits, plan.rules)
            return
        rules = (*plan.rules, *found.rules) if found.edits(self.stays) else plan.rules
        self.changes[shown] = Change(
            self._path(shown), shown, data, after, tuple(sorted(set(rules)))
        )

    def _is_text(self, item: Occurrence) -> bool:
        """Say whether an occurrence is decided by a rule for text."""
        if item.status is not Status.USE and not self.is_documentation(item):
            return False
        if not item.needle or item.cell is not None or item.kind in CODE:
            return False
        if item.reason == INSIDE or item.reason.startswith(HANDED_ON):
            return False
        plan = self.plans.get(item.path)
        if plan is None:
            return True
        return item.kind not in NAMED and not self.is_edited(item, plan)

    # Groups that have to change together

    def settle(self) -> None:
        """Keep settings and what reads them together, tests and the code that they patch."""
        decisions = [pair for text in self.texts.values() for pair in text.decided.items()]
        for item, found in settle(decisions):
            if isinstance(found, Refusal) and self.texts[item.path].decided[item] is not found:
                self.stays[item] = found.reason
                self._rewrite(item.path)
        while True:
            stuck = dict(self._stuck())
            if not stuck:
                return
            for what, reason in stuck.items():
                if isinstance(what, Occurrence):
                    self.stays[what] = reason
                    self._rewrite(what.path)
                else:
                    names = self.plans[what].uses
                    self.plans[what] = replace(_blocked(reason), uses=names)
                    self._rewrite(what)

    def _rewrite(self, shown: str) -> None:
        """Make a file's change anew after some of it has been given up."""
        change = self.changes.pop(shown, None)
        if change is None:
            return
        plan = self.plans.get(shown, ModulePlan())
        if shown.endswith(_NOTEBOOK):
            self.plans[shown] = replace(_blocked("a part of it has to stay"), uses=plan.uses)
            del self.texts[shown]
        elif shown in self.texts:
            is_python = shown in self.sources or shown.endswith(_SUFFIXES)
            self.write_text_of(shown, change.before, is_python=is_python)
        elif plan.edits:
            self._change(change.path, shown, change.before, plan.edits, plan.rules)

    def _stuck(self) -> Iterator[tuple[Occurrence | str, str]]:
        """Yield what must stay although it could change, with the reason."""
        for shown, items in self.units.items():
            for item in items:
                if item.kind not in _REPLACING or item.status is not Status.USE:
                    continue
                if not item.needle or item.reason.startswith(HANDED_ON):
                    continue
                symbols = set(_symbols_of(item))
                users = [
                    (user, plan)
                    for user, plan in self.plans.items()
                    if any(uses(plan, symbol) for symbol in symbols)
                ]
                row = self.row(item)
                if row.outcome is Outcome.REWRITTEN:
                    left = next((user for user, plan in users if not plan.edits), None)
                    if left is not None and item in self.texts[shown].decided:
                        yield item, f"{left} uses what is replaced here, and is reported"
                else:
                    reason = f"what {item.place} replaces is used here: {row.reasons[0]}"
                    yield from ((user, reason) for user, plan in users if plan.edits)

    def _refusal(self, path: str) -> str:
        if os.path.islink(path):  # noqa: PTH114 - the same
            return "a symbolic link: migrate the file it leads to"
        if not os.stat(path).st_mode & _WRITABLE:  # noqa: PTH116 - the same
            return "the file is read-only"
        within = [item for item in self.projects if path.startswith(f"{item}/")]
        project = max(within, key=len, default=os.path.dirname(path))  # noqa: PTH120 - the same
        while Path(project, "__init__.py").exists():  # a package is no place to import from
            project = os.path.dirname(project)  # noqa: PTH120 - the same
        roots = self.roots.setdefault(project, ImportRoots(project, self.settings.source_roots))
        name = shipped().engine
        found = roots.locate((name,), 0, path).file(1)
        if found is not None and not (Path(found).parent / "workflow_machine.py").exists():
            return f"the project has a module {name} of its own, so the engine cannot be imported"
        return ""


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
        and item.kind in IMPORTS
        and bool(item.needle)
        and item.reason != INSIDE
    )


def _blocked(reason: str) -> ModulePlan:
    blocker = Blocker(1, 1, IMPORT_RULE, reason)
    return ModulePlan(blockers=(blocker,), uses=frozenset({EVERYTHING}))


def _place(path: Path | str) -> Path:
    """Return a folder's real place, and a file's as it is named: a link is not written through."""
    named = Path(os.path.abspath(path))  # noqa: PTH100 - links keep their names
    return named.resolve() if named.is_dir() else named


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
    settings, options = settings or ScanSettings(), options or MigrationSettings()
    given = [_place(path) for path in paths]
    for path in given:
        if not path.exists():
            raise MissingPathError("no such file or folder", place=str(path))
    projects = tuple(dict.fromkeys(project_root(path) for path in given))
    every = [*projects, *given]
    report = scan(every, settings, today=today, progress=progress, jobs=jobs)
    units: dict[str, list[Occurrence]] = defaultdict(list)
    for item in report.occurrences:
        if item.status in _UNITS or (options.docs and item.status is Status.DOCUMENTATION):
            units[item.path].append(item)
    taken = frozenset(
        item.reason.removeprefix(HANDED_ON)
        for found in units.values()
        for item in found
        if item.reason.startswith(HANDED_ON)
    )
    with paused():
        run = _Run(settings, options, report, units, taken, tuple(map(str, projects)))
        chosen = [
            shown
            for shown in sorted(units)
            if any(Path(report.root, shown).is_relative_to(path) for path in given)
        ]
        run.find_pins()
        run.plan_modules(chosen)
        for shown in chosen:
            run.plan_text_of(shown)
        run.settle()
        rows = tuple(run.row(item) for shown in chosen for item in units[shown])
        return Migration(report, rows, tuple(run.grouped()))
