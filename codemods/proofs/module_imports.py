"""P4: every changed module that could be imported before can be imported after.

Each in a fresh process of the consumer's Python, in a copy of the project, and only where the
module that is found is the one of the copy.
"""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from codemods.proofs.child_process import ChildError, run
from codemods.proofs.proof import Claim, Proof
from codemods.proofs.working_copy import Project, child_environment, projects, running_copy

LEVEL = "P4"
_SUFFIXES = (".py", ".pyw")
# Arguments: the file for the answer, the module's dotted name or nothing, the module's file.
_PROGRAM = """
import importlib, json, os, runpy, sys
answer, name, path = sys.argv[1:]
own = os.path.dirname(path)
if not os.path.exists(os.path.join(own, "__init__.py")):
    sys.path.append(own)  # scripts and tests import what stands beside them
try:
    if name:
        found = getattr(importlib.import_module(name), "__file__", None)
        fault = ""
        if found is None or os.path.realpath(found) != os.path.realpath(path):
            fault = "%s is another module: %s" % (name, found)
    else:
        runpy.run_path(path, run_name="imported")
        fault = ""
except BaseException as error:
    text = str(error).strip().split("\\n")[0]
    fault = "%s: %s" % (type(error).__name__, text)
with open(answer, "w", encoding="utf-8", errors="backslashreplace") as file:
    json.dump(fault, file)
os._exit(0)
"""


def prove(claim: Claim) -> Iterator[Proof]:
    """Import every changed module, before and after."""
    for project in projects(claim):
        changes = [item for item in project.changes if PurePath(item.shown).suffix in _SUFFIXES]
        if not changes:
            continue
        files = [project.inside(item) for item in changes]
        try:
            before = _import(claim, project, files, migrated=False)
            able = [file for file in files if not before[file]]
            after = _import(claim, project, able, migrated=True)
        except OSError as error:
            yield project.not_run(LEVEL, str(error))
            continue
        if not able:
            reason = f"no changed module could be imported before: {files[0]}: {before[files[0]]}"
            yield project.not_run(LEVEL, reason)
            continue
        for change, file in zip(changes, files, strict=True):
            detail = f"by {claim.environment.python}"
            if before[file]:
                detail += f"; not demanded, because not possible before: {before[file]}"
            yield Proof(change.shown, LEVEL, after.get(file, ""), detail)


def _import(
    claim: Claim, project: Project, files: Sequence[str], *, migrated: bool
) -> dict[str, str]:
    """Return why each file cannot be imported; empty where it can."""
    if not files:
        return {}
    folders = project.import_folders(claim.settings.source_roots)
    with running_copy(project, migrated=migrated) as copy:
        task = partial(_import_one, claim, copy, folders)
        # Threads only wait for the processes.
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return dict(zip(files, pool.map(task, files), strict=True))


def _import_one(claim: Claim, copy: Path, folders: Sequence[str], file: str) -> str:
    with TemporaryDirectory(prefix="planproof-") as folder:
        answer = Path(folder, "answer.json")
        name = module_name(file, folders)
        words = [claim.environment.python, "-c", _PROGRAM, str(answer), name, str(copy / file)]
        environment = child_environment(copy, folders)
        deadline_s = claim.environment.import_deadline_s
        try:
            done = run(words, folder=copy, environment=environment, deadline_s=deadline_s)
        except ChildError as error:
            return str(error)
        try:
            fault: str = json.loads(answer.read_text("utf-8"))
        except (OSError, ValueError):
            return f"the interpreter ended: {done.last_line}"
        return fault


def module_name(file: str, folders: Sequence[str]) -> str:
    """Return the dotted name of a file by the deepest import folder; empty where it has none."""
    for top in sorted(map(PurePath, folders), key=lambda item: len(item.parts), reverse=True):
        if PurePath(file).is_relative_to(top):
            parts = PurePath(file).relative_to(top).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            if parts and all(part.isidentifier() for part in parts):
                return ".".join(parts)
    return ""
