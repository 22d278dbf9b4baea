"""One migration from the settings to the exit code: plan, prove, write, look again."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from codemods.batch_journal import BatchJournalError
from codemods.discovery import project_root
from codemods.errors import CodemodError
from codemods.journal import JournalError
from codemods.migration import Migration, Outcome, found_by
from codemods.migration_outcome import drop_groups, faults_of
from codemods.migration_plan import plan_migration
from codemods.migration_settings import Level, MigrationSettings
from codemods.occurrence import Scope, Status
from codemods.reports.todo import insert_todos
from codemods.scanner import Progress
from codemods.settings import ScanSettings
from codemods.verification import Proof
from codemods.writing import (
    Completed,
    NoRunError,
    WriteError,
    demand_finished,
    interrupted,
    resume,
    write_groups,
    written_by,
)
from conformance.commands.codemod_ladder import Ladder
from conformance.commands.codemod_proofs import proof_codes, proof_environment
from conformance.commands.codemod_tree import demand_clean, foreign_files
from conformance.commands.scan import read_settings
from conformance.config import parse_settings, read_table
from conformance.errors import ExitCode, HarnessError, UsageError, VacuousError, worst

# Time of the last change, size and number of a file; None where there is none.
_State = tuple[int, int, int] | None

Mode = Literal["plan", "check", "diff", "write"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for, beside the paths; None leaves a setting to the repository.

    Attributes:
        mode: whether anything is written, and what a change that is left to write means.
        level: how far the plan is proved before it is written.
        docs: whether documentation is rewritten, too.
        jobs: processes to scan with.
        allow_dirty: write over uncommitted changes, too.
        resume: complete a run that was killed while it wrote.
        todo: leave a comment at every place that is left.
        python: the consumer's interpreter for the proofs that run something; None: this one.
        test_command: what runs the consumer's tests; empty: pytest.
        foreign: packages to plant forms into; None: those that are installed.
        run: what the run calls itself; a killed run of this name is completed in any case.
    """

    mode: Mode = "plan"
    level: str | None = None
    docs: bool | None = None
    jobs: int | None = None
    allow_dirty: bool = False
    resume: bool = False
    todo: bool = False
    python: str | None = None
    test_command: str = ""
    foreign: Path | None = None
    run: str = ""

    def applied_to(self, options: MigrationSettings) -> MigrationSettings:
        """Return a repository's settings with what the user asks for instead."""
        if self.level is not None:
            options = replace(options, verify=Level(self.level))
        if self.docs is not None:
            options = replace(options, docs=self.docs)
        return options if self.jobs is None else replace(options, jobs=self.jobs)


@dataclass(frozen=True, slots=True)
class Finished:
    """One migration.

    Attributes:
        plan: what was, or would be, written; what could not be is reported in it.
        proofs: of everything that was to be written.
        written: whether the changes are on disk.
        unwritten: why files were not written although they were proved, by their shown path.
        completed: the killed run that was completed before.
        exit_code: what it means for a gate.
    """

    plan: Migration
    proofs: tuple[Proof, ...]
    written: bool
    unwritten: Mapping[str, str]
    completed: Completed | None
    exit_code: ExitCode = ExitCode.PASSED


Describe = Callable[[Finished], Mapping[str, Any]]


def read_options(paths: Sequence[Path]) -> MigrationSettings:
    """Read `[tool.planproof.codemod]` of the first path's project.

    Raises:
        UsageError: it cannot be read or holds something unknown.
    """
    file = project_root(paths[0]) / "pyproject.toml"
    if not file.is_file():
        return MigrationSettings()
    table = parse_settings(read_table(file) or {}, str(file)).codemod
    place = f"{file}: tool.planproof.codemod"
    try:
        return MigrationSettings.from_mapping(table)
    except CodemodError as error:
        where = f"{place}.{error.place}" if error.place else place
        raise UsageError(error.message, place=where, advice=error.advice) from None


@contextmanager
def coded() -> Iterator[None]:
    """Turn the errors of `codemods` into those of the command line."""
    try:
        yield
    except NoRunError as error:
        raise UsageError(error.message, place=error.place, advice=error.advice) from None
    except (WriteError, JournalError, BatchJournalError) as error:
        raise HarnessError(error.message, place=error.place, advice=error.advice) from None
    except CodemodError as error:
        raise UsageError(error.message, place=error.place, advice=error.advice) from None


