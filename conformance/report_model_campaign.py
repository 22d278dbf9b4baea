"""A chaos campaign as a `run/v1` report: one item for each plan and kind of fault, and what else decides."""

from collections.abc import Iterator, Mapping

from chaos.campaign.result import CampaignResult, Closure, Failure, Tally
from chaos.mutants.catalogue import BY_NAME
from chaos.mutants.trial import Trial, read_trial
from conformance.report_model import Item, RunReport, Status
from conformance.report_model_chaos import CaseTimeline, Chaos, CoverageCell, KillCell, Mutant
from conformance.report_model_coverage import (
    agreement_items,
    coverage_items,
    guarantees,
    point_items,
)

STATUSES: Mapping[str, Status] = {
    "held": Status.PASSED,
    "not fired": Status.UNTESTABLE,
    "nondeterministic": Status.NONDETERMINISTIC,
    "harness error": Status.HARNESS_ERROR,
    "violated": Status.FAILED,
}
_WORST_FIRST = ("harness error", "violated", "nondeterministic", "not fired")
SHOWN = 3
"""Predicates that the message of an item names."""


def run_report(
    result: CampaignResult,
    further: tuple[Item, ...] = (),
    facts: tuple[tuple[str, str], ...] = (),
    *,
    whole: bool = False,
    timelines: tuple[CaseTimeline, ...] = (),
) -> RunReport:
    """Return a campaign as a report.

    Args:
        result: of the campaign.
        further: items of checks around it.
        facts: to be told beside those of the campaign.
        timelines: of failures.
        whole: a whole profile was run, so that its coverage can be judged.
    """
    trials = [read_trial(document) for document in result.trials]
    return RunReport(
        kind="chaos",
        product_version=result.version,
        subject="the unified engine",
        source=f"profile {result.profile}, seed {result.seed}, {result.cases} cases",
        command=result.command,
        profile=result.profile,
        complete=result.complete,
        started_at=result.started_at,
        duration_ms=round(1000 * result.wall_s, 1),
        items=(
            *_case_items(result),
            *(_closure_item(closure, result) for closure in result.closures),
            *(_mutant_item(trial) for trial in trials),
            *agreement_items(result),
            *point_items(result),
            *(coverage_items(result) if whole and result.is_whole else ()),
            *_part_items(result),
            *further,
        ),
        facts=(*_facts(result, trials), *facts),
        chaos=Chaos(
            world="sim" if not result.kills else "sim and process",
            seed=result.seed,
            coverage=tuple(
                CoverageCell(
                    site=cell.site,
                    kind=cell.kind,
                    runs=cell.runs,
                    fired=cell.fired,
                    violations=cell.violations,
                )
                for cell in result.cells
            ),
            mutants=tuple(
                Mutant(
                    id=trial.mutant,
                    title=BY_NAME[trial.mutant].story,
                    harmless=BY_NAME[trial.mutant].harmless,
                )
                for trial in trials
            ),
            timelines=timelines,
            guarantees=guarantees(result),
            kills=tuple(
                KillCell(mutant=trial.mutant, kind=kind or "none", killed=True, witness=kill.case)
                for trial in trials
                for kind, kill in trial.enumerated.kills.items()
            ),
        ),
    )


def replay_command(case: str) -> str:
    """Return the command that runs a case again."""
    quoted = case.replace("'", "'\\''")
    return f"planproof chaos --replay '{quoted}'"


def _case_items(result: CampaignResult) -> Iterator[Item]:
    by_case = {failure.case: failure for failure in result.failures}
    for tally in result.tallies:
        failure = by_case.get(tally.first)
        yield Item(
            id=f"{tally.plan} {tally.kind}",
            group="plan x kind",
            status=_status(tally, failure),
            title=f"plan {tally.plan}, fault {tally.kind}",
            kind=tally.kind,
            message=_message(tally, failure),
            replay=replay_command(tally.first) if tally.failed else "",
        )
    shown = {tally.first for tally in result.tallies}
    for number, failure in enumerate(result.failures):
        if failure.case in shown:
            continue
        yield Item(
            id=f"{failure.case} ({number})",
            group=f"failures of {failure.part}",
            status=STATUSES[failure.judgement],
            title=failure.case,
            message=_why(failure),
            replay=replay_command(failure.case),
        )


def _status(tally: Tally, failure: Failure | None) -> Status:
    if not tally.failed:
        return Status.PASSED
    return Status.FAILED if failure is None else STATUSES[failure.judgement]


