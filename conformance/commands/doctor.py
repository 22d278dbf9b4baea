"""`planproof doctor`: what the environment has, and what it lacks for which command."""

import json
from pathlib import Path

import click

from conformance.environment import Check, State, examine
from conformance.environment_report import environment_report
from conformance.errors import ExitCode, worst


@click.command(name="doctor")
@click.option(
    "--store",
    metavar="URL",
    help="Look at this store; default: PLANPROOF_STORE_URL, else memory://.",
)
@click.option(
    "--format", "form", type=click.Choice(["console", "json"]), default="console", show_default=True
)
def command(store: str | None, form: str) -> int:
    """Look at Python, the extras, the store, the configuration and the optional programs.

    What is optional and absent is told with the command that installs it, and fails nothing.
    """
    checks = examine(Path.cwd(), store)
    code = exit_code(checks)
    if form == "json":
        document = environment_report(checks, code).model_dump(mode="json", by_alias=True)
        click.echo(json.dumps(document, indent=2))
        return int(code)
    width = max(len(check.name) for check in checks)
    for check in checks:
        click.echo(f"{check.state:<8}{check.name:<{width}}  {check.detail}")
        if check.advice and check.state is not State.OK:
            click.echo(f"{'':<{8 + width}}  -> {check.advice}")
    failed = sum(check.state is State.FAILED for check in checks)
    click.echo(f"{len(checks)} checks, {failed} failed" if failed else f"{len(checks)} checks: fit")
    return int(code)


def exit_code(checks: tuple[Check, ...]) -> ExitCode:
    """Return what the checks mean: 3 for the environment, 2 for the configuration."""
    return worst(check.cause for check in checks if check.state is State.FAILED)
