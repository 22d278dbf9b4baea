"""The collectors that the command uses: every kind of evidence from the real thing."""

from collections.abc import Mapping
from functools import partial

from conformance.config import Repository
from conformance.errors import UsageError
from conformance.evidence.documentation import documentation
from conformance.evidence.monitoring import alert_tests
from conformance.evidence.packages import checklist_sources, engine_size, freeze
from conformance.evidence.pairs import pairs
from conformance.evidence.scan import scan
from conformance.evidence.suite import suite_results
from conformance.gate import Collectors
from conformance.metrics.failures import ProductionRecords, read_records


def collectors(environment: Mapping[str, str]) -> Collectors:
    """Return the collectors; `environment` is handed to the test command."""
    return Collectors(
        scan=scan,
        engine_size=engine_size,
        suite=partial(suite_results, environment=environment),
        pairs=pairs,
        records=production_records,
        documentation=documentation,
        freeze=freeze,
        sources=checklist_sources,
        alert_tests=alert_tests,
    )


def production_records(
    repository: Repository,
) -> tuple[ProductionRecords, ProductionRecords] | None:
    """Read the configured records of (legacy, unified); None if none are configured.

    Raises:
        UsageError: only one of the two is configured, or a file is no such record.
    """
    settings = repository.settings.failures
    legacy, unified = settings.legacy_records, settings.unified_records
    if legacy is None and unified is None:
        return None
    if legacy is None or unified is None:
        missing = "legacy_records" if legacy is None else "unified_records"
        raise UsageError(
            f"tool.planproof.failures.{missing}: is needed beside the other one",
            place=str(repository.file),
        )
    return read_records(repository.path(legacy)), read_records(repository.path(unified))
