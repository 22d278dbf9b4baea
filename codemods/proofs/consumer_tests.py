"""P5: the consumer's tests have the same outcomes before and after, and without the legacy module.

Three runs, each in a fresh copy of the project: before, after, and after with a tripwire in place
of every legacy module (`codemods.proofs.import_watch`). No test, or none that passes before,
proves nothing.
"""

import json
import shlex
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from codemods.migration import Outcome
from codemods.occurrence import Status
from codemods.proofs.child_process import ChildError, run
from codemods.proofs.proof import Claim, Proof
from codemods.proofs.working_copy import Project, child_environment, projects, running_copy

LEVEL = "P5"
DEFAULT_COMMAND = "{python} -m pytest -q -p no:cacheprovider --junitxml={junit}"
_SHOWN = 5
_PROBE_DEADLINE_S = 60
# Asks all finders in their order, as an import does; the parent package need not exist.
_PROBE = "import sys; [finder.find_spec(sys.argv[1], None) for finder in sys.meta_path]"
# For a process without `site`, which no finder can be put into.
_RAISES = 'raise ImportError("the legacy module is imported where it has been migrated away")\n'


class SuiteError(Exception):
    """The tests could not be run, or left no results."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One run.

    Attributes:
        outcomes: of each test by its id.
        refused: the imports that the tripwire refused.
        fault: why there are no outcomes.
    """

    outcomes: Mapping[str, str]
    refused: tuple[str, ...] = ()
    fault: str = ""

    @property
    def summary(self) -> str:
        """How many tests there were, by outcome."""
        counts = Counter(self.outcomes.values())
        return ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))


@dataclass(frozen=True, slots=True)
class Tripwire:
    """What is refused: the legacy roots, but for files that are known to use them still."""

    roots: tuple[tuple[str, ...], ...]
    permitted: tuple[str, ...]


def prove(claim: Claim) -> Iterator[Proof]:
    """Run the tests of every changed project three times."""
    for project in projects(claim):
        tripwire = _tripwire(claim, project)
        try:
            before = _run(claim, project, migrated=False)
            fault = _vacuous(before)
            if fault:
                yield project.not_run(LEVEL, fault)
                continue
            after = _run(claim, project, migrated=True)
            wired = _run(claim, project, migrated=True, tripwire=tripwire)
        except (SuiteError, OSError) as error:
            yield project.not_run(LEVEL, str(error))
            continue
        yield project.proof(LEVEL, _difference(before, after), before.summary)
        detail = f"with a tripwire for {', '.join('.'.join(root) for root in tripwire.roots)}"
        if tripwire.permitted:
            detail += f"; it lets through what is left: {', '.join(tripwire.permitted)}"
        fault = _difference(after, wired)
        if wired.refused:
            fault = f"the legacy module is still imported: {_first(wired.refused)}"
        yield project.proof(LEVEL, fault, detail)


def _vacuous(before: SuiteRun) -> str:
    if before.fault:
        return before.fault
    if not before.outcomes:
        return "there are no tests"
    if "passed" not in before.outcomes.values():
        return f"no test passes before the migration: {before.summary}"
    return ""


def _difference(before: SuiteRun, after: SuiteRun) -> str:
    if after.fault:
        return after.fault
    names = before.outcomes.keys() | after.outcomes.keys()
    wrong = [
        f"{name}: {before.outcomes.get(name, 'absent')} -> {after.outcomes.get(name, 'absent')}"
        for name in sorted(names)
        if before.outcomes.get(name) != after.outcomes.get(name)
    ]
    return f"{len(wrong)} of {len(names)} tests: {_first(wrong)}" if wrong else ""


