"""The gate: collect the evidence that a profile asks for, and judge every metric and row by it.

Judging is pure and lives in `conformance.metrics` and `conformance.checklist`. What cannot be
collected makes its metric `unknown` with the error's own exit code; it never stops the others.
Only a mistake in the configuration does, because everything after it would be judged wrongly.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Generic, TypeVar, cast

from conformance import checklist
from conformance.checklist import ChecklistEvidence
from conformance.config import ProfileName, Repository
from conformance.errors import ExitCode, PlanproofError, UsageError
from conformance.evidence.scan import Scans
from conformance.metrics import (
    documentation,
    execution_tests,
    failures,
    frozen,
    legacy_imports,
    size,
)
from conformance.metrics.documentation import DocumentationEvidence
from conformance.metrics.execution_tests import TestEvidence
from conformance.metrics.failures import PairEvidence, ProductionRecords
from conformance.metrics.frozen import FreezeEvidence
from conformance.metrics.monitoring import AlertTests
from conformance.metrics.size import SizeEvidence
from conformance.report import Finding, GateReport, Verdict

CHECKLIST = "checklist"
INSTALL = "pip install 'planproof[all]'"

# What can be asked for with `--only`, in the order of the report: the plan's five, then the freeze.
METRICS: Mapping[str, str] = {
    legacy_imports.METRIC: "No legacy import in production code",
    size.METRIC: "workflow_machine is smaller",
    execution_tests.METRIC: "All execution tests pass",
    failures.METRIC: "No increase in execution failures",
    documentation.METRIC: "Documentation is complete",
    frozen.METRIC: "The legacy executor is frozen",
}

T = TypeVar("T")
Progress = Callable[[str], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Collectors:
    """How each kind of evidence is got. Tests hand in their own."""

    scan: Callable[[Repository], Scans]
    engine_size: Callable[[Repository], SizeEvidence]
    suite: Callable[[Repository], TestEvidence]
    pairs: Callable[[Repository, ProfileName], PairEvidence]
    records: Callable[[Repository], tuple[ProductionRecords, ProductionRecords] | None]
    documentation: Callable[[Repository], DocumentationEvidence]
    freeze: Callable[[Repository], FreezeEvidence | None]
    sources: Callable[[Repository], Mapping[str, str]]
    alert_tests: Callable[[Repository], AlertTests]


def silent(_message: str) -> AbstractContextManager[object]:
    """Show no progress."""
    return nullcontext()


def run_gate(
    repository: Repository,
    profile: ProfileName,
    collectors: Collectors,
    *,
    only: tuple[str, ...] = (),
    progress: Progress = silent,
) -> GateReport:
    """Return the report on `repository`. `only` names metrics, or `checklist`; empty means all.

    Raises:
        UsageError: the configuration is wrong.
    """
    run = _Run(repository, profile, collectors, progress)
    judges: dict[str, Callable[[], Finding]] = {
        legacy_imports.METRIC: run.legacy_imports,
        size.METRIC: run.size,
        execution_tests.METRIC: run.execution_tests,
        failures.METRIC: run.failures,
        documentation.METRIC: run.documentation,
        frozen.METRIC: run.frozen,
    }
    wanted = [name for name in METRICS if not only or name in only]
    findings = tuple(run.judged(name, judges[name]) for name in wanted)
    rows: tuple[Finding, ...] = ()
    if not only or CHECKLIST in only:
        rows = run.checklist()
    return GateReport(
        product_version=version("planproof"),
        profile=profile,
        repository=str(repository.root),
        configuration=str(repository.file),
        only=only,
        metrics=findings,
        checklist=rows,
    )


class _Once(Generic[T]):
    """Evidence that several claims share: collected at the first need, its error kept as well."""

    def __init__(self, collect: Callable[[], T]) -> None:
        self._collect = collect
        self._value: T | None = None
        self._error: Exception | None = None

    def __call__(self) -> T:
        """Return the evidence, or raise the error that collecting it raised."""
        if self._error is None and self._value is None:
            try:
                self._value = self._collect()
            except Exception as error:
                self._error = error
                raise
        if self._error is not None:
            raise self._error
        return cast("T", self._value)


class _Run:
    """One run over one repository."""

    def __init__(
        self,
        repository: Repository,
        profile: ProfileName,
        collectors: Collectors,
        progress: Progress,
    ) -> None:
        self._repository = repository
        self._settings = repository.settings
        self._profile = profile
        self._collectors = collectors
        self._progress = progress
        self._scan = _Once(self._collect_scan)
        self._suite = _Once(self._collect_suite)
        self._documentation = _Once(self._collect_documentation)

    def judged(self, metric: str, judge: Callable[[], Finding]) -> Finding:
        """Return the finding; an error while collecting makes it unknown."""
        try:
            return judge()
        except UsageError:
            raise
        except PlanproofError as error:
            return _unknown(metric, error.line(), error.exit_code)
        except ImportError as error:
            return _unknown(metric, f"{error}: {INSTALL}", ExitCode.VACUOUS)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not hide the other findings
            return _unknown(metric, f"{type(error).__name__}: {error}", ExitCode.HARNESS)

    def legacy_imports(self) -> Finding:
        return legacy_imports.judge(self._scan().production)

    def size(self) -> Finding:
        settings = self._settings.size
        return size.judge(
            self._collectors.engine_size(self._repository),
            baseline_lines=settings.baseline_lines,
            target_reduction=settings.target_reduction,
            legacy_lines=settings.legacy_baseline_lines,
        )

    def execution_tests(self) -> Finding:
        suite = self._suite()
        return execution_tests.judge(replace(suite, scan=self._scan().tests))

    def failures(self) -> Finding:
        records = self._collectors.records(self._repository)
        with self._progress("running scenarios through both executors"):
            pairs = self._collectors.pairs(self._repository, self._profile)
        settings = self._settings.failures
        return failures.judge(
            pairs, records, margin=settings.margin, confidence=settings.confidence
        )

    def documentation(self) -> Finding:
        return documentation.judge(self._documentation())

    def frozen(self) -> Finding:
        return frozen.judge(self._collectors.freeze(self._repository))

    def checklist(self) -> tuple[Finding, ...]:
        for name, attestation in self._settings.checklist.items():
            if not self._repository.path(attestation.evidence).exists():
                raise UsageError(
                    f"tool.planproof.checklist.{name}.evidence: there is no {attestation.evidence!r}",
                    place=str(self._repository.file),
                )
        scans = _or_none(self._scan)
        evidence = ChecklistEvidence(
            sources=self._collectors.sources(self._repository),
            tests=_or_none(self._suite),
            scan=scans.tests if scans is not None else None,
            documentation=_or_none(self.documentation),
            alert_tests=_or_none(lambda: self._collectors.alert_tests(self._repository)),
        )
        return checklist.answer(evidence, self._settings.checklist, str(self._repository.file))

    def _collect_scan(self) -> Scans:
        with self._progress("scanning for uses of legacy"):
            return self._collectors.scan(self._repository)

    def _collect_suite(self) -> TestEvidence:
        with self._progress("running the execution tests"):
            return self._collectors.suite(self._repository)

    def _collect_documentation(self) -> DocumentationEvidence:
        with self._progress("running the examples of the documentation"):
            return self._collectors.documentation(self._repository)


def _or_none(collect: Callable[[], T]) -> T | None:
    """Return evidence for the checklist; what failed was reported with its metric already."""
    try:
        return collect()
    except UsageError:
        raise
    except Exception:  # noqa: BLE001 - the row then says that it is unknown
        return None


def _unknown(metric: str, reason: str, cause: ExitCode) -> Finding:
    return Finding(
        id=metric,
        title=METRICS[metric],
        verdict=Verdict.UNKNOWN,
        figure="not measured",
        target="",
        reason=" ".join(reason.split()),
        cause=cause,
    )
