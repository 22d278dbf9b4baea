"""Import scanner and codemods for consumer repositories."""

from codemods.occurrence import Kind, Occurrence, Scope, Status
from codemods.report import ScanReport
from codemods.scanner import scan
from codemods.settings import AllowEntry, ScanSettings

__all__ = [
    "AllowEntry",
    "Kind",
    "Occurrence",
    "ScanReport",
    "ScanSettings",
    "Scope",
    "Status",
    "scan",
]
