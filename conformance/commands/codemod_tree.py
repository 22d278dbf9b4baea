"""What git says about the trees that are migrated: are they clean, whose files are they, what is in them."""

import hashlib
import os
import subprocess
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

from codemods.discovery import discover, project_root
from codemods.migration import Change, Migration
from codemods.prefilter import read
from codemods.staging import STATE_FOLDER
from conformance.errors import UsageError

_STATUS = ("status", "--porcelain=v1", "-z", "-uall", "--", ".")
_NO_COMMIT = b"no commit"


def demand_clean(plan: Migration, own: Collection[str] = ()) -> None:
    """Refuse work trees with uncommitted changes, or with changed files that git does not know.

    Every work tree that has one of the plan's files is asked.

    Args:
        plan: what is to be written.
        own: files that the same run has written already, by their absolute paths.

    Raises:
        UsageError: one is not clean, or git cannot say.
    """
    by_tree: dict[Path, list[Change]] = defaultdict(list)
    for change in plan.changes:
        tree = work_tree_of(Path(change.path))
        if tree is not None:  # else the journal is what takes the run back
            by_tree[tree].append(change)
    for tree, changes in by_tree.items():
        folder = Path(os.path.realpath(plan.scanned.root))
        _demand_clean(folder if folder.is_relative_to(tree) else tree, tree, changes, own)


def _demand_clean(
    folder: Path, tree: Path, changes: Sequence[Change], own: Collection[str]
) -> None:
    listed = git(folder, *_STATUS)
    if listed is None:
        raise UsageError(
            "git cannot say whether the work tree is clean",
            place=str(folder),
            advice="mend that, or use --allow-dirty",
        )
    changed = {os.fsencode(os.path.realpath(change.path)) for change in changes}
    mine = {os.fsencode(os.path.realpath(path)) for path in own}
    for entry in listed.split(b"\0"):
        if os.path.join(os.fsencode(tree), entry[3:]) in mine:  # noqa: PTH118 - bytes
            continue
        is_foreign = entry.startswith(b"?? ") and not any(
            path.endswith(b"/" + entry[3:]) for path in changed
        )
        if entry and not is_foreign:
            raise UsageError(
                "the work tree has uncommitted changes",
                place=os.fsdecode(entry[3:]),
                advice="commit first, or use --allow-dirty",
            )


def demand_readable(repository: Path) -> None:
    """Refuse a repository that git itself cannot read.

    Raises:
        UsageError: it has a `.git` that leads nowhere or is damaged.
    """
    tree = work_tree_of(repository / "x")
    if tree is not None and git(tree, "ls-files", "-z") is None:
        raise UsageError("git cannot read the repository", place=str(tree / ".git"))


def foreign_files(plan: Migration, paths: Sequence[Path]) -> dict[str, str]:
    """Return the files of a plan that belong to a repository inside the given ones, with why.

    Submodules and nested repositories have owners of their own: they are migrated by themselves.
    """
    given = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - links keep their names
    trees = {work_tree_of(project_root(path) / "x") for path in given}
    reasons: dict[str, str] = {}
    for change in plan.changes:
        tree = work_tree_of(Path(change.path))
        if tree not in trees:
            reasons[change.shown] = "it belongs to another repository: migrate that one by itself"
    return reasons


def fingerprint(repository: Path) -> str:
    """Return a digest of everything a plan depends on in a repository; empty if git fails.

    In a work tree that is the commit and whatever differs from it, elsewhere all files.
    """
    digest = hashlib.sha256()
    root = project_root(repository)
    tree = work_tree_of(root / "x")
    if tree is None:
        names = [name for name in discover(root).names if not name.startswith(f"{STATE_FOLDER}/")]
    else:
        commit = git(tree, "rev-parse", "HEAD")
        listed = git(root, *_STATUS)
        if listed is None:
            return ""
        digest.update(commit or _NO_COMMIT)
        digest.update(listed)
        # A rename has its old name as an entry of its own, which does not exist any more.
        names = [os.fsdecode(entry[3:]) for entry in listed.split(b"\0") if entry]
        root = tree
    for name in names:
        digest.update(os.fsencode(name) + b"\0" + _digest_of(root / name))
    return digest.hexdigest()


def work_tree_of(path: Path) -> Path | None:
    """Return the nearest folder around a file that has a `.git`; None if there is none."""
    # By its real place: what leads there may be a link in another work tree.
    folders = Path(os.path.realpath(path)).parents
    return next((folder for folder in folders if (folder / ".git").exists()), None)


def git(folder: Path, *arguments: str) -> bytes | None:
    """Return what git prints, None if it fails or is not there."""
    # A hook's GIT_DIR and GIT_INDEX_FILE describe another work tree than `folder`'s.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            check=False,
            env=environment,
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _digest_of(path: Path) -> bytes:
    found = read(str(path), "/dev/null")
    return hashlib.sha256(found).digest() if isinstance(found, bytes) else repr(found).encode()
