"""`planproof codemod --repos`: many repositories, each by itself, one summary over all."""

import dataclasses
import datetime as dt
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from codemods.batch import Bounds, run_pool
from codemods.batch_journal import BatchJournal, Record, open_journal, read_batch
from codemods.discovery import project_root
from codemods.journal import JOURNAL, read_journal
from codemods.migration import Outcome
from codemods.reports import RENDERERS
from codemods.repositories import RepositoryList, size_of
from codemods.staging import put
from codemods.writing import interrupted, undo, written_by
from conformance.commands.codemod_run import (
    Finished,
    Request,
    coded,
    journal_root,
    migrate,
    read_options,
)
from conformance.commands.codemod_tree import demand_readable, fingerprint
from conformance.commands.progress import progress_bar
from conformance.commands.scan import read_settings
from conformance.errors import HarnessError, PlanproofError, UsageError

DONE = "done"
FAILED = "failed"
REPORTS = "reports"

# The suffix of a repository's own report; a batch prints a summary in another form.
_SUFFIXES = {"json": "json", "markdown": "md", "sarif": "sarif", "codetf": "codetf.json"}
_DIGEST_CHARACTERS = 8

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One repository of a batch, as a worker process gets it.

    Attributes:
        repository: its absolute path.
        shown: its name in the summary.
        request: what is asked for.
        reports: the folder for its report.
        form: how that is written.
        earlier: what a killed or partly failed batch noted of it.
    """

    repository: Path
    shown: str
    request: Request
    reports: Path
    form: str
    earlier: Record | None = None


@dataclass(frozen=True, slots=True)
class Worked:
    """What a worker gives back: the record of its repository, and whether it stood there before."""

    record: Record
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The entries of all repositories in the order of the list; how many were done before."""

    entries: tuple[Entry, ...]
    known: int


