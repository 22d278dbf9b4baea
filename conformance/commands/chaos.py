"""`planproof chaos`: break everything that can break, everywhere, and judge what comes of it."""

import os
import shlex
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from itertools import chain

import click

from chaos.campaign.journal import FOLDER, Journal, sources_hash
from chaos.campaign.planning import mutant_unit, plan_units, units_of
from chaos.campaign.pool import process_pool
from chaos.campaign.profile import PROFILES, find_profile
from chaos.campaign.result import CampaignResult
from chaos.campaign.running import Campaign, Head
from chaos.campaign.unit import Unit
from chaos.explore.shrinking import shrink
from chaos.fault_id import FaultIdError, format_case, parse_case
from chaos.mutants.catalogue import BY_NAME
from chaos.plans import UnknownPlanError, find_plan
from chaos.running import replay
from chaos.timeline import timeline
from conformance.cluster import ClusterAddress, open_cluster
from conformance.commands.chaos_budget import campaign_bar, seconds_of
from conformance.commands.cluster_option import cluster_option
from conformance.commands.report_output import Destinations, moment, report_options
from conformance.errors import ExitCode, HarnessError, UsageError, VacuousError
from conformance.report_model import STATUS_CODES
from conformance.report_model_campaign import STATUSES, replay_command, run_report
from conformance.reporters import run_console

ALL = "all"
MUTANT_S = 60.0
"""CPU time that a mutant gets at most where mutants are asked for."""


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
@click.option("--replay", "replayed", metavar="ID", help="Run one case again and show it.")
@click.option("--shrink", "shrunk", metavar="ID", help="Find the smallest case that fails alike.")
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
    restart: bool,
    destinations: Destinations,
) -> int:
    """Break everything that can break, everywhere, and judge what comes of it.

    A campaign that was interrupted goes on where it stood when the same command is given again.
    """
    if replayed is not None:
        return int(_replay(replayed))
    if shrunk is not None:
        return int(_shrink(shrunk))
    if cluster is not None and jobs is not None:
        raise UsageError("--cluster brings its own workers", advice="leave --jobs out")
    destinations.check()
    name = profile or ("mutants" if mutants else "plan" if plans else "pr")
    units = _mutants(mutants) if mutants else _units(name, plans, seed)
    head = Head(
        profile=name,
        seed=seed,
        jobs=jobs or os.cpu_count() or 1,
        version=version("planproof"),
        identity=sources_hash(),
        command=_again(profile, plans, mutants, seed),
        started_at=moment(),
    )
    limit = budget if budget is not None else _budget(name)
    campaign = Campaign(units, head, limit, strict=budget is not None)
    result = _run(campaign, cluster, restart=restart)
    report = run_report(result)
    destinations.deliver(
        report,
        {
            "console": lambda colour: run_console.render(report, colour=colour),
            "json": lambda _colour: result.to_json(),
        },
        run_console.verdict_line(report),
    )
    return report.exit_code


def _units(name: str, plans: Sequence[str], seed: int) -> list[Unit]:
    try:
        for plan in plans:
            find_plan(plan)
    except UnknownPlanError as error:
        raise UsageError(str(error)) from None
    found = plan_units(plans) if plans else units_of(find_profile(name), seed, processes=False)
    units = list(found)
    if not units:
        raise VacuousError("there is nothing to run")
    return units


def _mutants(name: str) -> list[Unit]:
    names = tuple(BY_NAME) if name == ALL else (name,)
    if not set(names) <= set(BY_NAME):
        raise UsageError(f"there is no mutant {name!r}", advice=f"known: {', '.join(BY_NAME)}")
    return [mutant_unit(one, MUTANT_S) for one in names]


def _budget(name: str) -> float:
    return find_profile(name).budget_s if name in PROFILES else float("inf")


def _run(campaign: Campaign, cluster: ClusterAddress | None, *, restart: bool) -> CampaignResult:
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
        with _pool(cluster, head.jobs) as (pool, workers):
            campaign.head = replace(head, jobs=workers)
            result = campaign.run(pool, journal)
    if result.complete:
        journal.forget()
    return result


@contextmanager
def _pool(cluster: ClusterAddress | None, jobs: int) -> Iterator[tuple[Executor, int]]:
    if cluster is None:
        with process_pool(jobs) as pool:
            yield pool, jobs
        return
    with open_cluster(cluster) as opened:
        yield opened.executor, opened.workers


def _again(profile: str | None, plans: Sequence[str], mutants: str | None, seed: int) -> str:
    words = ["planproof", "chaos"]
    words += ["--mutants", *([] if mutants == ALL else [mutants])] if mutants else []
    words += ["--profile", profile] if profile else []
    words += chain.from_iterable(("--plan", plan) for plan in plans)
    return shlex.join([*words, "--seed", str(seed)])


def _replay(text: str) -> ExitCode:
    """Run a case twice, show its timeline, its digest and what it comes to."""
    try:
        result, history = replay(text)
        again, _ = replay(text)
    except (FaultIdError, UnknownPlanError) as error:
        raise UsageError(str(error)) from None
    except Exception as error:
        raise HarnessError(f"{text}: {type(error).__name__}: {error}") from error
    for line in timeline(result, history):
        click.echo(line)
    click.echo(f"history {result.digest}")
    if again.digest != result.digest:
        click.echo(f"a second run has another history: {again.digest}")
        return ExitCode.FAILED
    click.echo("a second run has the same history, bit for bit")
    return STATUS_CODES[STATUSES[str(result.judgement)]]


def _shrink(text: str) -> ExitCode:
    try:
        case = parse_case(text)
        find_plan(case.plan)
    except (FaultIdError, UnknownPlanError) as error:
        raise UsageError(str(error)) from None
    smallest = shrink(case)
    result, history = replay(smallest)
    if str(result.judgement) == "held":
        raise VacuousError(f"{text} holds: there is nothing to shrink")
    for line in timeline(result, history):
        click.echo(line)
    click.echo(replay_command(format_case(smallest)))
    return ExitCode.FAILED
