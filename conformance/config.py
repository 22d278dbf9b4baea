"""`[tool.planproof]`: the settings of the repository a command stands in.

Every section has defaults, so an empty table is a valid configuration. A key that is not known is
an error and never ignored: a typo in the name of a check would otherwise switch the check off.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conformance.errors import UsageError

TABLE = "tool.planproof"
STARTER = f"`planproof init` writes it: `[{TABLE}]` in pyproject.toml, and the table may stay empty"

# Pydantic's error type -> what TOML calls the type that is expected.
_EXPECTATIONS = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_type": "a number",
    "int_type": "a whole number",
    "model_type": "a table",
    "string_type": "a string",
    "tuple_type": "a list",
}

ProfileName = Literal["pr", "nightly", "release"]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CorpusSettings(_Section):
    """Which scenarios the differential run reads, beside the shipped corpus.

    Attributes:
        paths: scenario files or folders beside the shipped corpus.
        use_shipped: also run the shipped corpus.
    """

    paths: tuple[str, ...] = ()
    use_shipped: bool = True


class LedgerSettings(_Section):
    """Where the divergence ledger lies.

    Attributes:
        path: the divergence ledger; not set: the shipped one.
    """

    path: str | None = None


class SizeSettings(_Section):
    """What is measured against which baseline (lines as `conformance.metrics.size` counts them).

    A code line is a physical line with code on it: no blank lines, comments or docstrings. The
    workflow machine is judged by its own lines; the lines, functions and complexity of every engine
    module that it imports stand beside it, so that code which was only moved stays visible. The
    default baselines are the plan's: both as they were before the unification.

    Attributes:
        workflow_machine: the module or file that is measured.
        baseline_lines: code lines before the unification.
        target_reduction: the share of them that has to be gone.
        legacy_baseline_lines: code lines of the legacy executor, shown beside it.
    """

    workflow_machine: str = "engine.workflow_machine"
    baseline_lines: int = Field(default=1604, gt=0)
    target_reduction: Share = 0.20
    legacy_baseline_lines: int = Field(default=1061, gt=0)


class TestSettings(_Section):
    """Where the results of the execution tests come from.

    `junit` is read when the file exists; else `command` runs, with `{junit}` replaced by the file
    it has to write and `args` appended. A file older than the tests below `paths` is not read.

    Attributes:
        command: the test command; `{junit}` is the file that it writes.
        args: appended to the command.
        junit: JUnit XML that is read instead, unless it is older than the tests.
        paths: what it must not be older than.
        timeout_s: the command is ended after so many seconds.
    """

    __test__ = False  # not a pytest class

    command: tuple[str, ...] = ("python", "-m", "pytest", "-q", "--junitxml={junit}")
    args: tuple[str, ...] = ()
    junit: str | None = None
    paths: tuple[str, ...] = ("tests",)
    timeout_s: float = Field(default=900, gt=0)


class FailureSettings(_Section):
    """Production records of both executors, and when a difference of their failure rates counts.

    Attributes:
        legacy_records: JSONL of the legacy executions, each with a boolean `success`.
        unified_records: the same of the unified engine.
        margin: accepted difference of the failure rates (0.01 is one percentage point).
        confidence: one-sided confidence of that.
    """

    legacy_records: str | None = None
    unified_records: str | None = None
    margin: Share = 0.01
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95


class DocsSettings(_Section):
    """What has to be documented.

    A Python block that cannot run stands below `<!-- no-run: the reason -->`.

    Attributes:
        readme: the README that is judged; not set: `engine/README.md`.
        sections: the sections that it needs; none given: the plan's five.
        options: a class whose fields its section on configuration has to name.
        packages: packages whose public names need docstrings.
        examples: further files whose Python blocks have to run, as those of the README have to.
        timeout_s: an example is ended after so many seconds.
    """

    readme: str | None = None
    sections: tuple[str, ...] = ()
    options: str | None = "engine.settings.WorkflowSettings"
    packages: tuple[str, ...] = ("engine",)
    examples: tuple[str, ...] = ()
    timeout_s: int = Field(default=60, gt=0)


class RunSettings(_Section):
    """How much of the differential run one profile asks for.

    Attributes:
        generated: generated scenarios, beside the corpus.
        seed: of the generated ones.
    """

    generated: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)


class ProfileSettings(_Section):
    """The three profiles: how much of the differential run each of them asks for.

    Attributes:
        pr: a pull request.
        nightly: every night.
        release: a release; here the checklist decides as well.
    """

    pr: RunSettings = RunSettings(generated=50)
    nightly: RunSettings = RunSettings(generated=1000)
    release: RunSettings = RunSettings(generated=2000)

    def named(self, name: ProfileName) -> RunSettings:
        """Return the settings of one profile."""
        chosen: RunSettings = getattr(self, name)
        return chosen


class Attestation(_Section):
    """A checklist row answered by a person.

    Attributes:
        verdict: `"met"`, `"missed"` or `"unknown"`.
        reason: why.
        evidence: a file that shows it.
    """

    verdict: Literal["met", "missed", "unknown"]
    reason: str = Field(min_length=1)
    evidence: str = Field(min_length=1)


class Settings(_Section):
    """The whole table. `scan` and `codemod` are handed to these commands, which validate them.

    Attributes:
        scan: what `planproof scan` looks for, where, and which uses are allowed for a time.
        codemod: how `planproof codemod` rewrites, and how far it proves that.
        corpus: which scenarios the differential run reads.
        ledger: where the divergence ledger lies.
        size: what the size of the engine is measured by.
        tests: where the results of the execution tests come from.
        failures: production records of both executors, compared by a one-sided non-inferiority
            test on exact intervals, which says `unknown` where they are too few for the margin.
        docs: what has to be documented.
        profile: how many scenarios each profile generates, and their seed.
        checklist: rows of the migration checklist answered by hand, as `[tool.planproof.checklist.ROW]`.
    """

    scan: dict[str, Any] = Field(default_factory=dict)
    codemod: dict[str, Any] = Field(default_factory=dict)
    corpus: CorpusSettings = CorpusSettings()
    ledger: LedgerSettings = LedgerSettings()
    size: SizeSettings = SizeSettings()
    tests: TestSettings = TestSettings()
    failures: FailureSettings = FailureSettings()
    docs: DocsSettings = DocsSettings()
    profile: ProfileSettings = ProfileSettings()
    checklist: dict[str, Attestation] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository a command stands in: its folder, the file of its settings, the settings."""

    root: Path
    file: Path
    settings: Settings

    def path(self, relative: str) -> Path:
        """Return a configured path, which is relative to the configuration file."""
        return self.root / relative

    def shown(self, path: Path) -> str:
        """Return `path` as a report shows it: relative to the repository where it lies inside."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def find_repository(start: Path, file: Path | None = None) -> Repository:
    """Return the repository around `start`, or the one that the configuration `file` belongs to.

    Raises:
        UsageError: no file with the table, unreadable or invalid TOML (with line and column), an
            unknown key (with the nearest known one) or a wrong type (with path and expectation).
    """
    if file is not None:
        table = read_table(file)
        if table is None:
            raise UsageError(f"has no [{TABLE}] table", place=str(file), advice=STARTER)
        return _repository(file.resolve(), table)
    passed: Path | None = None
    for folder in (start.resolve(), *start.resolve().parents):
        candidate = folder / "pyproject.toml"
        if candidate.is_file():
            table = read_table(candidate)
            if table is not None:
                return _repository(candidate, table)
            passed = passed or candidate
    if passed is not None:
        raise UsageError(f"has no [{TABLE}] table", place=str(passed), advice=STARTER)
    raise UsageError("no pyproject.toml here or above", place=str(start), advice=STARTER)


def read_table(file: Path) -> Mapping[str, Any] | None:
    """Return the table in `file`; None if there is none.

    Raises:
        UsageError: unreadable or invalid TOML, with line and column.
    """
    try:
        document = tomllib.loads(file.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", place=str(file)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 at byte {error.start}", place=str(file)) from None
    except tomllib.TOMLDecodeError as error:
        # The message ends in "(at line L, column C)" or "(at end of document)".
        raise UsageError(f"invalid TOML: {error}", place=str(file)) from None
    tool = document.get("tool", {})
    table = tool.get("planproof") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{TABLE}: expected a table", place=str(file))
    return table


def parse_settings(table: Mapping[str, Any], place: str) -> Settings:
    """Return the settings in `table`.

    Raises:
        UsageError: as `find_repository` does; the message begins with `place` and the key's path.
    """
    scan = table.get("scan")
    frozen = {name: _tuples(value) for name, value in table.items() if name != "scan"}
    try:
        return Settings.model_validate(frozen if scan is None else {**frozen, "scan": scan})
    except ValidationError as error:
        raise UsageError(_fault(error, table), place=place) from None


def _repository(file: Path, table: Mapping[str, Any]) -> Repository:
    return Repository(root=file.parent, file=file, settings=parse_settings(table, str(file)))


def _tuples(value: Any) -> Any:
    """Return `value` with its lists as tuples, which strict validation asks for."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value


def _fault(error: ValidationError, table: Mapping[str, Any]) -> str:
    faults = error.errors()
    # A misspelt key also leaves the right one missing: the misspelling is what to name.
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])
    location = fault["loc"]
    path = ".".join((TABLE, *(str(part) for part in location)))
    if fault["type"] == "extra_forbidden":
        known = sorted(_known_keys(location[:-1]))
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"{path}: unknown key; {hint}"
    if fault["type"] == "missing":
        return f"{path}: is required"
    found: Any = table
    for part in location:
        found = found[part]
    expected = fault["msg"].removeprefix("Input should be ")
    return f"{path}: expected {_EXPECTATIONS.get(fault['type'], expected)}, found {found!r}"


def _known_keys(location: tuple[int | str, ...]) -> set[str]:
    model: type[BaseModel] = Settings
    for part in location:
        field = model.model_fields.get(str(part))
        inner = _model_in(field.annotation) if field is not None else None
        # Below a table of free names (`checklist.<row>`) the model stays the one found above it.
        model = inner or model
    return set(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {dict, Union, UnionType}:
        return next(filter(None, map(_model_in, get_args(annotation))), None)
    return None
