"""What a comparison of failure rates adds to a report: either rate with its exact limits.

The records say what was measured and nothing of how it is drawn. Rates are shares from 0 to 1.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RateInterval(_Record):
    """How often one executor failed, and the limits of its true rate."""

    executor: Literal["legacy", "unified"]
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
