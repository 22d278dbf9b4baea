"""`scan`: every use of the legacy module below some paths, with an account of everything read.

Discovery, a byte test that spares nearly all files the parser, examination of the rest, then
rounds: a module found to hand legacy names on makes candidates of the files that import it.
"""

import datetime as dt
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from codemods.assembly import assemble, unreadable
from codemods.collection import paused
from codemods.discovery import PROJECT_FILES, Language, discover, language_of, project_root
from codemods.examination import (
    Candidate,
    Examined,
    examine,
    examine_whole,
    language_of_bytes,
)
from codemods.facade_filter import Admission, FacadeFilter, FirstLook, Sight
from codemods.facts import Facts
from codemods.globs import first_match
from codemods.import_roots import ImportRoots
from codemods.occurrence import Occurrence
from codemods.prefilter import Absence, contains_any, read
from codemods.report import ScanReport
from codemods.resolution import Facade, Resolver, facade_of
from codemods.settings import LEGACY_EXPORTS, ScanSettings
from codemods.suppression import apply_allow

# Below this many candidates, starting processes costs more than it saves.
POOL_THRESHOLD = 300
_POOL_CHUNK = 16
# So many hits are examined at once: their modules hand on nearly all the names that any will.
_EARLY = 64

# One report of progress for so many files: more often costs more than the files.
_PROGRESS_STEP = 512

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class _Tree:
    """One path of the scan: its files and its project."""

    folder: str
    project: str
    files: list[tuple[str, Language]]
    unreadable: tuple[str, ...]
    nested: tuple[str, ...]


