"""`planproof chaos`: break everything that can break, everywhere, and judge what comes of it."""

import os
import shlex
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import click

import chaos
from chaos.campaign.guarantees import FILE as GUARANTEES
from chaos.campaign.guarantees import guarantee_units, write_guarantees
from chaos.campaign.journal import FOLDER, Journal, sources_hash
from chaos.campaign.planning import mutant_unit, plan_units, units_of
from chaos.campaign.points import FILE as POINTS
from chaos.campaign.points import write_points
from chaos.campaign.pool import process_pool
from chaos.campaign.profile import PROFILES, find_profile
from chaos.campaign.result import CampaignResult
from chaos.campaign.running import Campaign, Head
from chaos.campaign.unit import Unit
from chaos.fault_id import parse_case
from chaos.mutants.catalogue import BY_NAME
from chaos.mutants.trial import read_trial
from chaos.plans import UnknownPlanError, find_plan
from conformance.cluster import ClusterAddress, open_cluster
from conformance.commands.chaos_against import AGAINST
from conformance.commands.chaos_against import against as compare
from conformance.commands.chaos_against import subject as break_subject
from conformance.commands.chaos_budget import campaign_bar, check_store, seconds_of
from conformance.commands.chaos_replay import (
    replay_case,
    run_again,
    shrink_case,
    smallest_like,
)
from conformance.commands.cluster_option import cluster_option
from conformance.commands.report_output import Destinations, moment, report_options
from conformance.cutover import PART as CUTOVER
from conformance.cutover import PROFILES as WITH_CUTOVER
from conformance.cutover import cutover_facts, cutover_units
from conformance.errors import ExitCode, UsageError, VacuousError
from conformance.replay_files import FOLDER as FAILURES
from conformance.replay_files import read_replay, write_replays
from conformance.report_model import RunReport
from conformance.report_model_campaign import mutant_replay, replay_command, run_report
from conformance.report_model_chaos import CaseTimeline
from conformance.report_model_timeline import case_timeline
from conformance.reporters import run_console

ALL = "all"
TIMELINES_MAX = 5
"""Failures that a report draws."""
MUTANT_S = 60.0
"""CPU time that a mutant gets at most where mutants are asked for."""


@dataclass(frozen=True)
class Ground:
    """Where a campaign runs: on a cluster or here, and on whose server."""

    cluster: ClusterAddress | None = None
    store: str | None = None
    i_know: bool = False


