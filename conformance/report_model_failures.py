"""What a comparison of failure rates adds to a report: either rate with its exact limits.

The records say what was measured and nothing of how it is drawn. Rates are shares from 0 to 1.
"""

from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from conformance.metrics.failures import ProductionRecords, RateComparison

Executor: TypeAlias = Literal["legacy", "unified"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RateInterval(_Record):
    """How often one executor failed, and the limits of its true rate."""

    executor: Executor
    source: str
    executions: int = Field(ge=0)
    failures: int = Field(ge=0)
    rate: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class Rates(_Record):
    """Two failure rates and what is allowed between them.

    Attributes:
        margin: by how much the unified rate may be above the legacy rate.
        confidence: one-sided, of the whole statement.
        difference: unified minus legacy, as it was observed.
        bound: the difference is at most this, with the confidence.
        p_increase: how likely such records are if the rate did not rise (Fisher, one-sided).
    """

    margin: float
    confidence: float
    difference: float
    bound: float
    p_increase: float = Field(ge=0, le=1)
    intervals: tuple[RateInterval, RateInterval]


def measured_rates(
    legacy: "ProductionRecords",
    unified: "ProductionRecords",
    compared: "RateComparison",
    *,
    margin: float,
    confidence: float,
) -> Rates:
    """Return what was compared as the records of a report."""
    return Rates(
        margin=margin,
        confidence=confidence,
        difference=compared.difference,
        bound=compared.upper_bound,
        p_increase=min(1.0, compared.p_increase),
        intervals=(
            _interval("legacy", legacy, compared.legacy),
            _interval("unified", unified, compared.unified),
        ),
    )


def _interval(
    executor: Executor, records: "ProductionRecords", limits: tuple[float, float]
) -> RateInterval:
    return RateInterval(
        executor=executor,
        source=records.source,
        executions=records.executions,
        failures=records.failures,
        rate=records.rate,
        low=limits[0],
        high=limits[1],
    )