def _message(tally: Tally, failure: Failure | None) -> str:
    if not tally.failed:
        return f"{tally.cases} cases held"
    why = "" if failure is None else f": {_why(failure)}"
    return f"{tally.failed} of {tally.cases} cases did not hold; {tally.first}{why}"


def _why(failure: Failure) -> str:
    said = "; ".join(f"{one.predicate}: {one.message}" for one in failure.violations[:SHOWN])
    return " ".join(filter(None, (failure.judgement, failure.note, said)))


def _closure_item(closure: Closure, result: CampaignResult) -> Item:
    failed = [one for one in result.failures if one.part == "closure"]
    broken = sum(one.case.split("/")[0] == closure.plan for one in failed)
    message = (
        f"{closure.points} points, {closure.states} durable states, {closure.edges} lives with a "
        f"fault, {closure.audited} audited"
    )
    status = Status.PASSED
    if broken or closure.disagreed:
        status = Status.FAILED
        message += f"; {broken} violations, {len(closure.disagreed)} audits disagreed"
    elif not closure.complete:
        status = Status.UNTESTABLE
        message += "; no fixpoint was reached"
    return Item(
        id=f"{closure.plan} {closure.reach}",
        group="closure",
        status=status,
        title=f"any number of {closure.reach}, plan {closure.plan}",
        message=message,
    )


def _mutant_item(trial: Trial) -> Item:
    mutant = BY_NAME[trial.mutant]
    passes = trial.passes(mutant)
    kill = trial.enumerated.first(mutant.predicates or None)
    if mutant.harmless:
        said = "harmless, and not flagged" if passes else "harmless, and was flagged"
    elif kill is None:
        said = "survives" if not trial.note else trial.note
    else:
        said = f"killed by {', '.join(kill.predicates)} in {kill.cases} cases: {kill.case}"
    return Item(
        id=trial.mutant,
        group="mutants",
        status=Status.PASSED if passes else Status.FAILED,
        title=mutant.story,
        message=f"{said}; {trial.enumerated.cases} cases",
        replay=mutant_replay(trial),
    )


def mutant_replay(trial: Trial) -> str:
    """Return the command that plants a bug and runs again what revealed it, or looks for it anew."""
    command = f"planproof chaos --mutants {trial.mutant}"
    kill = trial.enumerated.first(BY_NAME[trial.mutant].predicates or None)
    if kill is None:
        return command
    return command + replay_command(kill.case).removeprefix("planproof chaos")


def _part_items(result: CampaignResult) -> Iterator[Item]:
    """Yield what was left out, and whether anything was run at all."""
    for part in result.parts:
        if part.required and part.done < part.units:
            yield Item(
                id=part.name,
                group="left out",
                status=Status.UNTESTABLE,
                message=f"time was up: {part.done} of {part.units} units of {part.name} were run",
            )
    if result.overfull:
        yield Item(
            id="further failures",
            group="left out",
            status=Status.FAILED,
            message=f"{result.overfull} further cases did not hold",
        )


def _facts(result: CampaignResult, trials: list[Trial]) -> Iterator[tuple[str, str]]:
    yield "cases", f"{result.cases}, {result.replayed} of them run twice with the same history"
    cpu = f"{result.cpu_s:.1f} s of CPU time in {result.wall_s:.1f} s on {result.jobs} processes"
    yield "time", cpu
    for part in result.parts:
        done = f"{part.done} of {part.units} units, {part.cases} cases, {part.seconds:.1f} s CPU"
        yield part.name, done
    if result.closures:
        points = sum(one.points for one in result.closures)
        states = sum(one.states for one in result.closures)
        edges = sum(one.edges for one in result.closures)
        said = f"{points} points, {states} durable states, {edges} lives with a fault"
        yield "closures", f"{len(result.closures)}: {said}"
    if result.kills:
        yield "real SIGKILLs", str(result.kills)
    seeded = [trial for trial in trials if not BY_NAME[trial.mutant].harmless]
    if seeded:
        at_random = sum(
            trial.random.first(BY_NAME[trial.mutant].predicates) is not None for trial in seeded
        )
        killed = sum(trial.passes(BY_NAME[trial.mutant]) for trial in seeded)
        yield (
            "mutants killed",
            f"{killed} of {len(seeded)}; by random kills in the same CPU time: {at_random}",
        )
    if result.continued:
        yield "continued", f"{result.continued} units were done by an earlier run"
