"""Uses of legacy in the repository, by one scan that tells production from test code."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.config import Repository
from conformance.errors import HarnessError, UsageError
from conformance.metrics.legacy_imports import ScanEvidence

if TYPE_CHECKING:
    from codemods.occurrence import Scope
    from codemods.report import ScanReport


@dataclass(frozen=True, slots=True)
class Scans:
    """The same scan as two claims read it."""

    production: ScanEvidence
    tests: ScanEvidence
    report: "ScanReport | None" = None


def scan(repository: Repository) -> Scans:
    """Scan the whole repository.

    Raises:
        UsageError: `[tool.planproof.scan]` is wrong.
        HarnessError: the scanner lost count of what it found.
    """
    # LibCST is slow to import, and the other metrics do not need it.
    import codemods  # noqa: PLC0415
    from codemods.errors import CodemodError  # noqa: PLC0415
    from codemods.occurrence import Scope  # noqa: PLC0415
    from codemods.settings import ScanSettings  # noqa: PLC0415

    try:
        settings = ScanSettings.from_mapping(repository.settings.scan)
        report = codemods.scan([repository.root], settings)
    except CodemodError as error:
        place = f"{repository.file}: tool.planproof.scan"
        place = f"{place}.{error.place}" if error.place else place
        raise UsageError(error.message, place=place, advice=error.advice) from None
    if not report.is_accounted:
        raise HarnessError("the scan did not account for every place it found")
    return Scans(scan_evidence(report, Scope.PRODUCTION), scan_evidence(report, Scope.TEST), report)


def scan_evidence(report: "ScanReport", scope: "Scope") -> ScanEvidence:
    """Return what a scan says about one scope."""
    from codemods.occurrence import Status  # noqa: PLC0415 - see `scan`

    def places(status: Status) -> tuple[str, ...]:
        return tuple(f"{found.place} {found.kind}" for found in report.of(status, scope))

    return ScanEvidence(
        files=report.files_examined,
        occurrences=places(Status.USE),
        undecided=places(Status.UNDECIDED),
        unexamined=places(Status.UNEXAMINED),
        allowed=len(report.of(Status.ALLOWED, scope)),
        allowance_faults=tuple(
            f"allow entry for {entry.path}: {entry.fault}" for entry in report.suppressions
        ),
    )
