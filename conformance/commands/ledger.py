"""`planproof ledger`: check the divergence ledger, or draft an entry. Nothing edits the file."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from conformance.differential import Options, examine, settle
from conformance.errors import ExitCode, LedgerError
from conformance.finding import propose
from conformance.ledger import DEFAULT_LEDGER, inspect_ledger
from conformance.plan_fault import read_sound_corpus

_LEDGER = click.option(
    "--ledger",
    type=click.Path(path_type=Path),
    default=DEFAULT_LEDGER,
    help="Ledger file; default: the shipped one.",
)


@click.group(name="ledger")
def command() -> None:
    """Lint the divergence ledger or propose an entry."""


@command.command(name="lint")
@_LEDGER
def lint(ledger: Path) -> int:
    """Check every entry: schema, predicate, expiry, example file, ids."""
    found, faults = inspect_ledger(ledger, today=datetime.now(tz=UTC).date())
    for fault in faults:
        sys.stdout.write(f"{fault.line()}\n")
    if faults:
        raise LedgerError(f"{len(faults)} of its entries are wrong", place=str(ledger))
    sys.stdout.write(f"{ledger}: {len(found.entries)} entries are sound\n")
    return int(ExitCode.PASSED)


@command.command(name="propose")
@click.argument("scenario", type=click.Path(path_type=Path))
@_LEDGER
@click.option("--store", default="fake", show_default=True, help="`fake`, or a Redis URL.")
def propose_entry(scenario: Path, ledger: Path, store: str) -> int:
    """Print a candidate entry for the primary divergence of each scenario in SCENARIO."""
    today = datetime.now(tz=UTC).date()
    known, _ = inspect_ledger(ledger, today=today)
    for item in read_sound_corpus([scenario]):
        result, _ = settle(examine(item, Options(store=store)), known)
        if result.entry is not None:
            sys.stdout.write(f"# {item.name}: {result.entry} explains it already\n")
        elif result.primary is None:
            sys.stdout.write(f"# {item.name}: {result.verdict}, no divergence {result.reason}\n")
        else:
            sys.stdout.write(f"# {item.name}: {result.attribution}\n")
            sys.stdout.write(propose(result, known, today=today) + "\n")
    return int(ExitCode.PASSED)