@dataclass(slots=True)
class _Scan:
    """The state of one run."""

    settings: ScanSettings
    needles: tuple[str, ...]
    jobs: int
    progress: Progress | None
    base: str = ""
    trees: list[_Tree] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    examined: dict[str, Examined] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    modules: dict[str, Facts | None] = field(default_factory=dict)
    resolvers: dict[str, Resolver] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    cold: dict[str, frozenset[bytes]] = field(default_factory=dict)
    likely: FirstLook | None = None
    used_excludes: set[str] = field(default_factory=set)
    files_examined: int = 0

    def shorten(self, path: str) -> str:
        """Return a path as the report shows it."""
        return path.removeprefix(self.base.rstrip("/") + "/")

    # Files

    def list_files(self, paths: Sequence[Path]) -> None:
        """Discover the files of all paths, each file once."""
        seen: set[str] = set()
        self.base = os.path.commonpath([str(project_root(path)) for path in paths])
        for path in paths:
            project = str(project_root(path))
            found = discover(path)
            self.skipped += found.skipped
            folder = os.path.abspath(found.folder)  # noqa: PTH100 - links keep their names
            prefix = f"{folder.rstrip('/')}/"
            files: list[tuple[str, Language]] = []
            for name in found.names:
                full = prefix + name
                if full not in seen:
                    seen.add(full)
                    language = self._language(full, name)
                    if language is not None:
                        files.append((full, language))
            nested = {
                prefix + name.rpartition("/")[0]
                for name in found.names
                if "/" in name and name.rpartition("/")[2] in PROJECT_FILES
            }
            unreadable_folders = tuple(prefix + name for name in found.unreadable)
            self.trees.append(
                _Tree(folder, project, files, unreadable_folders, tuple(sorted(nested)))
            )

    def _language(self, full: str, name: str) -> Language | None:
        """Return how a file is read; one that is not is counted."""
        if self.settings.exclude:
            pattern = first_match(self.shorten(full), self.settings.exclude)
            if pattern is not None:
                self.used_excludes.add(pattern)
                self.skipped["excluded by the settings"] += 1
                return None
        language = language_of(name.rpartition("/")[2])
        if language is None:
            self.skipped["other file type"] += 1
        return language

    def prefilter(self) -> list[Candidate]:
        """Read every file once and keep those that hold a needle."""
        needles = tuple(needle.encode() for needle in self.needles)
        total = sum(len(tree.files) for tree in self.trees)
        hits: list[Candidate] = []
        done = 0
        for tree in self.trees:
            for full, language in tree.files:
                done += 1
                if self.progress is not None and done % _PROGRESS_STEP == 0:
                    self.progress(done, total)
                data = read(full, tree.project)
                if isinstance(data, bytes):
                    self.files_examined += 1
                    sight = self._first_look(data, needles)
                    if sight is Sight.HIT:
                        hits += self._candidate(tree, full, language, data)
                        self._examine_early(hits)
                    elif self.likely is not None and sight is Sight.COLD:
                        self.cold[full] = self.likely.names
                elif isinstance(data, Absence):
                    self.skipped[data.value] += 1
                else:
                    self.failures.append((full, data.reason))
        if self.progress is not None:
            self.progress(total, total)
        return hits

    def _examine_early(self, hits: list[Candidate]) -> None:
        """Examine a hit at once while there are few, for the names that it may hand on.

        A file that is read after it and has none of them need not be read again for them.
        """
        if not hits or len(self.examined) >= _EARLY:
            return
        candidate = hits.pop()
        self.examine_all([candidate])
        facts = self.examined[candidate.path].facts
        known = frozenset() if self.likely is None else self.likely.names
        # A star import may hand on all of them.
        names = {name.encode() for name in LEGACY_EXPORTS} | {
            name.encode()
            for name, origins in (facts.exports.items() if facts is not None else ())
            if any(needle in origin.parts for origin in origins for needle in self.needles)
            and not any(needle in name for needle in self.needles)
        }
        if not names <= known:
            needles = tuple(needle.encode() for needle in self.needles)
            self.likely = FirstLook(needles, known | names)

    def _first_look(self, data: bytes, needles: tuple[bytes, ...]) -> Sight:
        if self.likely is not None:
            return self.likely.look(data)
        return Sight.HIT if contains_any(data, needles) else Sight.WARM

    def _candidate(
        self, tree: _Tree, full: str, language: Language, data: bytes
    ) -> Iterator[Candidate]:
        actual = language_of_bytes(full.rpartition("/")[2], language, data)
        if actual is None:
            self.skipped["compiled file that names the module"] += 1
        else:
            self.owners[full] = tree.project
            yield Candidate(full, actual, data)

    def importers(self, facades: FacadeFilter) -> list[Candidate]:
        """Read the files again that may reach one of some new facades."""
        found: list[Candidate] = []
        # What is left to be looked for in files that were found cold before.
        left: dict[frozenset[bytes], FacadeFilter] = {frozenset(): facades}
        for tree in self.trees:
            for full, language in tree.files:
                if full in self.examined or language is Language.DOCUMENT:
                    continue
                tested = self.cold.get(full, frozenset())
                if tested not in left:
                    left[tested] = facades.without(tested)
                if not left[tested].every and tested:
                    continue
                data = read(full, tree.project)
                if isinstance(data, bytes) and self._admits(left[tested], full, language, data):
                    found += self._candidate(tree, full, language, data)
        return found

    def complete(self, facades: FacadeFilter) -> None:
        """Examine the hits wholly that may reach one of some new facades."""
        for path, item in self.examined.items():
            if not item.is_whole:
                text = item.parts[0].source.text
                for needle in self.needles:
                    # What stands behind the legacy module's own name is taken from no facade.
                    text = text.replace(f"{needle}.", f"{needle}_")
                data = text.encode("utf-8", "surrogatepass")
                if facades.admit(data) is Admission.ADMITTED:
                    self.examined[path] = examine_whole(item, self.needles)

    def _admits(self, facades: FacadeFilter, full: str, language: Language, data: bytes) -> bool:
        if language not in {Language.PYTHON, Language.BARE}:
            return facades.admits_text(data)
        admission = facades.admit(data)
        if admission is Admission.COLD:
            self.cold[full] = self.cold.get(full, frozenset()) | facades.every
        return admission is Admission.ADMITTED

    # Examination

    def examine_all(self, candidates: Sequence[Candidate], *, is_whole: bool = False) -> None:
        """Examine candidates, in processes when there are many."""
        limit = self.settings.max_file_bytes
        work = partial(examine, needles=self.needles, max_bytes=limit, is_whole=is_whole)
        left = list(candidates)
        if self.jobs > 1 and len(left) >= POOL_THRESHOLD:
            left.sort(key=lambda item: -len(item.data))
            left = self._examine_in_pool(left, work)
        for candidate in left:
            self.examined[candidate.path] = work(candidate)

    def _examine_in_pool(
        self, candidates: list[Candidate], work: Callable[[Candidate], Examined]
    ) -> list[Candidate]:
        """Return the candidates that a broken pool left undone."""
        # Most scans need no pool, and its modules take longer to import than 100 files to read.
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
        from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415
        from multiprocessing import get_context  # noqa: PLC0415

        with ProcessPoolExecutor(self.jobs, mp_context=get_context("spawn")) as pool:
            results = pool.map(work, candidates, chunksize=_POOL_CHUNK)
            try:
                for item in results:
                    self.examined[item.path] = item
            except BrokenProcessPool:
                pass
        return [item for item in candidates if item.path not in self.examined]

    def facts_of(self, path: str) -> Facts | None:
        """Return the facts of any module of the tree, None if it cannot be parsed."""
        if path in self.examined:
            return self.examined[path].facts
        if path not in self.modules:
            data = read(path, "/dev/null")
            self.modules[path] = None
            if isinstance(data, bytes):
                candidate = Candidate(path, Language.PYTHON, data)
                limit = self.settings.max_file_bytes
                found = examine(candidate, self.needles, limit, is_whole=False)
                self.modules[path] = found.facts
        return self.modules[path]

    def make_resolvers(self) -> None:
        """Make one resolver for each project; they share the facades."""
        facades: dict[str, Facade] = {}
        for tree in self.trees:
            if tree.project not in self.resolvers:
                nested = tuple(sorted({item for other in self.trees for item in other.nested}))
                roots = ImportRoots(tree.project, self.settings.source_roots, nested)
                self.resolvers[tree.project] = Resolver(
                    self.settings, roots, self.facts_of, self.shorten, facades
                )

    def follow_facades(self) -> None:
        """Find facades and their importers until there are no new ones."""
        while True:
            new: dict[str, Facade] = {}
            for path, item in self.examined.items():
                resolver = self.resolvers[self.owners[path]]
                facts = item.facts
                facade = facade_of(resolver, path, facts) if facts is not None else None
                if facade is not None and resolver.facades.get(path) != facade:
                    new[path] = facade
            if not new:
                return
            for path, facade in new.items():
                for resolver in self.resolvers.values():
                    resolver.add_facade(path, facade)
            facades = FacadeFilter.of(new, self.needles)
            self.complete(facades)
            self.examine_all(self.importers(facades), is_whole=True)

    def occurrences(self) -> Iterator[Occurrence]:
        """Yield every occurrence, in no order."""
        for path, item in self.examined.items():
            resolver = self.resolvers[self.owners[path]]
            yield from assemble(item, self.shorten(path), resolver, self.settings)
        for path, reason in self.failures:
            yield unreadable(self.shorten(path), reason, self.settings)
        for tree in self.trees:
            for folder in tree.unreadable:
                reason = "the folder cannot be listed"
                yield unreadable(self.shorten(folder), reason, self.settings)


