"""Where the packages that are measured lie, without importing them."""

import importlib.util
from dataclasses import replace
from pathlib import Path

from conformance.config import Repository
from conformance.errors import UsageError
from conformance.metrics.frozen import FreezeEvidence, read_freeze
from conformance.metrics.size import SizeEvidence, import_closure, measure

# Beside Python source, the files that a checklist row may be shown by.
OBSERVABILITY_SUFFIXES = frozenset({".json", ".yaml", ".yml"})


def package_folder(root: Path, package: str) -> Path | None:
    """Return the folder of a top-level package: the repository's own one, else the installed one."""
    own = root / package
    return own if (own / "__init__.py").is_file() else installed_folder(package)


def installed_folder(package: str) -> Path | None:
    """Return the folder of an installed top-level package."""
    spec = importlib.util.find_spec(package)
    locations = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(locations))) if locations else None


def engine_size(repository: Repository) -> SizeEvidence:
    """Measure the configured workflow machine: a module name, or the path of a file.

    A consumer's repository holds no engine, so a module is looked for in the installation too; the
    evidence names the file that was measured.

    Raises:
        UsageError: there is no such module or file.
    """
    configured = repository.settings.size.workflow_machine
    missing = UsageError(
        f"tool.planproof.size.workflow_machine: there is no module or file {configured!r}",
        place=str(repository.file),
    )
    if configured.endswith(".py"):
        file = repository.path(configured)
        folder, module = _enclosing_package(file)
    else:
        module = configured
        package, *rest = configured.split(".")
        found = _folder_with(repository.root, package, Path(*rest).with_suffix(".py"))
        if found is None:
            raise missing
        folder, file = found, found.joinpath(*rest).with_suffix(".py")
    if not file.is_file():
        raise missing
    closure = import_closure(folder, module)
    return SizeEvidence(
        path=repository.shown(file),
        machine=measure(file.read_text("utf-8")),
        closure={name: measure(path.read_text("utf-8")) for name, path in closure.items()},
    )


def freeze(repository: Repository) -> FreezeEvidence | None:
    """Read the manifest of the frozen legacy package; None if there is none."""
    folder = package_folder(repository.root, "legacy")
    found = read_freeze(folder) if folder is not None else None
    if found is None:
        return None
    return replace(found, manifest=repository.shown(Path(found.manifest)))


def checklist_sources(repository: Repository) -> dict[str, str]:
    """Read the files that the checklist is judged by, under the names it shows them by."""
    sources: dict[str, str] = {}
    for package in ("engine", "legacy"):
        folder = package_folder(repository.root, package)
        for file in sorted(folder.rglob("*")) if folder is not None else ():
            if file.suffix == ".py" or file.suffix in OBSERVABILITY_SUFFIXES:
                sources[f"{package}/{file.relative_to(folder or file)}"] = file.read_text("utf-8")
    return sources


def _folder_with(root: Path, package: str, module: Path) -> Path | None:
    own = root / package
    return own if (own / module).is_file() else installed_folder(package)


def _enclosing_package(file: Path) -> tuple[Path, str]:
    """Return the top-level package around `file` and the name of its module."""
    folder, names = file.parent, [file.stem]
    while (folder.parent / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join([folder.name, *names])
