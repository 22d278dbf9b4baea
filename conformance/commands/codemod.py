"""`planproof codemod`: move a repository from the legacy module to the unified engine."""

import dataclasses
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from codemods.discovery import project_root
from codemods.errors import CodemodError
from codemods.migration import Migration, Outcome, found_by
from codemods.migration_plan import plan_migration
from codemods.occurrence import Scope, Status
from codemods.settings import ScanSettings
from codemods.verification import LEVELS, Proof, verify
from codemods.writing import WriteError, patch_of, undo, write_group
from conformance.commands.scan import read_settings
from conformance.errors import ExitCode, HarnessError, UsageError, VacuousError, worst

SCHEMA_VERSION = "codemod/v1"


@click.command(name="codemod")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--write", "mode", flag_value="write", help="Write the changes.")
@click.option("--check", "mode", flag_value="check", help="Fail if something would change.")
@click.option("--diff", "mode", flag_value="diff", help="Print the changes.")
@click.option("--undo", "mode", flag_value="undo", help="Take the last run back.")
@click.option("--patch", type=click.Path(path_type=Path), help="Write a patch for git apply.")
@click.option(
    "--format", "form", type=click.Choice(["console", "json"]), default="console", show_default=True
)
@click.option(
    "--verify",
    "level",
    type=click.Choice(LEVELS),
    default=LEVELS[-1],
    show_default=True,
    help="Prove the changes up to this rung before anything is written.",
)
@click.option("--allow-dirty", is_flag=True, help="Write over uncommitted changes too.")
def command(
    paths: tuple[Path, ...],
    mode: str | None,
    patch: Path | None,
    form: str,
    level: str,
    *,
    allow_dirty: bool,
) -> int:
    """Migrate the uses of durable_execution below the given paths; a dry run unless --write.

    Every occurrence is rewritten, or reported with place and reason, or allowed. Exit status: 0
    nothing is left in production code, 1 uses are left (or, with --check, would change), 4
    something could not be examined or decided, 5 an allow entry is stale or expired.
    """
    try:
        if mode == "undo":
            return _undo(paths)
        settings, _ = read_settings(paths)
        plan = plan_migration(paths, settings, jobs=os.cpu_count() or 1)
        _demand_sound(plan, paths)
        proofs = verify(plan.changes, settings, level)
        is_proved = not any(item.fault for item in proofs)
        root = Path(plan.scanned.root)
        if mode == "write" and is_proved:
            if plan.changes and not allow_dirty:
                _demand_clean(root, plan)
            write_group(root, plan.changes)
            _demand_residue(plan, paths, settings)
    except WriteError as error:
        raise HarnessError(error.message, place=error.place, advice=error.advice) from None
    except CodemodError as error:
        raise UsageError(error.message, place=error.place, advice=error.advice) from None
    written = mode == "write" and is_proved
    if patch is not None and is_proved:
        _write_patch(patch, plan)
    if mode == "diff":
        click.echo(patch_of(plan.changes).decode("utf-8", "replace"), nl=False)
    elif form == "json":
        click.echo(json.dumps(to_document(plan, proofs, written=written), indent=2))
    else:
        click.echo(render(plan, proofs, written=written), nl=False)
    return exit_code(plan, check=mode == "check" or not is_proved)


def exit_code(plan: Migration, *, check: bool = False) -> ExitCode:
    """Return what a plan means for a gate; the most severe finding wins."""
    left = [
        row.occurrence
        for row in plan.rows
        if row.outcome is Outcome.REPORTED and row.occurrence.scope is Scope.PRODUCTION
    ]
    codes = []
    if any(item.status is Status.USE for item in left) or (check and plan.changes):
        codes.append(ExitCode.FAILED)
    if plan.scanned.suppressions:
        codes.append(ExitCode.LEDGER)
    if plan.unexamined or any(item.status is Status.UNDECIDED for item in left):
        codes.append(ExitCode.VACUOUS)
    return worst(codes)


