"""`planproof trace`: run scenarios through one executor and print what each run showed."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from conformance.errors import ExitCode, VacuousError
from conformance.plan_fault import scenario_plan_fault
from conformance.report_files import check_writable, whole_file
from conformance.runner import run_scenario
from conformance.scenario import Scenario, read_corpus
from conformance.stores import FAKE, parse_store
from conformance.subject import find_subject
from conformance.trace import trace_line


@click.command(name="trace")
@click.argument("scenarios", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--executor", required=True, metavar="NAME", help="legacy, unified, or a plugin's.")
@click.option(
    "--store",
    default=FAKE,
    show_default=True,
    metavar="fake|redis://...",
    help="Where the executor keeps its state; a server's database must be empty.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write the traces to this file.")
def command(scenarios: tuple[Path, ...], executor: str, store: str, output: Path | None) -> int:
    """Run scenarios through one executor and print a trace/v1 line for each, in input order.

    SCENARIOS are .jsonl files, .json files, or folders of both. A plan that production would refuse
    is run all the same, for the refusal is what the trace shows; but unless the scenario is about
    that (tag `schema`), or the executor is the legacy one, the exit code is 2 and says where.
    """
    find_subject(executor)
    parse_store(store)
    corpus = read_corpus(scenarios)
    if not corpus:
        raise VacuousError(
            "there is no scenario to run", place=", ".join(str(path) for path in scenarios)
        )
    check_writable(output)
    with _output(output) as write:
        for scenario in _with_progress(corpus, executor):
            write(trace_line(run_scenario(scenario, executor, store=store)) + "\n")
    return _report_invalid_plans(corpus, executor)


def _report_invalid_plans(corpus: Iterable[Scenario], executor: str) -> ExitCode:
    code = ExitCode.PASSED
    for scenario in corpus:
        fault = scenario_plan_fault(scenario)
        if fault is not None and executor != "legacy":
            click.echo(f"planproof: {scenario.name}: {fault} (tag it 'schema' if meant)", err=True)
            code = ExitCode.USAGE
    return code


@contextmanager
def _output(path: Path | None) -> Iterator[Callable[[str], object]]:
    """Give a function that writes a line: at once to a reader, or into a file that is then whole."""
    if path is None:
        out = sys.stdout  # now: a bar that is shown meanwhile takes its place

        def show(line: str) -> None:
            out.write(line)
            out.flush()

        yield show
        return
    with whole_file(path) as file:
        yield lambda line: file.write(line.encode())


def _with_progress(corpus: Iterable[Scenario], executor: str) -> Iterator[Scenario]:
    """Yield the scenarios, with a bar on standard error if a person is looking at it."""
    listed = list(corpus)
    if not sys.stderr.isatty():
        yield from listed
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(listed, description=executor)
