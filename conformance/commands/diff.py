"""`planproof diff`: run scenarios through two executors and judge every divergence."""

import shlex
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import track

from conformance.cluster import ClusterAddress, open_cluster
from conformance.commands.cluster_option import cluster_option
from conformance.commands.diff_shard import shard_of
from conformance.commands.report_output import Destinations, moment, report_options
from conformance.diff_report import DiffReport
from conformance.differential import Options, PairResult, examine_all, settle
from conformance.errors import UsageError, VacuousError
from conformance.finding import DEFAULT_FOLDER, collect
from conformance.ledger import DEFAULT_CORPUS, DEFAULT_LEDGER, Ledger, judge_uses, read_ledger
from conformance.normalisation import stale_rules
from conformance.plan_fault import read_sound_corpus
from conformance.report_model import Shard
from conformance.report_model_diff import run_report
from conformance.reporters import diff_console, diff_json
from conformance.scenario import Scenario
from conformance.stores import parse_store
from conformance.subject import find_subject
from conformance.verdict import Verdict

_Item = TypeVar("_Item")


@click.command(name="diff")
@click.option(
    "--scenarios",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A scenario file (.json, .jsonl) or a folder of them; may be repeated.",
)
@click.option("--generated", type=click.IntRange(min=0), help="Compare so many generated ones.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of generated scenarios.")
@click.option(
    "--ledger", type=click.Path(path_type=Path), default=DEFAULT_LEDGER, help="Ledger file."
)
@click.option("--empty-ledger", is_flag=True, help="Explain nothing: show every divergence.")
@click.option(
    "--shard",
    metavar="I/N",
    callback=shard_of,
    help="Compare the Ith of N parts; `planproof report merge` judges them together.",
)
@click.option("--strict", is_flag=True, help="Segments, events and updates (L5) gate as well.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes; default: one per CPU.")
@cluster_option
@click.option("--left", default="legacy", show_default=True, help="Executor to compare with.")
@click.option("--right", default="unified", show_default=True, help="Executor that is judged.")
@click.option("--store", default="fake", show_default=True, help="`fake`, or a Redis URL.")
@click.option(
    "--findings",
    type=click.Path(path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Folder for the smallest scenario of each unexplained divergence.",
)
@report_options
def command(
    *,
    scenarios: tuple[Path, ...],
    generated: int | None,
    seed: int,
    ledger: Path,
    empty_ledger: bool,
    shard: tuple[int, int] | None,
    strict: bool,
    jobs: int | None,
    cluster: ClusterAddress | None,
    left: str,
    right: str,
    store: str,
    findings: Path,
    destinations: Destinations,
) -> int:
    """Run scenarios through both executors and judge every divergence.

    Without --scenarios and --generated the shipped corpus is compared, and only then are ledger
    entries that stand for nothing any more found out.
    """
    destinations.check()
    if cluster is not None and (jobs is not None or store != "fake"):
        raise UsageError(
            "--cluster brings its own workers, and every worker its own store",
            advice="leave --jobs and --store out",
        )
    parse_store(store)
    started_at, began = moment(), time.perf_counter()
    for name in (left, right):
        find_subject(name)
    options = Options(left=left, right=right, store=store, strict=strict)
    accepted = Ledger() if empty_ledger else read_ledger(ledger, today=_today())
    corpus, source = _corpus(scenarios, generated, seed)
    whole = not scenarios and generated is None and (left, right) == ("legacy", "unified")
    part = None
    if shard is not None:
        index, total = shard
        part = Shard(index=index, total=total, of_whole=whole)
        corpus = corpus[index - 1 :: total]
    report = _compare(
        corpus,
        options,
        accepted,
        jobs=jobs,
        cluster=cluster,
        findings=findings,
        source=source,
        complete=whole and part is None,
        is_part=part is not None,
    )
    run = run_report(
        report,
        shard=part,
        command=_again(options, scenarios, generated, seed, accepted),
        started_at=started_at,
        duration_ms=round(1000 * (time.perf_counter() - began)),
    )
    destinations.deliver(
        run,
        {
            "console": lambda colour: diff_console.render(report, colour=colour),
            "json": lambda _colour: diff_json.render(report, run),
        },
        diff_console.verdict_line(report),
    )
    return int(report.exit_code)


def _compare(
    corpus: list[Scenario],
    options: Options,
    ledger: Ledger,
    *,
    jobs: int | None,
    cluster: ClusterAddress | None,
    findings: Path,
    source: str,
    complete: bool,
    is_part: bool,
) -> DiffReport:
    with _progress(_results(corpus, options, jobs, cluster), len(corpus), "comparing") as done:
        settled = [settle(result, ledger) for result in done]
    results = [result for result, _ in settled]
    uses = [use for _, use in settled]
    unexplained = _unexplained(corpus, results)
    with _progress(unexplained, len(unexplained), "shrinking") as pairs:
        found = collect(pairs, options=options, ledger=ledger, folder=findings, today=_today())
    # What a part explains is no share of the whole.
    names = [] if is_part else [scenario.name for scenario in corpus]
    touched = sum((Counter(result.touched) for result in results), Counter[str]())
    return DiffReport(
        options=options,
        source=source,
        complete=complete,
        ledger=None if ledger.path is None else str(ledger.path),
        results=tuple(results),
        findings=tuple(found),
        ledger_faults=tuple(judge_uses(ledger, uses, corpus=names, complete=complete)),
        stale_rules=tuple(stale_rules(touched)) if complete else (),
        usage=Counter(entry for use in uses for entry in use.entries),
        accepted=ledger,
        uses=tuple(uses),
    )


def _results(
    corpus: list[Scenario], options: Options, jobs: int | None, cluster: ClusterAddress | None
) -> Iterator[PairResult]:
    if cluster is None:
        workers = jobs if options.store == "fake" else 1  # one server has one database
        yield from examine_all(corpus, options, jobs=workers)
        return
    with open_cluster(cluster) as opened:
        yield from examine_all(corpus, options, jobs=opened.workers, executor=opened.executor)


def _again(
    options: Options,
    scenarios: tuple[Path, ...],
    generated: int | None,
    seed: int,
    ledger: Ledger,
) -> str:
    """Return the command that compares the whole again, without the options of its reports."""
    words = [
        "planproof",
        "diff",
        *(word for path in scenarios for word in ("--scenarios", str(path))),
    ]
    if generated is not None:
        words += ["--generated", str(generated), "--seed", str(seed)]
    if (options.left, options.right) != ("legacy", "unified"):
        words += ["--left", options.left, "--right", options.right]
    if options.store != "fake":
        words += ["--store", options.store]
    if options.strict:
        words.append("--strict")
    if ledger.path is None:
        words.append("--empty-ledger")
    elif ledger.path != DEFAULT_LEDGER:
        words += ["--ledger", str(ledger.path)]
    return shlex.join(words)


def _today() -> date:
    return datetime.now(tz=UTC).date()


def _corpus(
    paths: tuple[Path, ...], generated: int | None, seed: int
) -> tuple[list[Scenario], str]:
    scenarios: list[Scenario] = []
    sources: list[str] = []
    if paths or generated is None:
        given = paths or (DEFAULT_CORPUS,)
        scenarios += read_sound_corpus(given)
        sources.append(", ".join(map(str, given)) if paths else "the shipped corpus")
    if generated is not None:
        from conformance.generation import INCOMPARABLE, generate  # noqa: PLC0415 - Hypothesis is slow to load

        scenarios += generate(generated, seed, without=INCOMPARABLE)
        sources.append(f"generation (seed {seed})")
    if not scenarios:
        raise VacuousError("there is no scenario to compare")
    return scenarios, " and ".join(sources)


def _unexplained(
    corpus: list[Scenario], results: list[PairResult]
) -> list[tuple[Scenario, PairResult]]:
    """Return what needs a person: everything red that a smaller scenario can show."""
    return [
        (scenario, result)
        for scenario, result in zip(corpus, results, strict=True)
        if result.verdict is Verdict.REGRESSION
    ]


@contextmanager
def _progress(items: Iterable[_Item], total: int, what: str) -> Iterator[Iterable[_Item]]:
    """Show a progress bar on standard error while the items are used, if a person looks."""
    console = Console(stderr=True)
    if not console.is_terminal or not total:
        yield items
        return
    yield track(items, description=what, total=total, console=console, transient=True)