def migrate(
    paths: Sequence[Path],
    request: Request,
    *,
    describe: Describe = lambda _: {},
    progress: Progress | None = None,
) -> Finished:
    """Plan, prove and, if asked to, write everything below `paths`.

    Args:
        paths: files and folders of one project.
        request: what the user asks for.
        describe: what the journal keeps of the run for whoever completes it.
        progress: called with the number of files read and of all.

    Raises:
        PlanproofError: nothing of it could be done; the error says what and why.
    """
    with coded():
        scan_settings, _ = read_settings(tuple(paths))
        options = request.applied_to(read_options(paths))
        completed = _complete(journal_root(paths), request)
        plan = plan_migration(paths, scan_settings, options, progress=progress, jobs=options.jobs)
        _demand_sound(plan, paths)
        seen = _states(plan)
        environment = proof_environment(
            paths,
            python=request.python,
            test_command=request.test_command,
            foreign=request.foreign,
            jobs=options.jobs,
        )
        foreign = foreign_files(plan, paths)
        proofs = Ladder(scan_settings, options, environment).climb(plan, foreign)
        # What is left because a proof could not be had is not known to need a change by hand.
        examined = faults_of(item for item in proofs if not item.is_unexamined)
        known = drop_groups(plan, {**examined, **foreign})
        plan = drop_groups(known, faults_of(proofs))
        if request.todo:
            changes = insert_todos(plan, paths=paths, settings=scan_settings)
            plan = replace(plan, changes=changes)
            plan = drop_groups(plan, foreign_files(plan, paths))
        is_written = request.mode == "write"
        finished = Finished(plan, proofs, is_written, {}, completed)
        finished = _judged(finished, known, request)
        if is_written:
            unwritten = _write(finished, request, describe(finished))
            plan = drop_groups(plan, unwritten)
            finished = replace(finished, plan=plan, unwritten=unwritten)
            finished = _judged(finished, drop_groups(known, unwritten), request)
            _demand_residue(finished, paths, scan_settings, options, seen)
    return finished


def _judged(finished: Finished, known: Migration, request: Request) -> Finished:
    completed = finished.completed
    codes = [exit_code(known, check=request.mode == "check")]
    codes += proof_codes(finished.proofs)
    if finished.unwritten or (completed is not None and completed.faults):
        codes.append(ExitCode.HARNESS)
    return replace(finished, exit_code=worst(codes))


def journal_root(paths: Sequence[Path]) -> Path:
    """Return the folder whose journal a run over `paths` keeps."""
    return Path(os.path.commonpath([project_root(path) for path in paths]))


def exit_code(plan: Migration, *, check: bool = False) -> ExitCode:
    """Return what a plan means for a gate; the most severe finding wins.

    With `check`, a change that is not written is a failure.
    """
    left = [
        row.occurrence
        for row in plan.rows
        if row.outcome is Outcome.REPORTED and row.occurrence.scope is Scope.PRODUCTION
    ]
    codes = []
    if any(item.status is Status.USE for item in left) or (check and plan.changes):
        codes.append(ExitCode.FAILED)
    if plan.scanned.suppressions:
        codes.append(ExitCode.LEDGER)
    if plan.unexamined or any(item.status is Status.UNDECIDED for item in left):
        codes.append(ExitCode.VACUOUS)
    return worst(codes)


def _complete(root: Path, request: Request) -> Completed | None:
    """Complete a killed run if that is asked for, or if it was this one."""
    if request.mode != "write" and not request.resume:
        return None
    journal = interrupted(root)
    is_mine = journal is not None and bool(request.run) and journal.run == request.run
    if request.resume or is_mine:
        return resume(root)
    demand_finished(root)
    return None


def _write(finished: Finished, request: Request, summary: Mapping[str, Any]) -> dict[str, str]:
    plan, completed = finished.plan, finished.completed
    root = Path(plan.scanned.root)
    if plan.changes and not request.allow_dirty:
        own = written_by(root, request.run)
        if completed is not None:
            own |= {str(root / name) for name in completed.written}
        demand_clean(plan, own)
    return write_groups(root, plan.changes, run=request.run, summary=summary)


def _demand_sound(plan: Migration, paths: Sequence[Path]) -> None:
    if not plan.scanned.files_examined:
        raise VacuousError("no file was examined", place=", ".join(str(path) for path in paths))
    if not plan.scanned.is_accounted:
        raise HarnessError("the scan lost count of what it found: please report this")


def _demand_residue(
    finished: Finished,
    paths: Sequence[Path],
    settings: ScanSettings,
    options: MigrationSettings,
    seen: Mapping[str, _State],
) -> None:
    """Scan again: exactly what was reported or allowed must be left.

    A file that is not written because somebody else changed it is theirs, and not looked at.
    """
    plan = finished.plan
    after = plan_migration(paths, settings, options, jobs=options.jobs)
    reported = {row.occurrence.path for row in plan.rows if row.outcome is Outcome.REPORTED}
    more = [change.shown for change in after.changes if change.shown not in reported]
    found, expected = found_by(after), plan.residue()
    wrong = sorted(
        key for key in (found - expected) + (expected - found) if key[0] not in finished.unwritten
    )
    places = [*more, *(key[0] for key in wrong)]
    theirs = next((place for place in places if _is_theirs(plan, place, seen)), None)
    if theirs is not None:
        raise HarnessError(
            "was changed by something else while the run wrote, so what is left in it is not known",
            place=theirs,
            advice="everything else is written: run again to look at this file",
        )
    if more:
        raise HarnessError("a second run would change more", place=more[0])
    if wrong:
        place = wrong[0][0]
        raise HarnessError("a scan after the run does not find what was reported", place=place)


def _states(plan: Migration) -> dict[str, _State]:
    """Return what tells that a file has been saved, of every file with an occurrence."""
    root = Path(plan.scanned.root)
    return {name: _state(root / name) for name in {row.occurrence.path for row in plan.rows}}


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _is_theirs(plan: Migration, place: str, seen: Mapping[str, _State]) -> bool:
    """Say whether a file holds something else than was planned or written."""
    path = Path(plan.scanned.root, place)
    written = next((item.after for item in plan.changes if item.shown == place), None)
    if written is not None:
        return not path.is_file() or path.read_bytes() != written
    return place in seen and _state(path) != seen[place]
