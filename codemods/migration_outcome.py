"""Taking groups of files out of a plan: what was to be rewritten there is reported, with the fault."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from codemods.migration import Migration, Outcome, Row
from codemods.verification import Proof

# The path of a fault that concerns every file.
WHOLE = "."

_HANDED_ON = "handed on by "


def faults_of(proofs: Iterable[Proof]) -> dict[str, str]:
    """Return the first fault of every file of which a proof does not hold, by its shown path."""
    faults: dict[str, str] = {}
    for proof in proofs:
        if proof.fault:
            faults.setdefault(proof.path, f"{proof.level} does not hold: {proof.fault}")
    return faults


def drop_groups(plan: Migration, faults: Mapping[str, str]) -> Migration:
    """Return the plan without the groups of the files that have a fault; the others are kept.

    Every occurrence that was to be rewritten in such a group is reported: with the fault of its
    file, or with the name and the fault of the file of its group that has one. So is, in turn,
    whatever takes a legacy name from a module that is not rewritten any more.

    Args:
        plan: what was to be written.
        faults: why a file cannot be, by its shown path; `WHOLE` concerns every file.
    """
    by_group: dict[int, str] = {}
    own: dict[str, str] = {}
    for change in plan.changes:
        fault = faults.get(change.shown) or faults.get(WHOLE)
        if fault:
            own[change.shown] = fault
            by_group.setdefault(change.group, f"not without {change.shown}: {fault}")
    dropped = {
        change.shown: own.get(change.shown) or by_group[change.group]
        for change in plan.changes
        if change.group in by_group
    }
    if not dropped:
        return plan
    rows = tuple(_reported(row, dropped.get(row.occurrence.path)) for row in plan.rows)
    changes = tuple(change for change in plan.changes if change.shown not in dropped)
    return replace(plan, rows=_followed(rows, set(dropped)), changes=changes)


def _followed(rows: tuple[Row, ...], stale: set[str]) -> tuple[Row, ...]:
    """Report what is taken from stale modules, until no further module is stale."""
    while True:
        taken = {
            index: row
            for index, row in enumerate(rows)
            if row.outcome is Outcome.REWRITTEN and _source(row) in stale
        }
        if not taken:
            return rows
        rows = tuple(
            _reported(row, f"{row.occurrence.reason}, which is reported") if index in taken else row
            for index, row in enumerate(rows)
        )
        stale |= {row.occurrence.path for row in taken.values()}


def _source(row: Row) -> str:
    """Return the module that hands a row's name on; empty if none does."""
    reason = row.occurrence.reason
    return reason.removeprefix(_HANDED_ON) if reason.startswith(_HANDED_ON) else ""


def _reported(row: Row, reason: str | None) -> Row:
    if reason is None or row.outcome is not Outcome.REWRITTEN:
        return row
    return replace(row, outcome=Outcome.REPORTED, reasons=(reason,), notes=())
