"""`planproof certify`: which capability level an executor has reached, whoever wrote it."""

import importlib
import io
import sys
from pathlib import Path

import click
from rich.console import Console

from conformance.errors import ExitCode, UsageError
from conformance.kit.badge import badge
from conformance.kit.certification import SILENCE_S, Certificate, Verdict, certify, examine
from conformance.kit.flaws import FLAWS
from conformance.kit.requirements import Level, Requirements, read_requirements
from conformance.kit.subprocess_executor import CommandExecutor
from conformance.report_files import check_writable, write_report
from conformance.reporters import certify_console, certify_json
from conformance.stores import FAKE, parse_store
from conformance.subject import BuildSubject, find_subject

WIDTH = 100  # columns of a certificate in a file


@click.command(name="certify")
@click.argument("name", required=False)
@click.option("--command", "command_", metavar="'PROG ARGS'", help="Certify this program instead.")
@click.option("--import", "module", metavar="MODULE", help="Import this first: it registers NAME.")
@click.option("--level", type=click.Choice(list(Level)), help="The level that must be reached.")
@click.option("--explore", is_flag=True, help="Run undeclared levels as well; they do not gate.")
@click.option("--self-test", is_flag=True, help="Try the kit on executors known to be broken.")
@click.option("--store", default=FAKE, show_default=True, help="`fake`, or a Redis URL.")
@click.option(
    "--silence",
    type=click.FloatRange(min=0.1),
    default=SILENCE_S,
    show_default=True,
    help="Real seconds without a sign of life after which the executor counts as hung.",
)
@click.option("--badge", "badge_", type=click.Path(path_type=Path), help="Write an SVG badge here.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["console", "json"]),
    default="console",
    show_default=True,
    help="How the certificate is written.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write the certificate here.")
def command(
    *,
    name: str | None,
    command_: str | None,
    module: str | None,
    level: str | None,
    explore: bool,
    self_test: bool,
    store: str,
    silence: float,
    badge_: Path | None,
    format_: str,
    output: Path | None,
) -> int:
    """Run the clauses of the capability levels on an executor and say which level it has reached.

    NAME is exemplar, legacy, unified, an installed plugin, or `module:attribute`. A level counts
    only if each of its clauses, and of those before it, was executed and has passed.
    """
    requirements = read_requirements()
    if self_test:
        return int(_try_the_kit(requirements))
    for file in (output, badge_):
        if file is not None:
            check_writable(file)
    parse_store(store)
    shown, build = _executor(name, command_, module)
    certificate = certify(
        shown,
        build,
        requirements,
        asked=None if level is None else Level(level),
        explore=explore,
        store=store,
        silence_s=silence,
    )
    _write(certificate, format_, output)
    if badge_ is not None:
        write_report(badge_, badge(certificate))
    return int(certificate.exit_code)


def _executor(
    name: str | None, command_: str | None, module: str | None
) -> tuple[str, BuildSubject]:
    if (name is None) == (command_ is None):
        raise UsageError("give either the NAME of an executor or --command")
    if module is not None:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UsageError(f"--import {module}: {error}") from None
    if command_ is not None:
        executor = CommandExecutor.parse(command_)
        return executor.name, executor
    assert name is not None  # noqa: S101 - one of the two is given
    return name, find_subject(name)


def _try_the_kit(requirements: Requirements) -> ExitCode:
    """Run each broken executor on its clause; each must fail, and for the clause's own reason."""
    missed = 0
    for clause in requirements.clauses:
        verdict, reasons = examine(clause, FLAWS[clause.id])
        code = reasons[0].code if reasons else "no reason"
        if verdict is not Verdict.FAILED or code != clause.reason:
            missed += 1
            click.echo(f"{clause.id}: {verdict} ({code}), not failed ({clause.reason})")
    found = len(requirements.clauses) - missed
    click.echo(f"{found} of {len(requirements.clauses)} broken executors found out")
    return ExitCode.HARNESS if missed else ExitCode.PASSED


def _write(certificate: Certificate, format_: str, output: Path | None) -> None:
    if format_ == "console" and output is None:
        console = Console(soft_wrap=True)
        with (
            console.capture() as shown
        ):  # the console itself would end with 1 where no reader is left
            certify_console.render(certificate, console)
        sys.stdout.write(shown.get())
        return
    if format_ == "json":
        text = certify_json.render(certificate)
    else:
        file = io.StringIO()
        certify_console.render(certificate, Console(file=file, width=WIDTH, soft_wrap=True))
        text = file.getvalue()
    if output is None:
        sys.stdout.write(text)
    else:
        write_report(output, text)
