"""A migration as a `run/v1` report: every occurrence with its outcome, every change side by side."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version

from codemods.migration import Change as FileChange
from codemods.migration import Migration, Outcome, Row
from codemods.occurrence import Status as Found
from codemods.reports.account import is_blocking, printable, rules_of
from codemods.reports.replacements import decoded
from codemods.verification import Proof
from conformance.report_model import (
    LEDGER_GROUP,
    Change,
    Codemod,
    Item,
    Place,
    RunReport,
    Status,
)

MAX_CHANGES = 1_000  # pieces that a report holds; the others are counted
CONTEXT = 2  # equal lines before and after a change
PROOFS = "proofs"
FILES = "files"


def run_report(
    plan: Migration,
    proofs: Sequence[Proof],
    *,
    written: bool,
    check: bool = False,
    unwritten: Mapping[str, str] | None = None,
    started_at: str = "",
) -> RunReport:
    """Return a migration as a report. A proof that does not hold is a failed item.

    `unwritten` says why files were not written; with `check`, a change that is not is a failure.
    """
    scanned = plan.scanned
    items = [_item(row) for row in plan.rows]
    items += [_fault(proof) for proof in proofs if proof.fault]
    items += [
        Item(
            id=printable(f"allow {entry.path}"),
            group=LEDGER_GROUP,
            status=Status.LEDGER_FAULT,
            kind="stale",
            message=printable(f"{entry.fault} ({entry.reason})"),
        )
        for entry in scanned.suppressions
    ]
    items += [
        _of_file(path, Status.HARNESS_ERROR, f"is not written: {reason}")
        for path, reason in (unwritten or {}).items()
    ]
    if check:
        items += [_of_file(change.shown, Status.FAILED, "would change") for change in plan.changes]
    if not any(item.role == "decides" for item in items):
        items.append(
            Item(
                id="no use of legacy",
                group="production code",
                status=Status.PASSED,
                message=f"{scanned.files_examined} files examined",
            )
        )
    pieces = [piece for change in plan.changes for piece in changes(change)]
    return RunReport(
        kind="codemod",
        product_version=version("planproof"),
        subject=printable(scanned.root),
        source=f"{scanned.files_examined} of {scanned.files_found} files",
        root=printable(scanned.root),
        started_at=started_at,
        items=tuple(items),
        codemod=Codemod(
            written=written,
            files=len(plan.changes),
            changes=tuple(pieces[:MAX_CHANGES]),
            left_out=max(0, len(pieces) - MAX_CHANGES),
        ),
    )


def changes(change: FileChange) -> Iterator[Change]:
    """Return a file's changes in pieces, each with the lines around it."""
    before = decoded(change.before, change.shown).splitlines(keepends=True)
    after = decoded(change.after, change.shown).splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        first, last = group[0], group[-1]
        yield Change(
            path=printable(change.shown),
            line=first[1] + 1,
            before=_text(before[first[1] : last[2]]),
            after=_text(after[first[3] : last[4]]),
            rules=change.rules,
        )


def _item(row: Row) -> Item:
    item = row.occurrence
    rules = ", ".join(rules_of(row))
    place = None
    if item.cell is None:
        place = Place(
            path=printable(item.path),
            line=item.line,
            column=item.column,
            end_column=max(item.end_column, item.column),
            text=printable(item.text),
        )
    is_red = row.outcome is Outcome.REPORTED
    return Item(
        id=printable(f"{item.place} {item.rule_id}"),
        group=f"{item.scope} code",
        status=_status(row),
        title=printable(f"{item.kind} of {item.target or item.needle or item.kind}"),
        kind=item.rule_id,
        message=printable("; ".join(row.reasons or row.notes) or f"{row.outcome} by {rules}"),
        role="advisory" if is_red and not is_blocking(row) else "decides",
        place=place,
        evidence=(printable(item.text),),
    )


def _status(row: Row) -> Status:
    if row.outcome is Outcome.REWRITTEN:
        return Status.PASSED
    if row.outcome is Outcome.ALLOWED:
        return Status.LEDGERED
    examined = row.occurrence.status not in {Found.UNEXAMINED, Found.UNDECIDED}
    return Status.FAILED if examined else Status.UNTESTABLE


def _of_file(path: str, status: Status, message: str) -> Item:
    return Item(id=printable(path), group=FILES, status=status, message=printable(message))


def _fault(proof: Proof) -> Item:
    return Item(
        id=printable(f"{proof.path} {proof.level}"),
        group=PROOFS,
        status=Status.UNTESTABLE if proof.is_unexamined else Status.FAILED,
        kind=proof.level,
        message=printable(proof.fault or "does not hold"),
    )


def _text(lines: Sequence[str]) -> str:
    return "".join(lines).encode("utf-8", "backslashreplace").decode("utf-8")
