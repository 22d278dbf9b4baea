"""Which files a scan looks at: git's own list inside a work tree, a walk elsewhere.

Nothing is left out silently: every folder and file that is not examined is counted by reason.
"""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from codemods.errors import MissingPathError

# Never source of the project: tool state and installed packages.
TOOL_FOLDERS = frozenset(
    {
        ".bzr", ".direnv", ".eggs", ".git", ".hg", ".mypy_cache", ".nox", ".planproof", ".pytest_cache", ".pytype",
        ".ruff_cache", ".svn", ".tox", ".venv", "__pycache__", "node_modules", "site-packages",
    }
)  # fmt: skip
# The same, unless they are Python packages (`src/acme/build/__init__.py`).
OUTPUT_FOLDERS = frozenset({"build", "dist", "venv"})

PROJECT_FILES = ("pyproject.toml", "setup.cfg", "setup.py")


class Language(StrEnum):
    """How a file is read."""

    PYTHON = "python"
    NOTEBOOK = "notebook"
    CONFIGURATION = "configuration"
    DOCUMENT = "document"
    BARE = "bare"


_SUFFIXES: dict[str, Language] = {
    **dict.fromkeys((".py", ".pyi", ".pyw"), Language.PYTHON),
    ".ipynb": Language.NOTEBOOK,
    **dict.fromkeys((".md", ".rst", ".txt", ".adoc", ".markdown"), Language.DOCUMENT),
    **dict.fromkeys(
        (
            ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf", ".json", ".jsonc", ".json5", ".env",
            ".properties", ".sh", ".bash", ".zsh", ".fish", ".ps1", ".bat", ".mk", ".service", ".tf",
            ".hcl", ".nomad", ".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".dockerfile", ".in",
            ".pyx", ".pxd", ".pxi", ".pth", ".star", ".bzl", ".cron", ".example", ".sample", ".dist",
        ),
        Language.CONFIGURATION,
    ),
}  # fmt: skip
_REQUIREMENTS = ("requirements", "constraints", "entry_points")
_CONFIGURATION_NAMES = ("Dockerfile", "Containerfile", "Procfile", "Makefile", ".env", ".flake8")


def language_of(name: str) -> Language | None:
    """Return how a file of this name is read, or None for a type that is not examined."""
    if name.endswith(".py") and name[0] != ".":
        return Language.PYTHON  # nearly every file of most projects
    # A leading dot begins no suffix. Plain strings: a Path per file costs more than the scan.
    stem, dot, ending = name.lstrip(".").rpartition(".")
    suffix = f".{ending.lower()}" if dot and stem else ""
    language = _SUFFIXES.get(suffix)
    if language is Language.DOCUMENT and name.startswith(_REQUIREMENTS):
        return Language.CONFIGURATION
    if language is not None:
        return language
    if name.startswith(_CONFIGURATION_NAMES):
        return Language.CONFIGURATION
    # `bin/worker`: a script without a suffix says in its first line what it is.
    return None if suffix else Language.BARE


@dataclass(frozen=True, slots=True)
class Discovered:
    """Files below one path: names relative to `folder`, posix, sorted.

    `unreadable` are folders that could not be listed: what is in them is not known.
    """

    folder: str
    names: tuple[str, ...]
    skipped: Counter[str]
    unreadable: tuple[str, ...] = ()


def discover(path: Path) -> Discovered:
    """List the files of a file or folder.

    Raises:
        MissingPathError: `path` does not exist.
    """
    if not path.exists():
        raise MissingPathError("no such file or folder", place=str(path))
    if not path.is_dir():
        return Discovered(str(path.parent), (path.name,), Counter())
    skipped: Counter[str] = Counter()
    unreadable: list[str] = []
    names = _git_names(path, skipped)
    if not names:
        # Not a work tree, or a folder that git ignores and the user named: it is meant.
        skipped.clear()
        names = list(_walk(str(path), skipped, unreadable))
    return Discovered(str(path), tuple(sorted(names)), skipped, tuple(sorted(unreadable)))


def _git(folder: Path, *arguments: str) -> bytes | None:
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


def _git_names(folder: Path, skipped: Counter[str]) -> list[str]:
    if not any(
        (parent / ".git").exists() for parent in (folder.absolute(), *folder.absolute().parents)
    ):
        return []
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = []
    for name in sorted({os.fsdecode(item) for item in (listed or b"").split(b"\0") if item}):
        if name.endswith("/"):
            skipped["nested repository"] += 1
        else:
            names.append(name)
    return names


def _walk(folder: str, skipped: Counter[str], unreadable: list[str]) -> Iterator[str]:
    pending = [("", folder)]
    while pending:
        prefix, current = pending.pop()
        try:
            with os.scandir(current) as listing:
                entries = list(listing)
        except OSError:
            unreadable.append(prefix.rstrip("/") or ".")
            continue
        if prefix and any(entry.name == "pyvenv.cfg" for entry in entries):
            skipped["virtual environment"] += 1
            continue
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield prefix + entry.name
            elif entry.is_symlink() and _is_folder(entry):
                skipped["linked folder"] += 1
            elif entry.is_dir(follow_symlinks=False):
                if _is_foreign(entry):
                    skipped["tool folder"] += 1
                else:
                    pending.append((f"{prefix}{entry.name}/", entry.path))
            else:
                yield prefix + entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself: reading it will say so


def _is_foreign(entry: os.DirEntry[str]) -> bool:
    if entry.name in TOOL_FOLDERS or entry.name.endswith(".egg-info"):
        return True
    return entry.name in OUTPUT_FOLDERS and not Path(entry.path, "__init__.py").exists()


def project_root(path: Path) -> Path:
    """Return the project that `path` belongs to.

    The nearest folder with a project file; else the git work tree; else `path`'s own folder.
    """
    # Not resolved: a linked project keeps the name that the user gave it.
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - `Path.absolute` keeps `..`
    folder = absolute if path.is_dir() else absolute.parent
    for parent in (folder, *folder.parents):
        if any((parent / name).is_file() for name in PROJECT_FILES):
            return parent
        if (parent / ".git").exists():
            return parent
    return folder
