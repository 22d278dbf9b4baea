"""P1: planning again changes nothing, and neither order nor parallelism changes the plan.

A file: planning its result finds nothing to do. Everything: the same paths in reverse order, with
another number of processes, give the same bytes; and in a migrated copy nothing changes and
exactly what was reported or allowed is found.
"""

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from codemods.edits import EditError
from codemods.errors import CodemodError
from codemods.migration import Change, Migration, found_by
from codemods.migration_plan import plan_migration
from codemods.module_plan import plan_module
from codemods.proofs.proof import WHOLE, Claim, Proof, not_run
from codemods.proofs.same_tree import PYTHON
from codemods.proofs.working_copy import Project, planning_copy, projects
from codemods.source import decode_python

LEVEL = "P1"
# Planning looks up each file among the given ones; beyond this many that would cost more than it
# shows.
_MOST_FILES = 400


def prove(claim: Claim) -> Iterator[Proof]:
    """Plan every result again, then everything."""
    for change in claim.changes:
        if PurePath(change.shown).suffix in PYTHON:
            yield Proof(change.shown, LEVEL, _again(change, claim))
    if claim.plan is not None:
        yield from _reordered(claim, claim.plan)
        for project in projects(claim):
            yield from _settled(claim, claim.plan, project)


def _again(change: Change, claim: Claim) -> str:
    try:
        text = decode_python(change.after)
        plan = plan_module(text, claim.settings.all_roots, bridge=claim.options.bridge)
    except (UnicodeError, LookupError, EditError, SyntaxError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "a second run would change it" if plan.edits else ""


def _plan(claim: Claim, paths: list[Path], jobs: int) -> Migration:
    today = claim.environment.today
    return plan_migration(paths, claim.settings, claim.options, today=today, jobs=jobs)


def _reordered(claim: Claim, plan: Migration) -> Iterator[Proof]:
    root = plan.scanned.root
    files = {row.occurrence.path for row in plan.rows} | {item.shown for item in plan.changes}
    given = claim.environment.paths or (Path(root),)
    if len(files) <= _MOST_FILES:
        paths = [Path(root, name) for name in sorted(files, reverse=True)]
        order = f"{len(paths)} files in reverse order"
    else:
        paths = list(reversed(given))
        order = f"{len(paths)} given paths in reverse order, not the {len(files)} files"
    jobs = 1 if claim.environment.jobs > 1 else 2
    try:
        other = _plan(claim, paths, jobs)
    except (CodemodError, OSError) as error:
        yield not_run(LEVEL, f"planning in another order: {error}")
        return
    first = {item.path: item for item in plan.changes}
    second = {item.path: item for item in other.changes}
    detail = f"{order}; {claim.environment.jobs} and {jobs} processes"
    wrong = [
        path
        for path in sorted(first.keys() | second.keys())
        if path not in first or path not in second or first[path].after != second[path].after
    ]
    for path in wrong:
        # A file that only the second plan changes has no group of its own to be dropped.
        shown = first[path].shown if path in first else WHOLE
        name = os.path.relpath(path, root)
        yield Proof(shown, LEVEL, f"{name}: another order or parallelism gives other bytes", detail)
    if not wrong:
        yield Proof(WHOLE, LEVEL, detail=detail)


def _settled(claim: Claim, plan: Migration, project: Project) -> Iterator[Proof]:
    try:
        with planning_copy(project) as copy:
            paths = [copy / path.relative_to(project.folder) for path in project.given]
            after = _plan(claim, paths, claim.environment.jobs)
    except (CodemodError, OSError) as error:
        yield project.not_run(LEVEL, f"planning the result again: {error}")
        return
    shown = {project.inside(change): change.shown for change in project.changes}
    for change in after.changes:
        path = shown.get(change.shown, WHOLE)
        yield Proof(path, LEVEL, f"{change.shown}: a second run would change it")
    if after.changes:
        return
    detail = f"a second run of {after.scanned.files_examined} files changes nothing"
    fault = ""
    if project.folder == Path(plan.scanned.root):
        found, residue = found_by(after), plan.residue()
        wrong = sorted((found - residue) + (residue - found))
        if wrong:
            path, kind, word = wrong[0]
            fault = f"{path}: {kind} {word}: left, and not reported, or reported, and not left"
            yield Proof(shown.get(path, WHOLE), LEVEL, fault, detail)
            return
        detail += " and finds what was reported"
    yield project.proof(LEVEL, detail=detail)
