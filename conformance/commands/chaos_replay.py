"""One case of a campaign again: run twice, or made smaller, on the engine as it is or with a bug planted."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from chaos.case import Case, CaseResult, Judgement
from chaos.explore.shrinking import shrink, shrink_by
from chaos.fault_id import FaultIdError, format_case, parse_case
from chaos.history import History
from chaos.mutants.catalogue import BY_NAME
from chaos.plans import UnknownPlanError, find_plan
from chaos.running import replay
from chaos.timeline import timeline
from conformance.chaos_cutover import CutoverPort
from conformance.commands.chaos_against import port_named
from conformance.cutover import replay_cutover
from conformance.errors import ExitCode, HarnessError, UsageError, VacuousError
from conformance.replay_files import ReplayFile, ReplayFileError, read_replay
from conformance.report_model import STATUS_CODES
from conformance.report_model_campaign import STATUSES, replay_command

PLANTED = "chaos.mutants.planted"
CLI = "conformance.cli"


def run_again(case: Case) -> tuple[CaseResult, History]:
    """Run a case on the executor that it names, judged by the rules that this one can keep."""
    if case.subject == CutoverPort.name:
        return replay_cutover(case)
    return replay(case, port_factory=port_named(case.subject))


def replay_case(text: str, mutant: str | None = None) -> ExitCode:
    """Run a case twice, show its timeline, its digest and what it comes to.

    Args:
        text: its id, or a file that a failure has left.
        mutant: a bug to plant in the engine first.

    Raises:
        UsageError: it is neither, or there is no such bug.
        HarnessError: the case cannot be run.
    """
    saved = _saved(text)
    case_id = text if saved is None else saved.case
    if mutant is not None:
        return _planted(mutant, "--replay", case_id)
    try:
        case = parse_case(case_id)
        result, history = run_again(case)
        again, _ = run_again(case)
    except (FaultIdError, UnknownPlanError) as error:
        raise UsageError(str(error)) from None
    except UsageError:
        raise
    except Exception as error:
        raise HarnessError(f"{case_id}: {type(error).__name__}: {error}") from error
    for line in timeline(result, history):
        click.echo(line)
    click.echo(f"history {result.digest}")
    if again.digest != result.digest:
        click.echo(f"a second run has another history: {again.digest}")
        return ExitCode.FAILED
    click.echo("a second run has the same history, bit for bit")
    if saved is not None and saved.digest:
        same = saved.digest == result.digest
        click.echo(f"the failure had {'the same history' if same else f'another: {saved.digest}'}")
    return STATUS_CODES[STATUSES[str(result.judgement)]]


def shrink_case(text: str, mutant: str | None = None) -> ExitCode:
    """Show the smallest case found that breaks a rule that this one breaks.

    Raises:
        UsageError: the text is neither an id nor a file of one, or there is no such bug.
        VacuousError: the case holds.
    """
    saved = _saved(text)
    case_id = text if saved is None else saved.case
    if mutant is not None:
        return _planted(mutant, "--shrink", case_id)
    try:
        case = parse_case(case_id)
        find_plan(case.plan)
    except (FaultIdError, UnknownPlanError) as error:
        raise UsageError(str(error)) from None
    smallest = smallest_like(case)
    result, history = run_again(smallest)
    if result.judgement is Judgement.HELD:
        raise VacuousError(f"{case_id} holds: there is nothing to shrink")
    for line in timeline(result, history):
        click.echo(line)
    click.echo(replay_command(format_case(smallest)))
    return ExitCode.FAILED


def smallest_like(case: Case) -> Case:
    """Return the smallest case found that breaks a rule that `case` breaks; one that holds as it is."""
    if case.subject != CutoverPort.name:
        return shrink(case, port_factory=port_named(case.subject))
    broken = _broken_cutover(case)
    return shrink_by(case, lambda one: bool(_broken_cutover(one) & broken)) if broken else case


def _broken_cutover(case: Case) -> set[str]:
    result, _ = replay_cutover(case)
    if result.judgement is not Judgement.VIOLATED:
        return set()
    return {violation.predicate for violation in result.violations}


def _saved(text: str) -> ReplayFile | None:
    try:
        return read_replay(Path(text)) if text.endswith(".json") else None
    except ReplayFileError as error:
        raise UsageError(str(error)) from None


def _planted(mutant: str, option: str, case_id: str) -> ExitCode:
    """Do it in a process of its own: a bug has to be planted before the engine is loaded."""
    if mutant not in BY_NAME:
        raise UsageError(f"there is no mutant {mutant!r}", advice=f"known: {', '.join(BY_NAME)}")
    command = [sys.executable, "-m", PLANTED, mutant, CLI, "chaos", option, case_id]
    done: subprocess.CompletedProcess[Any] = subprocess.run(command, check=False)  # noqa: S603 - our own interpreter and module
    return ExitCode(done.returncode)
