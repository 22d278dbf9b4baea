"""The documentation as it is: the README's text, public names by griffe, examples by running them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.config import Repository
from conformance.errors import HarnessError, UsageError
from conformance.evidence.packages import package_folder
from conformance.metrics.documentation import (
    SECTIONS,
    DocumentationEvidence,
    Example,
    ExampleResult,
    examples,
)

if TYPE_CHECKING:
    import griffe

README = "README.md"
EXAMPLES_AT_ONCE = 2  # each is a process of its own that mostly imports


def documentation(repository: Repository) -> DocumentationEvidence:
    """Collect everything that the metric asks for.

    Raises:
        UsageError: a configured file or package does not exist.
    """
    settings = repository.settings.docs
    readme = _readme(repository)
    text = readme.read_text("utf-8") if readme.is_file() else None
    names, undocumented = _public_names(repository)
    return DocumentationEvidence(
        readme=repository.shown(readme),
        text=text,
        sections=settings.sections or tuple(SECTIONS),
        names=names,
        undocumented=undocumented,
        examples=_run_examples(repository, readme),
        options=_options(repository),
    )


def run_example(example: Example, timeout_s: int) -> ExampleResult:
    """Run one example as a program of its own in an empty folder."""
    if example.no_run:
        return ExampleResult(example, "not run")
    with tempfile.TemporaryDirectory(prefix="planproof-") as folder:
        program = Path(folder) / "example.py"
        program.write_text(example.code, "utf-8")
        try:
            done = subprocess.run(  # noqa: S603 - the repository's own example
                [sys.executable, "-X", "utf8", str(program)],
                cwd=folder,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return ExampleResult(example, "failed", f"ran longer than {timeout_s} s")
    if done.returncode == 0:
        return ExampleResult(example, "ran")
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return ExampleResult(example, "failed", lines[-1].strip() if lines else "no message")


def public_names(package: "griffe.Object") -> Iterator[tuple[str, bool]]:
    """Yield (place, is documented) for each public module, class, function and method.

    A method that overrides a documented one by `@override` needs no words of its own; overloads
    share the words of their implementation.
    """
    import griffe  # noqa: PLC0415 - an extra

    yield package.path, package.has_docstring
    for name, member in package.members.items():
        if name.startswith("_") or member.is_alias or not isinstance(member, griffe.Object):
            continue
        if member.is_module or member.is_class:
            yield from public_names(member)
        elif isinstance(member, griffe.Function) and not _inherits_words(member):
            yield f"{member.path} (line {member.lineno})", member.has_docstring


def _inherits_words(function: "griffe.Function") -> bool:
    names = {str(decorator.value).rpartition(".")[2] for decorator in function.decorators}
    return bool(names & {"override", "overload"})


def _load(repository: Repository, package: str, key: str) -> "griffe.Object":
    """Read a package without importing it."""
    import griffe  # noqa: PLC0415 - an extra

    folder = package_folder(repository.root, package)
    if folder is None:
        raise UsageError(
            f"tool.planproof.docs.{key}: there is no package {package!r}",
            place=str(repository.file),
        )
    try:
        module = griffe.load(package, search_paths=[folder.parent], allow_inspection=False)
    except (griffe.GriffeError, SyntaxError) as error:
        raise HarnessError(f"could not be read: {error}", place=str(folder)) from None
    if not isinstance(module, griffe.Object):
        raise HarnessError("is an alias", place=str(folder))
    return module


def _public_names(repository: Repository) -> tuple[int, tuple[str, ...]]:
    found: list[tuple[str, bool]] = []
    for package in repository.settings.docs.packages:
        found.extend(public_names(_load(repository, package, "packages")))
    return len(found), tuple(place for place, documented in found if not documented)


def _options(repository: Repository) -> tuple[str, ...]:
    configured = repository.settings.docs.options
    if not configured:
        return ()
    package, _, inner = configured.partition(".")
    module = _load(repository, package, "options")
    try:
        options = module[inner]
    except KeyError:
        raise UsageError(
            f"tool.planproof.docs.options: there is no {configured!r}", place=str(repository.file)
        ) from None
    return tuple(
        name
        for name, member in options.members.items()
        if member.is_attribute
        and "property" not in member.labels
        and not name.startswith(("_", "model_"))
    )


def _readme(repository: Repository) -> Path:
    configured = repository.settings.docs.readme
    if configured is not None:
        return repository.path(configured)
    folder = package_folder(repository.root, "engine")
    return (folder or repository.root / "engine") / README


def _run_examples(repository: Repository, readme: Path) -> tuple[ExampleResult, ...]:
    found: list[Example] = []
    for file in (readme, *map(repository.path, repository.settings.docs.examples)):
        if file.is_file():
            found.extend(examples(file.read_text("utf-8"), repository.shown(file)))
        elif file != readme:
            raise UsageError(
                f"tool.planproof.docs.examples: {file} is not a file", place=str(repository.file)
            )
    timeout_s = repository.settings.docs.timeout_s
    with ThreadPoolExecutor(EXAMPLES_AT_ONCE) as pool:
        return tuple(pool.map(lambda example: run_example(example, timeout_s), found))
