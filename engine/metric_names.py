"""The metrics that telemetry exports: OpenTelemetry names, units, attributes. Pure data."""

from dataclasses import dataclass
from enum import StrEnum


class InstrumentKind(StrEnum):
    """Kinds of instruments."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `unit` is UCUM, as OpenTelemetry demands; `attributes` are all that it may have."""

    name: str
    kind: InstrumentKind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()

    @property
    def prometheus_name(self) -> str:
        """The name by which Prometheus knows it; of a histogram the stem of its three series."""
        stem = self.name.replace(".", "_")
        stem += "_seconds" if self.unit == "s" else ""
        return stem + ("_total" if self.kind is InstrumentKind.COUNTER else "")

    @property
    def prometheus_series(self) -> tuple[str, ...]:
        """The series that Prometheus has of it."""
        if self.kind is InstrumentKind.HISTOGRAM:
            return tuple(f"{self.prometheus_name}_{part}" for part in ("bucket", "count", "sum"))
        return (self.prometheus_name,)


def _counter(name: str, unit: str, description: str, *attributes: str) -> Metric:
    return Metric(name, InstrumentKind.COUNTER, unit, description, attributes)


def _histogram(name: str, description: str, *attributes: str) -> Metric:
    return Metric(name, InstrumentKind.HISTOGRAM, "s", description, attributes)


EXECUTIONS_STARTED = _counter("planproof.executions.started", "{execution}", "executions begun")
EXECUTIONS_ENDED = _counter(
    "planproof.executions.ended", "{execution}", "executions that reached their end", "status"
)
RESUMES_REQUESTED = _counter(
    "planproof.resumes.requested", "{resume}", "`WORKFLOW_RESUME` events", "reason"
)
RESUMES_STARTED = _counter(
    "planproof.resumes.started", "{resume}", "segments that continue an execution"
)
RESUMES_REFUSED = _counter(
    "planproof.resumes.refused", "{resume}", "`RESUME_REFUSED` events of workers"
)
STEPS_STARTED = _counter("planproof.steps.started", "{step}", "intents made durable")
STEPS_ENDED = _counter("planproof.steps.ended", "{step}", "results made durable", "outcome")
STEPS_REPEATED = _counter(
    "planproof.steps.repeated", "{step}", "steps begun again after a crash in their call"
)
COMPENSATIONS_ENDED = _counter(
    "planproof.compensations.ended", "{compensation}", "steps undone, or not", "outcome"
)
CHECKPOINT_FAILURES = _counter(
    "planproof.checkpoint.failures", "{failure}", "`CHECKPOINT_FAILED` events"
)
LEASES_LOST = _counter("planproof.leases.lost", "{lease}", "`LEASE_LOST` events")
CHECKPOINT_DURATION = _histogram(
    "planproof.checkpoint.duration", "from asking the store for a write to its answer"
)
SEGMENT_DURATION = _histogram(
    "planproof.segment.duration", "from the claim to the release", "outcome"
)
CALL_DURATION = _histogram(
    "planproof.call.duration", "one call of a tool", "tool", "kind", "outcome"
)
QUEUE_LAG = Metric(
    "planproof.queue.lag",
    InstrumentKind.GAUGE,
    "s",
    "how long the execution that is due longest has been due",
)
QUEUE_DUE = Metric(
    "planproof.queue.due", InstrumentKind.GAUGE, "{execution}", "executions that are due now"
)

METRICS = (
    EXECUTIONS_STARTED,
    EXECUTIONS_ENDED,
    RESUMES_REQUESTED,
    RESUMES_STARTED,
    RESUMES_REFUSED,
    STEPS_STARTED,
    STEPS_ENDED,
    STEPS_REPEATED,
    COMPENSATIONS_ENDED,
    CHECKPOINT_FAILURES,
    LEASES_LOST,
    CHECKPOINT_DURATION,
    SEGMENT_DURATION,
    CALL_DURATION,
    QUEUE_LAG,
    QUEUE_DUE,
)

DURATION_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Buckets of all durations: from a write on loopback to the lease of 30 s."""