def _first(items: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return "; ".join(items[:_SHOWN]) + more


def _tripwire(claim: Claim, project: Project) -> Tripwire:
    """Return what is refused; leftovers of the plan, and namesakes, are let through."""
    permitted: set[str] = set()
    if claim.plan is not None:
        root = Path(claim.plan.scanned.root)
        left = [
            row.occurrence for row in claim.plan.rows if row.outcome is not Outcome.REWRITTEN
        ] + list(claim.plan.scanned.of(Status.NAMESAKE))
        for item in left:
            path = root / item.path
            if path.is_relative_to(project.folder):
                permitted.add(str(path.relative_to(project.folder)))
    return Tripwire(claim.settings.all_roots, tuple(sorted(permitted)))


def _run(
    claim: Claim, project: Project, *, migrated: bool, tripwire: Tripwire | None = None
) -> SuiteRun:
    folders = project.import_folders(claim.settings.source_roots)
    python = claim.environment.python
    with (
        running_copy(project, migrated=migrated) as copy,
        TemporaryDirectory(prefix="planproof-") as folder,
    ):
        junit, log = Path(folder, "junit.xml"), Path(folder, "refused.log")
        first = ""
        if tripwire is not None:
            first = _arm(Path(folder, "tripwire"), copy, tripwire, log)
        environment = child_environment(copy, folders, first=first)
        if tripwire is not None:
            _demand_armed(python, environment, copy, tripwire)
            log.unlink(missing_ok=True)
        words = _words(claim.environment.test_command, python, junit)
        outcomes: Mapping[str, str] = {}
        fault = ""
        deadline_s = claim.environment.test_deadline_s
        try:
            done = run(words, folder=copy, environment=environment, deadline_s=deadline_s)
            if junit.is_file():
                outcomes = read_results(junit)
            else:
                fault = f"{shlex.join(words)}: no results: {done.last_line}"
        except (ChildError, SuiteError) as error:
            fault = str(error)
        refused = log.read_text("utf-8").splitlines() if log.is_file() else []
        return SuiteRun(outcomes, tuple(dict.fromkeys(refused)), fault)


def _words(command: str, python: str, junit: Path) -> list[str]:
    command = command or DEFAULT_COMMAND
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise SuiteError(f"the test command: {error}") from None
    if "{junit}" not in command:
        words.append("--junitxml={junit}")
    return [word.replace("{python}", python).replace("{junit}", str(junit)) for word in words]


def read_results(file: Path) -> dict[str, str]:
    """Return the outcome of each test in a JUnit file; a test that ran twice is numbered.

    Raises:
        SuiteError: the file is no JUnit XML.
    """
    try:
        tree = ET.parse(file)  # noqa: S314 - the file that the test run has just written
    except ET.ParseError as error:
        raise SuiteError(f"the results cannot be read: {error}") from None
    seen: Counter[str] = Counter()
    found = {}
    for case in tree.iter("testcase"):
        name = f"{case.get('classname', '')}::{case.get('name', '')}"
        seen[name] += 1
        name += f" ({seen[name]})" if seen[name] > 1 else ""
        worse = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        found[name] = worse[0] if worse else "passed"
    return found


def _arm(folder: Path, copy: Path, tripwire: Tripwire, log: Path) -> str:
    """Write the tripwire into a folder that is imported from first."""
    folder.mkdir()
    source = files("codemods.proofs").joinpath("import_watch.py").read_bytes()
    (folder / "sitecustomize.py").write_bytes(source)
    settings = {
        "roots": [list(root) for root in tripwire.roots],
        "folder": str(copy),
        "permitted": list(tripwire.permitted),
        "log": str(log),
    }
    (folder / "import_watch.json").write_text(json.dumps(settings), "utf-8")
    for root in tripwire.roots:
        if len(root) == 1 and not tripwire.permitted:
            (folder / f"{root[0]}.py").write_text(_RAISES, "utf-8")
    return str(folder)


def _demand_armed(
    python: str, environment: Mapping[str, str], copy: Path, tripwire: Tripwire
) -> None:
    """Refuse to prove anything by a tripwire that lets imports through."""
    for root in tripwire.roots:
        name = ".".join(root)
        words = [python, "-c", _PROBE, name]
        try:
            done = run(words, folder=copy, environment=environment, deadline_s=_PROBE_DEADLINE_S)
        except ChildError as error:
            raise SuiteError(str(error)) from None
        if done.status == 0 or "LegacyImportError" not in done.output:
            raise SuiteError(f"the tripwire does not stop {name}: {done.last_line}")
