"""What `planproof codemod --verify` needs beside the plan: options, environment, exit codes."""

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from codemods.discovery import project_root
from codemods.verification import BehaviourReport, Proof, ProofEnvironment
from conformance.config import Repository, Settings, find_repository
from conformance.differential import Options, PairResult, examine_all, settle
from conformance.errors import ExitCode, PlanproofError, UsageError
from conformance.ledger import DEFAULT_CORPUS, DEFAULT_LEDGER, Ledger, read_ledger
from conformance.plan_fault import read_sound_corpus
from conformance.scenario import Scenario
from conformance.verdict import Verdict

# Of the shipped corpus, which a whole run takes half a minute for.
SAMPLED_SCENARIOS = 48

_JUDGED = frozenset({Verdict.PASS, Verdict.LEDGERED, Verdict.REGRESSION, Verdict.NONDETERMINISTIC})
_Command = TypeVar("_Command", bound=Callable[..., Any])


def proof_options(command: _Command) -> _Command:
    """Add `--python`, `--test-command` and `--foreign` to a command."""
    python = click.option(
        "--python", metavar="PATH", help="P3 to P5, P7: the consumer's Python; default: this one."
    )
    tests = click.option(
        "--test-command",
        metavar="COMMAND",
        default="",
        help="P5: runs the consumer's tests; {python} and {junit} are replaced. Default: pytest.",
    )
    foreign = click.option(
        "--foreign",
        type=click.Path(path_type=Path),
        help="P7: a folder of packages to plant into; default: those installed for --python.",
    )
    return python(tests(foreign(command)))


def proof_environment(
    paths: Sequence[Path],
    *,
    python: str | None = None,
    test_command: str = "",
    foreign: Path | None = None,
    jobs: int = 1,
    today: date | None = None,
) -> ProofEnvironment:
    """Return the environment that the options of `proof_options` describe.

    Nothing is run here; what a rung needs is got when it is climbed.

    Raises:
        UsageError: there is no such interpreter or folder.
    """
    if foreign is not None and not foreign.is_dir():
        raise UsageError("no such folder", place=str(foreign))
    environment = ProofEnvironment(
        paths=tuple(paths),
        today=today,
        jobs=jobs,
        test_command=test_command,
        foreign=foreign,
        behaviour=partial(compare_engines, tuple(paths)),
    )
    if python is None:
        return environment
    found = shutil.which(python)
    if found is None:
        raise UsageError("no such interpreter", place=python)
    # Its own path and not where a link leads: that is how an environment knows itself.
    return replace(environment, python=str(Path(found).absolute()))


def proof_codes(proofs: Sequence[Proof]) -> list[ExitCode]:
    """Return what proofs mean for the exit status: a fault fails, what was not run is vacuous."""
    return [
        ExitCode.VACUOUS if item.is_unexamined else ExitCode.FAILED for item in proofs if item.fault
    ]


def compare_engines(paths: Sequence[Path]) -> BehaviourReport:
    """Run scenarios through both engines: the repository's own, else a sample of the shipped ones.

    What the configuration or the corpus has wrong is told in the report, as the reason why no
    scenario was judged.
    """
    try:
        scenarios, ledger, source = _material(paths)
        settled = [settle(result, ledger)[0] for result in examine_all(scenarios, Options())]
    except PlanproofError as error:
        return BehaviourReport(0, source=error.line())
    judged = [result for result in settled if result.verdict in _JUDGED]
    untestable = sum(result.verdict is Verdict.UNTESTABLE for result in settled)
    if untestable:
        source += f", {untestable} not comparable"
    lines = tuple(line for result in settled if (line := _line(result)))
    return BehaviourReport(len(judged), lines, source)


def _material(paths: Sequence[Path]) -> tuple[list[Scenario], Ledger, str]:
    repository = _repository(paths)
    settings = repository.settings if repository else Settings()
    path = DEFAULT_LEDGER
    if repository and settings.ledger.path:
        path = repository.path(settings.ledger.path)
    ledger = read_ledger(path, today=datetime.now(UTC).date())
    if repository and settings.corpus.paths:
        own = read_sound_corpus([repository.path(item) for item in settings.corpus.paths])
        return own, ledger, ", ".join(settings.corpus.paths)
    shipped = sorted(read_sound_corpus([DEFAULT_CORPUS]), key=lambda item: item.name)
    draw = random.Random(0)  # noqa: S311 - the same sample every time
    sample = draw.sample(shipped, min(SAMPLED_SCENARIOS, len(shipped)))
    return sample, ledger, f"a sample of the shipped corpus ({len(shipped)})"


def _repository(paths: Sequence[Path]) -> Repository | None:
    """Return the configured repository of the first path; None where there is no configuration."""
    file = project_root(paths[0]) / "pyproject.toml"
    if not file.is_file() or b"[tool.planproof" not in file.read_bytes():
        return None
    return find_repository(file.parent)


def _line(result: PairResult) -> str:
    """Return what is wrong in one scenario; empty if nothing is."""
    if result.verdict is Verdict.REGRESSION and result.shown is not None:
        shown = result.shown
        return f"{result.scenario}: {shown.path}: legacy {shown.left!r}, unified {shown.right!r}"
    if result.verdict in {Verdict.REGRESSION, Verdict.NONDETERMINISTIC, Verdict.HARNESS_ERROR}:
        return f"{result.scenario}: {result.verdict}: {result.reason}"
    return ""
