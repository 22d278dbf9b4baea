"""A scan for uses of the legacy module as a `run/v1` report, every occurrence with its place."""

from importlib.metadata import version

from codemods.occurrence import Occurrence, Scope, Status
from codemods.report import ScanReport
from conformance.report_model import LEDGER_GROUP, Item, Place, Role, RunReport
from conformance.report_model import Status as ItemStatus

# What people only read, and other things of that name, are no items: they are counted as facts.
LISTED = {
    Status.USE: ItemStatus.FAILED,
    Status.UNDECIDED: ItemStatus.UNTESTABLE,
    Status.UNEXAMINED: ItemStatus.UNTESTABLE,
    Status.ALLOWED: ItemStatus.LEDGERED,
}


def run_report(
    report: ScanReport, *, fail_on_tests: bool = False, command: str = "", started_at: str = ""
) -> RunReport:
    """Return a scan as a report with the scan's own exit code.

    A clean scan has one item that says so: it has looked at files, and is no empty run.
    """
    found = (*scan_items(report, fail_on_tests=fail_on_tests), *_suppressions(report))
    if not any(item.role == "decides" for item in found):
        found = (*found, _clean(report))
    return RunReport(
        kind="scan",
        product_version=version("planproof"),
        subject=report.root,
        source=f"{report.files_examined} of {report.files_found} files",
        root=report.root,
        command=command,
        started_at=started_at,
        items=found,
        facts=tuple(
            (f"{scope} code", ", ".join(f"{count} {status}" for status, count in tally.items()))
            for scope, tally in report.counts.items()
            if tally
        ),
    )


def scan_items(
    report: ScanReport, *, fail_on_tests: bool = False, role: Role = "decides"
) -> tuple[Item, ...]:
    """Return one item for each occurrence that has to be looked at, or that an entry allows."""
    return tuple(
        _item(item, fail_on_tests=fail_on_tests, role=role)
        for item in report.occurrences
        if item.status in LISTED
    )


def _item(item: Occurrence, *, fail_on_tests: bool, role: Role) -> Item:
    counts = item.scope is Scope.PRODUCTION or fail_on_tests or item.status is Status.UNEXAMINED
    what = item.target or item.needle or item.kind.value
    return Item(
        id=_plain(f"{item.place} {item.rule_id}"),
        group=f"{item.scope} code",
        status=LISTED[item.status],
        title=_plain(f"{item.kind} of {what}"),
        kind=item.rule_id,
        message=_plain(item.reason or f"{what} is used: {item.text}"),
        role=role if counts else "advisory",
        place=None if item.cell is not None else _place(item),
        evidence=(_plain(item.text),),
    )


def _place(item: Occurrence) -> Place:
    return Place(
        path=_plain(item.path),
        line=item.line,
        column=item.column,
        end_column=max(item.end_column, item.column),
        text=_plain(item.text),
    )


def _suppressions(report: ScanReport) -> tuple[Item, ...]:
    return tuple(
        Item(
            id=f"allow {_plain(entry.path)}",
            group=LEDGER_GROUP,
            status=ItemStatus.LEDGER_FAULT,
            title=f"allow entry for {_plain(entry.path)}",
            kind="expired" if "expired" in entry.fault else "stale",
            message=f"{entry.fault} ({entry.reason})",
        )
        for entry in report.suppressions
    )


def _clean(report: ScanReport) -> Item:
    return Item(
        id="no use of legacy",
        group="production code",
        status=ItemStatus.PASSED,
        message=f"{report.files_examined} files examined",
    )


def _plain(text: str) -> str:
    """Return `text` as valid Unicode: a file's name need not be."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