def scan(
    paths: Iterable[Path | str],
    settings: ScanSettings | None = None,
    *,
    today: dt.date | None = None,
    progress: Progress | None = None,
    jobs: int = 1,
) -> ScanReport:
    """Find every use of the legacy module below `paths`.

    Args:
        paths: files and folders; each belongs to the nearest project around it.
        settings: roots, exclusions and allow entries; the default ones if None.
        today: the day that allow entries are judged by; the current one if None.
        progress: called with the number of files done and the number of all.
        jobs: processes to examine candidates with, if there are many.

    Raises:
        MissingPathError: a path does not exist.
    """
    settings = settings or ScanSettings()
    run = _Scan(settings, settings.needles, jobs, progress)
    given = [Path(path) for path in paths]
    if not given:
        return ScanReport("", _names(settings), 0, 0, 0, {}, 0, 0, {}, ())
    with paused():
        run.list_files(given)
        run.make_resolvers()
        run.examine_all(run.prefilter())
        run.follow_facades()
        found = sorted(
            run.occurrences(),
            key=lambda item: (item.path, item.cell or 0, item.line, item.column, item.kind),
        )
    is_complete = any(tree.folder == tree.project for tree in run.trees)
    listed = [run.shorten(full) for tree in run.trees for full, _ in tree.files]
    occurrences, suppressions = apply_allow(
        found,
        settings.allow,
        listed,
        today=today or dt.datetime.now(tz=dt.UTC).date(),
        is_complete=is_complete,
    )
    words = sum(len(part.words) for item in run.examined.values() for part in item.parts)
    idle = [item for item in settings.exclude if item not in run.used_excludes]
    return ScanReport(
        root=run.base,
        legacy_roots=_names(settings),
        files_found=sum(len(tree.files) for tree in run.trees),
        files_examined=run.files_examined,
        files_with_hits=len({item.path for item in occurrences}),
        skipped=dict(run.skipped),
        words=words,
        substrings=sum(item.substrings for item in run.examined.values()),
        facades={
            run.shorten(path): tuple(sorted(facade.names))
            for path, facade in next(iter(run.resolvers.values())).facades.items()
        },
        occurrences=tuple(occurrences),
        suppressions=suppressions,
        idle_excludes=tuple(idle) if is_complete else (),
    )


def _names(settings: ScanSettings) -> tuple[str, ...]:
    return tuple(".".join(root) for root in settings.all_roots)
