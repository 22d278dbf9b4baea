"""Where imports of a file start: its package root, the project's source folders, its own folder."""
# `os.path` over plain strings: a `Path` for each look-up doubles the time of a resolution.
# ruff: noqa: PTH112, PTH113, PTH117, PTH118, PTH120

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codemods.discovery import PROJECT_FILES

# Nested tables of a pyproject.toml that name folders on the import path.
_FOLDER_KEYS: tuple[tuple[str, ...], ...] = (
    ("tool", "setuptools", "packages", "find", "where"),
    ("tool", "pytest", "ini_options", "pythonpath"),
    ("tool", "mypy", "mypy_path"),
    ("tool", "pyright", "extraPaths"),
)


@dataclass(frozen=True, slots=True)
class Located:
    """How far a dotted path leads into the tree.

    Attributes:
        modules: for each leading part the module's file, or None for a plain folder.
        package: for a relative path, the file of the package it starts from.
        is_script_folder: found only because Python puts a script's own folder on its path.
    """

    modules: tuple[str | None, ...] = ()
    package: str | None = None
    is_script_folder: bool = False

    def file(self, count: int) -> str | None:
        """Return the file of the module that the first `count` parts name."""
        if count == 0:
            return self.package
        return self.modules[count - 1] if 0 < count <= len(self.modules) else None


@dataclass(slots=True)
class ImportRoots:
    """The import path of each file of one project, with a cache of what exists.

    Attributes:
        project: the project's folder.
        further: import folders from the settings, relative to it.
        nested: folders of the projects inside it (a monorepo's packages).
    """

    project: str
    further: Sequence[str] = ()
    nested: Sequence[str] = ()
    _folders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _modules: dict[str, str | None] = field(default_factory=dict)
    _declared: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _located: dict[tuple[str, int, tuple[str, ...]], Located] = field(default_factory=dict)

    def locate(self, parts: Sequence[str], level: int, path: str) -> Located:
        """Follow a dotted path, as written in the file `path`, as far as it leads."""
        folder = path.rpartition("/")[0] or "/"
        key = (folder, level, tuple(parts))
        found = self._located.get(key)
        if found is None:
            found = self._located[key] = self._locate(parts, level, folder)
        return found

    def _locate(self, parts: Sequence[str], level: int, folder: str) -> Located:
        if level:
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return Located(self._follow(folder, parts), self.module(folder))
        best: tuple[str | None, ...] = ()
        for root in self.of(folder):
            found = self._follow(root, parts)
            if found and found[0] is not None:
                return Located(found)  # a regular module ends the search, as in Python
            if sum(item is not None for item in found) > sum(item is not None for item in best):
                best = found
        own = self._follow(folder, parts)
        if not any(best) and own and own[0] is not None and not self._init(folder):
            return Located(own, is_script_folder=True)
        return Located(best)

    def of(self, folder: str) -> tuple[str, ...]:
        """Return the folders that absolute imports of files in `folder` start from, in order."""
        if folder not in self._folders:
            self._folders[folder] = tuple(dict.fromkeys(self._search(folder)))
        return self._folders[folder]

    def package(self, path: str) -> tuple[str, ...]:
        """Return the dotted name of the package that holds the file `path`."""
        folder = os.path.dirname(path)
        for root in self.of(folder):
            if folder == root:
                return ()
            if folder.startswith(root + "/"):
                return tuple(folder[len(root) + 1 :].split("/"))
        return ()

    def _search(self, folder: str) -> Iterator[str]:
        top = folder
        while self._init(top):
            top = os.path.dirname(top)
        if top != folder:
            yield top
        for parent in _parents(folder, self.project):
            yield from self._project_folders(parent)
        yield from (os.path.normpath(os.path.join(self.project, item)) for item in self.further)
        yield self.project
        for nested in self.nested:
            yield from self._project_folders(nested)

    def _project_folders(self, folder: str) -> tuple[str, ...]:
        if folder not in self._declared:
            names: list[str] = []
            if folder == self.project or any(
                os.path.isfile(os.path.join(folder, name)) for name in PROJECT_FILES
            ):
                names = ["src", "lib", *declared_folders(folder), "."]
            self._declared[folder] = tuple(
                path
                for name in names
                if os.path.isdir(path := os.path.normpath(os.path.join(folder, name)))
                and not (name in {"src", "lib"} and self._init(path))
            )
        return self._declared[folder]

    def _init(self, folder: str) -> bool:
        return self.module(folder) is not None and not folder.endswith(".py")

    def _follow(self, folder: str, parts: Sequence[str]) -> tuple[str | None, ...]:
        found: list[str | None] = []
        for part in parts:
            folder = f"{folder}/{part}"
            module = self.module(folder)
            if module is None and not os.path.isdir(folder):
                break
            found.append(module)
            if module is not None and not module.startswith(folder + "/"):
                break  # a module file has no modules below it
        return tuple(found)

    def module(self, stem: str) -> str | None:
        """Return the file of the module at a path without suffix; a package is its `__init__`."""
        if stem not in self._modules:
            self._modules[stem] = next(
                (
                    path
                    for suffix in ("/__init__.py", ".py", "/__init__.pyi", ".pyi")
                    if os.path.isfile(path := stem + suffix)
                ),
                None,
            )
        return self._modules[stem]


def _parents(folder: str, top: str) -> Iterator[str]:
    while True:
        yield folder
        above = os.path.dirname(folder)
        if folder in {top, above}:
            return
        folder = above


def declared_folders(folder: str) -> list[str]:
    """Return the import folders that a project's files declare; broken files declare none."""
    names: list[str] = []
    try:
        with Path(folder, "pyproject.toml").open("rb") as file:
            document = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        document = {}
    for keys in _FOLDER_KEYS:
        names += _strings(_at(document, keys))
    names += _strings(_at(document, ("tool", "setuptools", "package-dir", "")))
    for package in _at(document, ("tool", "poetry", "packages")) or ():
        names += _strings(package.get("from") if isinstance(package, dict) else None)
    wheel = _at(document, ("tool", "hatch", "build", "targets", "wheel", "packages"))
    names += [os.path.dirname(item) or "." for item in _strings(wheel)]
    return [name for name in [*names, *_of_setuptools(folder)] if name and not os.path.isabs(name)]


def _of_setuptools(folder: str) -> list[str]:
    file = os.path.join(folder, "setup.cfg")
    if not os.path.isfile(file):
        return []
    import configparser  # noqa: PLC0415 - few projects have one, and every start is quick

    names: list[str] = []
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(file, encoding="utf-8")
        names += parser.get("options.packages.find", "where", fallback="").split()
        layout = parser.get("options", "package_dir", fallback="")
    except (configparser.Error, UnicodeDecodeError):
        layout = ""
    names += [
        line.partition("=")[2].strip() for line in layout.splitlines() if line.startswith("=")
    ]
    return names


def _at(document: Mapping[str, Any], keys: Sequence[str]) -> Any:
    value: Any = document
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
