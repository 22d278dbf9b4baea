"""P3: the consumer's type checker finds nothing in the changed files that it did not find before.

mypy or pyright, whichever the consumer's environment has, with the project's own settings, in a
copy before and a copy after. Errors are counted by file and code, because lines move.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from codemods.mapping import shipped
from codemods.proofs.child_process import ChildError, Finished, run
from codemods.proofs.proof import Claim, Proof, not_run
from codemods.proofs.working_copy import Project, child_environment, projects, running_copy

LEVEL = "P3"
_SUFFIXES = (".py", ".pyi")
_PROBE_DEADLINE_S = 60
# Prints the folder that a package is imported from.
_ASK = (
    "import importlib.util, pathlib, sys;"
    "print(pathlib.Path(importlib.util.find_spec(sys.argv[1]).origin).parents[1])"
)
_MYPY_ERROR = re.compile(
    r"(?P<file>.+?):\d+(?::\d+)?: error: (?P<text>.*?)(?:  \[(?P<code>[\w-]+)\])?"
)
# Nothing found, errors found; another status of mypy is its own failure.
_ANSWERS = frozenset({0, 1})

Key = tuple[str, str]


class CheckError(Exception):
    """The type checker could not do its work."""


@dataclass(frozen=True, slots=True)
class Checker:
    """A type checker of the consumer: its name and version, and how it is called."""

    name: str
    version: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """Errors by file and code, with one message of each."""

    counts: Counter[Key]
    messages: Mapping[Key, str]


def prove(claim: Claim) -> Iterator[Proof]:
    """Compare the errors of every changed file before and after."""
    checker = _find(claim.environment.python)
    if checker is None:
        reason = f"neither mypy nor pyright is installed for {claim.environment.python}"
        yield not_run(LEVEL, reason)
        return
    for project in projects(claim):
        files = _modules([project.inside(item) for item in project.changes])
        if not files:
            continue
        try:
            before, after = (_check(claim, checker, project, files, side) for side in (False, True))
        except (CheckError, ChildError, OSError) as error:
            yield project.not_run(LEVEL, f"{checker.name}: {error}")
            continue
        yield from _compare(checker, project, before, after)


def _modules(names: Sequence[str]) -> list[str]:
    """Return the files to check: of a module with a stub the stub, which is what counts."""
    found = {PurePath(name) for name in names if PurePath(name).suffix in _SUFFIXES}
    return sorted(
        str(path) for path in found if path.suffix != ".py" or path.with_suffix(".pyi") not in found
    )


def _find(python: str) -> Checker | None:
    beside = Path(python).with_name("pyright")
    candidates = (
        ("mypy", (python, "-m", "mypy")),
        ("pyright", (python, "-m", "pyright")),
        ("pyright", (str(beside),)),
    )
    for name, words in candidates:
        try:
            done = run([*words, "--version"], deadline_s=_PROBE_DEADLINE_S)
        except ChildError:
            continue
        if done.status == 0:
            return Checker(name, done.last_line, words)
    return None


def _check(
    claim: Claim,
    checker: Checker,
    project: Project,
    files: Sequence[str],
    migrated: bool,  # noqa: FBT001 - the side
) -> Findings:
    deadline_s = claim.environment.check_deadline_s
    with running_copy(project, migrated=migrated) as copy, TemporaryDirectory() as cache:
        environment = child_environment(copy, project.import_folders(claim.settings.source_roots))
        if checker.name == "mypy":
            paths = (environment["PYTHONPATH"], _engine_folder(claim.environment.python))
            environment["MYPYPATH"] = os.pathsep.join(filter(None, paths))
            options: tuple[str, ...] = (
                "--no-error-summary", "--show-error-codes", "--no-color-output", "--no-pretty",
                "--hide-error-context", f"--cache-dir={cache}",
            )  # fmt: skip
        else:
            options = ("--outputjson", "--pythonpath", claim.environment.python)
        words = [*checker.words, *options, *files]
        done = run(words, folder=copy, environment=environment, deadline_s=deadline_s)
        return _mypy(done) if checker.name == "mypy" else _pyright(done, copy)


def _engine_folder(python: str) -> str:
    """Return where the engine is, if it is installed in a way that mypy does not see.

    An editable installation may be found by an import hook only. Where it is installed as usual,
    mypy finds it, and refuses to be told.
    """
    done = run([python, "-I", "-c", _ASK, shipped().engine], deadline_s=_PROBE_DEADLINE_S)
    folder = done.last_line if done.status == 0 else ""
    return "" if {"site-packages", "dist-packages"} & {*Path(folder).parts} else folder


def _mypy(done: Finished) -> Findings:
    if done.status not in _ANSWERS:
        errors = (line for line in done.output.splitlines() if ": error: " in line)
        raise CheckError(next(errors, done.last_line))
    found = [
        ((match["file"], match["code"] or "misc"), match["text"])
        for line in done.output.splitlines()
        if (match := _MYPY_ERROR.fullmatch(line))
    ]
    if done.status and not found:
        raise CheckError(done.last_line)
    return _findings(found)


def _pyright(done: Finished, copy: Path) -> Findings:
    try:
        items = json.loads(done.output[done.output.index("{") :])["generalDiagnostics"]
    except (ValueError, KeyError):
        raise CheckError(done.last_line) from None
    found = []
    for item in items:
        if item["severity"] == "error":
            file = item["file"].removeprefix(f"{copy}/")
            text = item["message"].splitlines()[0]
            found.append(((file, item.get("rule", "syntax")), text))
    return _findings(found)


def _findings(found: Sequence[tuple[Key, str]]) -> Findings:
    # Of each the last message, which is as likely as any to be the new one.
    return Findings(Counter(key for key, _ in found), dict(found))


def _compare(
    checker: Checker, project: Project, before: Findings, after: Findings
) -> Iterator[Proof]:
    shown = {project.inside(item): item.shown for item in project.changes}
    elsewhere = 0
    faults: dict[str, list[str]] = {}
    for key, number in sorted((after.counts - before.counts).items()):
        file, code = key
        if file not in shown:
            elsewhere += number
            continue
        counts = f"{before.counts[key]} errors before, {after.counts[key]} after"
        faults.setdefault(file, []).append(f"{code}: {counts}: {after.messages[key]}")
    checked = set(_modules(list(shown)))
    before_total, after_total = before.counts.total(), after.counts.total()
    detail = f"{checker.version}: {before_total} errors before, {after_total} after"
    if elsewhere:
        detail += f", {elsewhere} new ones in files that did not change"
    for file, name in shown.items():
        if file in checked:
            yield Proof(name, LEVEL, "; ".join(faults.get(file, ())), detail)
        elif PurePath(file).suffix in _SUFFIXES:
            yield Proof(name, LEVEL, detail="its stub is checked instead")