@click.command(name="chaos")
@click.option("--profile", type=click.Choice(PROFILES), help="What is run; default: pr.")
@click.option("--plan", "plans", multiple=True, metavar="PLAN", help="Run this plan alone.")
@click.option(
    "--mutants",
    is_flag=False,
    flag_value=ALL,
    metavar="[NAME]",
    help="Break the engine itself, in known ways: all of them, or NAME; each must be found out.",
)
@click.option(
    "--budget", callback=seconds_of, metavar="60s|30m|2h", help="Begin nothing after this time."
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes; default: one per CPU.")
@cluster_option
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is sampled.")
@click.option("--replay", "replayed", metavar="ID|FILE", help="Run one case again and show it.")
@click.option("--shrink", "shrunk", metavar="ID", help="Find the smallest case that fails alike.")
@click.option("--against", type=click.Choice(AGAINST), help="Break both, side by side.")
@click.option("--cutover", is_flag=True, help="Kill legacy everywhere, then whoever takes over.")
@click.option("--subject", "foreign", metavar="NAME", help="Kill this executor at each call.")
@click.option("--store", metavar="URL", help="Server for real processes; default: their own.")
@click.option("--i-know", is_flag=True, help="Use that server even if it holds other keys.")
@click.option("--update-points", is_flag=True, help="Pin the number of points of every plan.")
@click.option("--write-guarantees", "writes", is_flag=True, help="Measure the guarantee table.")
@click.option("--restart", is_flag=True, help="Forget what an interrupted run has done.")
@report_options
def command(
    *,
    profile: str | None,
    plans: tuple[str, ...],
    mutants: str | None,
    budget: float | None,
    jobs: int | None,
    cluster: ClusterAddress | None,
    seed: int,
    replayed: str | None,
    shrunk: str | None,
    against: str | None,
    cutover: bool,
    foreign: str | None,
    store: str | None,
    i_know: bool,
    update_points: bool,
    writes: bool,
    restart: bool,
    destinations: Destinations,
) -> int:
    """Break everything that can break, everywhere, and judge what comes of it.

    A campaign that was interrupted goes on where it stood when the same command is given again.
    """
    if replayed is not None:
        return int(replay_case(replayed, mutants))
    if shrunk is not None:
        return int(shrink_case(shrunk, mutants))
    if cluster is not None and jobs is not None:
        raise UsageError("--cluster brings its own workers", advice="leave --jobs out")
    if update_points:
        return int(_update_points())
    destinations.check()
    if against is not None or foreign is not None:
        other = compare(jobs) if foreign is None else break_subject(foreign)
        destinations.deliver(other, {}, run_console.verdict_line(other))
        return other.exit_code
    check_store(store, i_know=i_know)
    name = _name(profile, plans, mutants, cutover=cutover, writes=writes)
    units = _units(name, plans, mutants, seed)
    head = Head(
        profile=name,
        seed=seed,
        jobs=jobs or os.cpu_count() or 1,
        version=version("planproof"),
        identity=sources_hash(),
        command=_again(profile, plans, mutants, seed, cutover=cutover),
        started_at=moment(),
    )
    limit = budget if budget is not None else _budget(profile or name)
    campaign = Campaign(units, head, limit, strict=budget is not None)
    result = _run(campaign, Ground(cluster, store, i_know), restart=restart)
    report = run_report(
        result, (), _evidence(result), whole=name in PROFILES, timelines=_timelines(result)
    )
    if writes and report.exit_code == ExitCode.PASSED:
        write_guarantees(result, _source(GUARANTEES), _source("../engine/README.md"))
    destinations.deliver(
        report,
        {
            "console": lambda colour: run_console.render(report, colour=colour),
            "json": lambda _colour: _json(result, report),
        },
        run_console.verdict_line(report),
    )
    return report.exit_code


def _json(result: CampaignResult, report: RunReport) -> str:
    run = report.model_dump(mode="json", by_alias=True)
    return result.model_copy(update={"run": run}).to_json()


def _name(
    profile: str | None,
    plans: Sequence[str],
    mutants: str | None,
    *,
    cutover: bool,
    writes: bool,
) -> str:
    """Return what a campaign is called; plans alone are not the profile whose coverage is judged."""
    if profile is not None and not plans:
        return profile
    if cutover:
        return CUTOVER
    if writes:
        return "guarantees"
    if mutants:
        return "mutants"
    return "plan" if plans else "pr"


def _units(name: str, plans: Sequence[str], mutants: str | None, seed: int) -> list[Unit]:
    try:
        for plan in plans:
            find_plan(plan)
    except UnknownPlanError as error:
        raise UsageError(str(error)) from None
    if name == "guarantees":
        return list(guarantee_units())
    if mutants:
        return _mutants(mutants)
    if name == CUTOVER:
        return list(cutover_units(plans))
    units = list(plan_units(plans) if plans else units_of(find_profile(name), seed))
    units += cutover_units() if name in WITH_CUTOVER else ()
    if not units:
        raise VacuousError("there is nothing to run")
    return units


def _mutants(name: str) -> list[Unit]:
    names = tuple(BY_NAME) if name == ALL else (name,)
    if not set(names) <= set(BY_NAME):
        raise UsageError(f"there is no mutant {name!r}", advice=f"known: {', '.join(BY_NAME)}")
    return [mutant_unit(one, MUTANT_S) for one in names]


def _update_points() -> ExitCode:
    click.echo(f"{write_points(_source(POINTS))} plans pinned in chaos/{POINTS}")
    return ExitCode.PASSED


def _source(name: str) -> Path:
    """Return a file of the sources, which only a checkout can write."""
    return Path(str(chaos.__file__)).parent / name


def _budget(name: str) -> float:
    return find_profile(name).budget_s if name in PROFILES else float("inf")


def _run(campaign: Campaign, ground: Ground, *, restart: bool) -> CampaignResult:
    head = campaign.head
    words = [head.profile, str(head.seed)]
    if head.profile not in PROFILES:
        words += sorted({unit.plan or unit.mutant for unit in campaign.units} - {""})[:4]
    name = "-".join(word.replace("/", "_") for word in words)
    journal = Journal(FOLDER, name, f"{head.identity} {len(campaign.units)}")
    if restart:
        journal.done = {}
    with campaign_bar(f"chaos {head.profile}") as told, journal:
        campaign.told = told
        with _pool(ground, head.jobs) as (pool, workers):
            campaign.head = replace(head, jobs=workers)
            result = campaign.run(pool, journal)
    if result.complete:
        journal.forget()
    return result


@contextmanager
def _pool(ground: Ground, jobs: int) -> Iterator[tuple[Executor, int]]:
    if ground.cluster is None:
        with process_pool(jobs, ground.store, i_know=ground.i_know) as pool:
            yield pool, jobs
        return
    with open_cluster(ground.cluster) as opened:
        yield opened.executor, opened.workers


def _again(
    profile: str | None, plans: Sequence[str], mutants: str | None, seed: int, *, cutover: bool
) -> str:
    words = ["planproof", "chaos"]
    words += ["--mutants", *([] if mutants == ALL else [mutants])] if mutants else []
    words += ["--profile", profile] if profile else []
    words += ["--cutover"] if cutover else []
    words += chain.from_iterable(("--plan", plan) for plan in plans)
    return shlex.join([*words, "--seed", str(seed)])


def _evidence(result: CampaignResult) -> tuple[tuple[str, str], ...]:
    """Write the failures down; return how cutovers ended, where the failures are, the smallest cases."""
    files = write_replays(result.failures, smallest_like)
    trials = [read_trial(document) for document in result.trials[:TIMELINES_MAX]]
    counts = (
        *cutover_facts(result.tallies),
        *((f"replay {trial.mutant}", mutant_replay(trial)) for trial in trials),
    )
    if not files:
        return counts
    smallest = dict.fromkeys(read_replay(file).smallest for file in files)
    shown = (
        ("smallest case", replay_command(one)) for one in list(smallest)[:TIMELINES_MAX] if one
    )
    return (*counts, ("replay files", f"{len(files)} in {FAILURES}"), *shown)


def _timelines(result: CampaignResult) -> tuple[CaseTimeline, ...]:
    """Return the first failures as timelines, each run again."""
    found = []
    for failure in result.failures[:TIMELINES_MAX]:
        with suppress(Exception):  # a case that the harness cannot run has no timeline
            case, history = run_again(parse_case(failure.case))
            found.append(case_timeline(case, history, replay_command(failure.case)))
    return tuple(found)
