"""The metric "no increase in execution failures".

Two kinds of evidence, of which the second is optional:

*Paired scenarios.* Both executors ran the same scenario. One pair in which legacy succeeded and
unified did not, and that the divergence ledger does not explain, is an increase. Two percentages
would hide it behind a pair that went the other way. Any other unexplained divergence is missed as
well: the ledger is where it is decided that a difference is harmless.

*Production records.* Both executors served different traffic, so their failure rates are compared
by a one-sided non-inferiority test: with the stated confidence, is the unified rate at most
`margin` above the legacy rate? The bound is the upper exact (Clopper-Pearson) limit of the unified
rate minus the lower exact limit of the legacy rate, each at half the error (Bonferroni), so the
confidence is guaranteed and not approximated; both come from `scipy.stats.binomtest`. Where the
bound is above the margin, Fisher's exact test (`scipy.stats.fisher_exact`, one-sided) tells an
increase (missed) from too few records (unknown).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.errors import ExitCode, UsageError
from conformance.report import Finding, Verdict, merged
from conformance.report_model_failures import Rates, measured_rates

if TYPE_CHECKING:
    from conformance.diff_report import DiffReport

METRIC = "failures"
SHOWN = 5  # scenarios that a report names; the rest is counted
INSTALL = "pip install 'planproof[statistics]'"


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """What a differential run says about failures, by scenario name.

    `increased`: legacy succeeded, unified did not, and the ledger does not say why. `unexplained`:
    another divergence that the ledger does not accept. `undecided`: could not be judged. `diff` is
    the whole run, for reports that show it.
    """

    pairs: int
    increased: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()
    ledgered: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    ledger_faults: tuple[str, ...] = ()
    harness_faults: tuple[str, ...] = ()
    source: str = "planproof diff"
    diff: "DiffReport | None" = None


@dataclass(frozen=True, slots=True)
class ProductionRecords:
    """How many executions one executor served in production, and how many of them failed."""

    executions: int
    failures: int
    source: str

    @property
    def rate(self) -> float:
        """The share of executions that failed."""
        return self.failures / self.executions if self.executions else 0.0


@dataclass(frozen=True, slots=True)
class RateComparison:
    """The one-sided comparison of two failure rates; differences are unified minus legacy.

    `legacy` and `unified` are the exact limits of either rate: of both, only one side is used.
    """

    verdict: Verdict
    difference: float
    upper_bound: float
    p_increase: float
    legacy: tuple[float, float] = (0.0, 1.0)
    unified: tuple[float, float] = (0.0, 1.0)


class StatisticsMissingError(ImportError):
    """SciPy is not installed: install the `statistics` extra."""


def read_records(file: Path) -> ProductionRecords:
    """Count the executions in a JSONL file: one object a line, with a boolean `success`.

    A record may carry an `execution_id`; two records of one execution are an error.

    Raises:
        UsageError: the file cannot be read, or a line is no such record (the message names it).
    """
    executions = failures = 0
    seen: set[str] = set()
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", place=str(file)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 at byte {error.start}", place=str(file)) from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{file}:{number}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"invalid JSON: {error.msg}", place=place) from None
        success = record.get("success") if isinstance(record, dict) else None
        if not isinstance(success, bool):
            raise UsageError("expected an object with a boolean `success`", place=place)
        identity = record.get("execution_id")
        if isinstance(identity, str):
            if identity in seen:
                raise UsageError(f"execution {identity} is recorded twice", place=place)
            seen.add(identity)
        executions += 1
        failures += not success
    return ProductionRecords(executions, failures, str(file))


def compare_rates(
    legacy: ProductionRecords, unified: ProductionRecords, *, margin: float, confidence: float
) -> RateComparison:
    """Test whether the unified failure rate is at most `margin` above the legacy rate.

    Raises:
        StatisticsMissingError: SciPy is not installed.
    """
    try:
        from numpy import array  # noqa: PLC0415 - comes with SciPy
        from scipy.stats import binomtest, fisher_exact  # noqa: PLC0415 - an extra, slow to import
    except ImportError as error:
        raise StatisticsMissingError(INSTALL) from error
    if legacy.executions == 0 or unified.executions == 0:
        return RateComparison(Verdict.UNKNOWN, 0.0, 1.0, 1.0)
    # Of a two-sided interval only one side is used: half the error for each of the two rates.
    limits = [
        binomtest(each.failures, each.executions).proportion_ci(confidence)
        for each in (legacy, unified)
    ]
    table = array(
        [
            [unified.failures, unified.executions - unified.failures],
            [legacy.failures, legacy.executions - legacy.failures],
        ]
    )
    p_increase = float(fisher_exact(table, alternative="greater").pvalue)
    bound = float(limits[1].high - limits[0].low)
    if bound <= margin:
        verdict = Verdict.MET
    else:
        verdict = Verdict.MISSED if p_increase < 1 - confidence else Verdict.UNKNOWN
    return RateComparison(
        verdict,
        unified.rate - legacy.rate,
        bound,
        p_increase,
        legacy=(float(limits[0].low), float(limits[0].high)),
        unified=(float(limits[1].low), float(limits[1].high)),
    )


def judge_pairs(evidence: PairEvidence) -> tuple[Verdict, str, ExitCode | None]:
    """Return the verdict over the pairs, its reason, and a cause beyond the verdict."""
    if evidence.harness_faults:
        return Verdict.UNKNOWN, f"harness: {evidence.harness_faults[0]}", ExitCode.HARNESS
    if evidence.increased:
        return (
            Verdict.MISSED,
            f"legacy succeeded, unified did not: {_names(evidence.increased)}",
            None,
        )
    if evidence.unexplained:
        return Verdict.MISSED, f"unexplained divergence: {_names(evidence.unexplained)}", None
    if evidence.ledger_faults:
        return Verdict.UNKNOWN, f"ledger: {evidence.ledger_faults[0]}", ExitCode.LEDGER
    if evidence.pairs == 0:
        return Verdict.UNKNOWN, "no pair ran", None
    if evidence.undecided:
        return Verdict.UNKNOWN, f"{len(evidence.undecided)} pairs could not be judged", None
    return Verdict.MET, "", None


def judge(
    pairs: PairEvidence,
    records: tuple[ProductionRecords, ProductionRecords] | None,
    *,
    margin: float,
    confidence: float,
) -> Finding:
    """Return whether failures increased: over the pairs, and in production where records exist.

    Rates that were compared are in the details as `rates`, which reports draw.
    """
    verdict, reason, cause = judge_pairs(pairs)
    figure = (
        f"{len(pairs.increased)} of {pairs.pairs} pairs (explained by the ledger: "
        f"{len(pairs.ledgered)}, other divergences: {len(pairs.unexplained)})"
    )
    target = "0 pairs outside the ledger"
    sources = [pairs.source]
    reasons = [reason] if reason else []
    rates: Rates | None = None
    if records is not None:
        found, text, why, rates = _production(*records, margin=margin, confidence=confidence)
        verdict = merged((verdict, found))
        figure, target = f"{figure}; {text}", f"{target}; rate at most +{margin:.2%}"
        sources.extend(each.source for each in records)
        reasons.extend([why] if why else [])
    return Finding(
        id=METRIC,
        title="No increase in execution failures",
        verdict=verdict,
        figure=figure,
        target=target,
        evidence=tuple(sources),
        reason="; ".join(reasons),
        cause=cause,
        details={
            "pairs": pairs.pairs,
            "increased": list(pairs.increased),
            "unexplained": list(pairs.unexplained),
            "ledgered": list(pairs.ledgered),
            "undecided": list(pairs.undecided),
            "ledger_faults": list(pairs.ledger_faults),
            "margin": margin,
            "confidence": confidence,
            **({} if rates is None else {"rates": rates.model_dump(mode="json")}),
        },
    )


def _names(scenarios: tuple[str, ...]) -> str:
    more = len(scenarios) - SHOWN
    return ", ".join(scenarios[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _production(
    legacy: ProductionRecords, unified: ProductionRecords, *, margin: float, confidence: float
) -> tuple[Verdict, str, str, Rates | None]:
    said = (
        f"production {unified.failures}/{unified.executions} against "
        f"{legacy.failures}/{legacy.executions}"
    )
    try:
        compared = compare_rates(legacy, unified, margin=margin, confidence=confidence)
    except StatisticsMissingError:
        return Verdict.UNKNOWN, said, f"the rates need the statistics extra: {INSTALL}", None
    text = f"{said}, at most {compared.upper_bound:+.2%} at {confidence:.0%} confidence"
    rates = measured_rates(legacy, unified, compared, margin=margin, confidence=confidence)
    return compared.verdict, text, production_reason(compared), rates


def production_reason(compared: RateComparison) -> str:
    """Return why two rates are not known to be as they should; empty where they are."""
    if compared.verdict is Verdict.MISSED:
        return f"the rate rose (Fisher's exact p = {compared.p_increase:.2g})"
    if compared.verdict is Verdict.UNKNOWN:
        return "too few production records for the margin"
    return ""
