"""Temporary copies of the consumer's projects, before and after the migration.

Nothing of the consumer is run or planned anywhere else, so its own files stay as they are.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from codemods.discovery import TOOL_FOLDERS, discover, project_root
from codemods.import_roots import ImportRoots
from codemods.migration import Change
from codemods.proofs.proof import WHOLE, Claim, Proof, not_run


@dataclass(frozen=True, slots=True)
class Project:
    """One project of the migration.

    Attributes:
        folder: where it is.
        label: stands before what is said about it, where there are several.
        given: the paths in it that were migrated.
        changes: what changes in it.
    """

    folder: Path
    label: str
    given: tuple[Path, ...]
    changes: tuple[Change, ...]

    def proof(self, level: str, fault: str = "", detail: str = "") -> Proof:
        """Return a proof about the whole of it."""
        return Proof(WHOLE, level, fault and f"{self.label}{fault}", f"{self.label}{detail}")

    def not_run(self, level: str, reason: str) -> Proof:
        """Return the proof of a rung that could not be climbed in it."""
        return not_run(level, f"{self.label}{reason}")

    def inside(self, change: Change) -> str:
        """Return the path of a changed file in the project."""
        return os.path.relpath(change.path, self.folder)

    def import_folders(self, source_roots: Sequence[str]) -> tuple[str, ...]:
        """Return the folders, relative to the project, that its modules are imported from."""
        roots = ImportRoots(str(self.folder), source_roots)
        parents = dict.fromkeys(str(Path(change.path).parent) for change in self.changes)
        found = [item for parent in parents for item in roots.of(parent)]
        return tuple(dict.fromkeys(os.path.relpath(item, self.folder) for item in found))


def projects(claim: Claim) -> tuple[Project, ...]:
    """Return the outermost projects that have changes."""
    root = Path(claim.plan.scanned.root if claim.plan else os.path.commonpath(_folders(claim)))
    given = [Path(os.path.abspath(path)) for path in claim.environment.paths] or [root]  # noqa: PTH100 - links keep their names
    folders = sorted({project_root(path) for path in given})  # a folder before what is in it
    outermost = [item for item in folders if not any(up in folders for up in item.parents)]
    found = []
    for folder in outermost:
        changes = tuple(item for item in claim.changes if Path(item.path).is_relative_to(folder))
        label = f"{os.path.relpath(folder, root)}: " if len(outermost) > 1 else ""
        paths = tuple(path for path in given if path.is_relative_to(folder))
        if changes:
            found.append(Project(folder, label, paths, changes))
    return tuple(found)


def _folders(claim: Claim) -> list[str]:
    return [str(Path(change.path).parent) for change in claim.changes]


@contextmanager
def running_copy(project: Project, *, migrated: bool) -> Iterator[Path]:
    """Yield a copy that the consumer's programs may run in.

    Everything but the state of tools and virtual environments is in it. The copies of one project
    have paths of one length, and end in the project's own name.

    Raises:
        OSError: a file could not be copied.
    """
    with TemporaryDirectory(prefix="planproof-") as parent:
        copy = Path(os.path.realpath(parent), project.folder.name or "project")
        shutil.copytree(project.folder, copy, symlinks=True, ignore=_left_out)
        _keep_links_inside(project.folder, copy)
        if migrated:
            _write(project, copy)
        yield copy


@contextmanager
def planning_copy(project: Project) -> Iterator[Path]:
    """Yield a migrated copy of the files that a scan reads; it must not be written to.

    Raises:
        OSError: a file could not be linked or copied.
    """
    with TemporaryDirectory(prefix="planproof-") as parent:
        copy = Path(os.path.realpath(parent), project.folder.name or "project")
        (copy / ".git").mkdir(parents=True)  # so that it ends at its own folder
        changed = {project.inside(change) for change in project.changes}
        for name in discover(project.folder).names:
            if name not in changed:
                _link(project.folder / name, copy / name)
        _write(project, copy)
        yield copy


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(os.readlink(source))  # noqa: PTH115 - names need not be Unicode
        return
    if not source.is_file():
        return  # removed, or a pipe: a scan says so for itself
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _write(project: Project, copy: Path) -> None:
    for change in project.changes:
        target = copy / project.inside(change)
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode if target.exists() else None
        target.unlink(missing_ok=True)
        target.write_bytes(change.after)
        if mode is not None:
            target.chmod(stat.S_IMODE(mode))


def _left_out(folder: str, names: Sequence[str]) -> set[str]:
    return {name for name in names if name in TOOL_FOLDERS or _is_special(Path(folder, name))}


def _is_special(path: Path) -> bool:
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        return (path / "pyvenv.cfg").exists()
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode))


def _keep_links_inside(original: Path, copy: Path) -> None:
    """Let absolute links into the project lead into the copy."""
    for folder, folders, files in os.walk(copy):
        for name in (*folders, *files):
            path = Path(folder, name)
            if path.is_symlink() and (target := path.readlink()).is_relative_to(original):
                path.unlink()
                path.symlink_to(copy / target.relative_to(original))


def child_environment(copy: Path, folders: Sequence[str], *, first: str = "") -> dict[str, str]:
    """Return the environment of the consumer's programs in a copy.

    Args:
        copy: the copy.
        folders: its import folders, relative to it.
        first: a folder to import from before all others.
    """
    kept: Mapping[str, str] = {
        key: value
        for key, value in os.environ.items()
        # Of a run of pytest that this one is a part of.
        if not key.startswith(("PYTEST_CURRENT_TEST", "PYTEST_XDIST", "COV_CORE_", "GIT_"))
    }
    path = [first, *(str(copy / item) for item in folders), kept.get("PYTHONPATH", "")]
    return {
        "PYTHONHASHSEED": "0",
        **kept,
        "PYTHONPATH": os.pathsep.join(item for item in path if item),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