def run_batch(
    listed: RepositoryList, state: Path, request: Request, form: str, bounds: Bounds
) -> BatchResult:
    """Migrate every repository of a list; with `request.resume` only those that are not done.

    Raises:
        PlanproofError: the state folder cannot be used; a repository's fault is in its entry.
    """
    resumes = request.resume
    with coded(), open_journal(state, resumes=resumes) as journal:
        own = replace(
            request,
            run=journal.run,
            resume=resumes and request.mode == "write",
            jobs=max(1, bounds.jobs // len(listed.repositories)),
        )
        tasks = [
            Task(
                repository=path,
                shown=_shown(path, listed),
                request=own,
                reports=state / REPORTS,
                form=form if form in _SUFFIXES else "json",
                earlier=journal.records.get(str(path)) if resumes else None,
            )
            for path in listed.repositories
        ]
        tasks.sort(key=lambda task: -size_of(task.repository))
        return _gathered(tasks, listed, journal, bounds)


def _gathered(
    tasks: Sequence[Task], listed: RepositoryList, journal: BatchJournal, bounds: Bounds
) -> BatchResult:
    entries: dict[Path, Entry] = {}
    known = 0
    with progress_bar("repositories") as progress:
        for settled in run_pool(tasks, migrate_repository, bounds):
            task = settled.item
            worked = settled.result
            if worked is None:
                error = HarnessError(settled.fault, place=task.shown)
                worked = Worked(Record("", _failed(task, error)))
            if worked.is_known:
                known += 1
            else:
                journal.append(task.repository, worked.record)
            entries[task.repository] = dict(worked.record.entry)
            if progress is not None:
                progress(len(entries), len(tasks))
    ordered = tuple(entries[path] for path in listed.repositories)
    return BatchResult(ordered, known)


def migrate_repository(task: Task) -> Worked:
    """Migrate one repository, unless that is done; whatever goes wrong becomes its entry."""
    fault: PlanproofError
    try:
        return _worked(task)
    except PlanproofError as error:
        fault = error
    except MemoryError:
        fault = HarnessError("needs more memory than a worker may take", place=task.shown)
    except Exception as crash:  # noqa: BLE001 - one repository must not cost the others
        message = f"crashed: {type(crash).__name__}: {crash}"
        fault = HarnessError(message, place=task.shown)
    return Worked(Record("", _failed(task, fault)))


def _worked(task: Task) -> Worked:
    if not task.repository.is_dir():
        raise UsageError("no such repository", place=task.shown)
    if not task.request.allow_dirty:
        demand_readable(task.repository)
    known = task.earlier
    is_done = known is not None and known.entry["status"] == DONE and bool(known.inputs)
    if known is not None and is_done and known.inputs == inputs_of(task):
        return Worked(known, is_known=True)
    with coded():
        entry = _entry(task)
    return Worked(Record(inputs_of(task) if entry["status"] == DONE else "", entry))


def _entry(task: Task) -> Entry:
    """Migrate; what this very batch had written when it was killed is described as it was then."""
    earlier = _done_before(task)
    describe = partial(_description, task)
    finished = migrate([task.repository], task.request, describe=describe)
    completed = finished.completed
    if completed is not None and completed.run == task.request.run and not completed.faults:
        earlier = completed.summary
    described = earlier if earlier and _leads_to(earlier, finished) else describe(finished)
    file = task.reports / str(described["entry"]["report"])
    file.parent.mkdir(parents=True, exist_ok=True)
    put(file, str(described["text"]).encode("utf-8", "surrogateescape"))
    return dict(described["entry"])


def _leads_to(earlier: Mapping[str, Any], finished: Finished) -> bool:
    """Say whether what is found now is what an earlier run had left."""
    account = earlier["entry"]["accounting"]
    left = account["before"] - account[Outcome.REWRITTEN.value]
    return not finished.plan.changes and len(finished.plan.rows) == left


def _done_before(task: Task) -> Mapping[str, Any]:
    """Return what this batch had written and was killed before it could note."""
    root = journal_root([task.repository])
    journal = read_journal(root, JOURNAL)
    if journal is None or interrupted(root) is not None:
        return {}
    is_whole = len(written_by(root, task.request.run)) == len(journal.entries)
    return journal.summary if is_whole else {}


def _description(task: Task, finished: Finished) -> dict[str, Any]:
    """Return the entry of a repository and the text of its report."""
    plan = finished.plan
    is_failed = bool(finished.unwritten) or bool(finished.completed and finished.completed.faults)
    entry = {
        "repository": task.shown,
        "path": str(task.repository),
        "status": FAILED if is_failed else DONE,
        "exit_code": int(finished.exit_code),
        "error": None,
        "files": {
            "found": plan.scanned.files_found,
            "examined": plan.scanned.files_examined,
            "changed": [change.shown for change in plan.changes],
        },
        "accounting": {
            "before": len(plan.rows),
            **{outcome.value: plan.count(outcome) for outcome in Outcome},
        },
        "levels": list(dict.fromkeys(item.level for item in finished.proofs)),
        "faults": [dataclasses.asdict(item) for item in finished.proofs if item.fault],
        "unwritten": dict(finished.unwritten),
        "report": _report_name(task),
    }
    render = RENDERERS[task.form]
    return {
        "entry": entry,
        "text": render(plan, finished.proofs, written=finished.written),
    }


def _failed(task: Task, error: PlanproofError) -> Entry:
    return {
        "repository": task.shown,
        "path": str(task.repository),
        "status": FAILED,
        "exit_code": int(error.exit_code),
        "error": {
            "code": error.code,
            "message": error.message,
            "place": error.place,
            "advice": error.advice,
        },
        "files": None,
        "accounting": None,
        "levels": [],
        "faults": [],
        "unwritten": {},
        "report": None,
    }


def inputs_of(task: Task) -> str:
    """Return a digest of what a repository's entry depends on; empty if that cannot be told.

    That is planproof itself, the settings, what was asked for, and the repository's content.
    """
    content = fingerprint(task.repository)
    if not content:
        return ""
    paths = (task.repository,)
    settings, _ = read_settings(paths)
    with coded():
        options = task.request.applied_to(read_options(paths))
    today = dt.datetime.now(tz=dt.UTC).date()
    expired = [item.expires < today for item in settings.allow]
    request = task.request
    asked = (request.mode, task.form, request.todo, replace(options, jobs=1))
    tools = (request.python, request.test_command, request.foreign)
    said = repr((version("planproof"), settings, expired, asked, tools, content))
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


def undo_batch(listed: RepositoryList, state: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Take back what a batch wrote; return the restored files and the faults, by repository.

    Raises:
        UsageError: there is no batch to undo.
    """
    with coded():
        if read_batch(state) is None:
            raise UsageError("there is no batch to undo", place=str(state))
        restored: dict[str, list[str]] = {}
        faults: dict[str, str] = {}
        with open_journal(state, resumes=True) as journal:
            known = [Path(name) for name in journal.records]
            for path in dict.fromkeys([*listed.repositories, *known]):
                shown = _shown(path, listed)
                try:
                    with coded():
                        restored[shown] = _undone(path, journal.run)
                except PlanproofError as error:
                    faults[shown] = error.line()
            if not faults:
                journal.remove()
    return restored, faults


def _undone(repository: Path, run: str) -> list[str]:
    """Take back one repository, unless the batch has written nothing there."""
    if not repository.is_dir():
        return []
    root = project_root(repository)
    journal = interrupted(root) or read_journal(root, JOURNAL)
    if journal is None or journal.run != run:
        return []
    return undo(root, run=run)


def _shown(repository: Path, listed: RepositoryList) -> str:
    base = listed.state.parent
    return str(repository.relative_to(base)) if repository.is_relative_to(base) else str(repository)


def _report_name(task: Task) -> str:
    digest = hashlib.sha256(os.fsencode(task.repository)).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{task.repository.name}-{digest}.{_SUFFIXES[task.form]}"