def to_document(plan: Migration, proofs: Sequence[Proof], *, written: bool) -> dict[str, Any]:
    """Return the report as plain JSON data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "root": plan.scanned.root,
        "written": written,
        "files": {
            "found": plan.scanned.files_found,
            "examined": plan.scanned.files_examined,
            "changed": [change.shown for change in plan.changes],
        },
        "accounting": {
            "before": len(plan.rows),
            **{outcome.value: plan.count(outcome) for outcome in Outcome},
        },
        "verification": [dataclasses.asdict(item) for item in proofs],
        "suppressions": [dataclasses.asdict(item) for item in plan.scanned.suppressions],
        "occurrences": [
            {
                **dataclasses.asdict(row.occurrence),
                "outcome": row.outcome.value,
                "rules": list(row.rules),
                "reasons": list(row.reasons),
            }
            for row in plan.rows
        ],
    }


def render(plan: Migration, proofs: Sequence[Proof], *, written: bool) -> str:
    """Return the report as text: what changes, what is left and why, the account."""
    lines = [
        f"{'wrote' if written else 'would write'} {change.shown}  [{', '.join(change.rules)}]"
        for change in plan.changes
    ]
    for row in plan.rows:
        if row.outcome is Outcome.REPORTED:
            lines.append(f"{row.occurrence.place}  {row.occurrence.kind}  {row.occurrence.text}")
            lines += [f"    {reason}" for reason in row.reasons]
    faults = [item for item in proofs if item.fault]
    lines += [f"{item.path}: {item.level} does not hold: {item.fault}" for item in faults]
    levels = ", ".join(dict.fromkeys(item.level for item in proofs))
    if proofs and not faults:
        lines.append(f"{levels} hold for {len(plan.changes)} files")
    counts = ", ".join(f"{plan.count(outcome)} {outcome}" for outcome in Outcome)
    lines.append(f"{len(plan.rows)} occurrences = {counts}")
    lines.append(f"{plan.scanned.files_examined} of {plan.scanned.files_found} files examined")
    text = "\n".join(lines) + "\n"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _demand_sound(plan: Migration, paths: Sequence[Path]) -> None:
    if not plan.scanned.files_examined:
        raise VacuousError("no file was examined", place=", ".join(str(path) for path in paths))
    if not plan.scanned.is_accounted:
        raise HarnessError("the scan lost count of what it found: please report this")


def _demand_residue(plan: Migration, paths: Sequence[Path], settings: ScanSettings) -> None:
    """Scan again: exactly what was reported or allowed must be left."""
    after = plan_migration(paths, settings)
    found = found_by(after)
    if after.changes:
        raise HarnessError("a second run would change more", place=after.changes[0].shown)
    if found != plan.residue():
        wrong = sorted((found - plan.residue()) + (plan.residue() - found))
        raise HarnessError(
            "a scan after the run does not find what was reported", place=str(wrong[0][0])
        )


def _demand_clean(root: Path, plan: Migration) -> None:
    """Refuse a work tree with uncommitted changes, or one of whose files git does not know."""
    place = root.resolve()
    if not any((folder / ".git").exists() for folder in (place, *place.parents)):
        return  # no work tree: the journal is what takes the run back
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    unknown = UsageError(
        "git cannot say whether the work tree is clean",
        place=str(root),
        advice="mend that, or use --allow-dirty",
    )
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", str(root), "status", "--porcelain=v1", "-z", "-uall", "--", "."],  # noqa: S607 - the user's own git
            capture_output=True,
            check=False,
            env=environment,
        )
    except OSError:
        raise unknown from None
    if done.returncode != 0:
        raise unknown
    changed = {os.fsencode(change.path) for change in plan.changes}
    for entry in done.stdout.split(b"\0"):
        is_foreign = entry.startswith(b"?? ") and not any(
            path.endswith(b"/" + entry[3:]) for path in changed
        )
        if entry and not is_foreign:
            advice = "commit first, or use --allow-dirty"
            raise UsageError(
                "the work tree has uncommitted changes",
                place=os.fsdecode(entry[3:]),
                advice=advice,
            )


def _write_patch(file: Path, plan: Migration) -> None:
    try:
        file.write_bytes(patch_of(plan.changes))
    except OSError as error:
        raise UsageError(error.strerror or "cannot be written", place=str(file)) from None


def _undo(paths: Sequence[Path]) -> int:
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise UsageError("no such file or folder", place=str(missing))
    root = os.path.commonpath([str(project_root(path)) for path in paths])
    for name in undo(Path(root)):
        click.echo(f"restored {name}")
    return int(ExitCode.PASSED)
