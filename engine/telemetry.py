"""OpenTelemetry: spans and metrics of the engine, through the API alone (extra `opentelemetry`).

A `Telemetry` is given among the `listeners` of a machine. Without an SDK that the application sets
up it does nothing. The first segment's trace context is kept with the execution, so that all later
segments, in whatever process, belong to one trace.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine import metric_names as names
from engine.clock import Clock, SystemClock
from engine.events import Event, EventName
from engine.identity import is_compensation_key
from engine.limits import QUEUE_OBSERVATION_MS
from engine.metric_names import DURATION_BOUNDS_S, InstrumentKind, Metric
from engine.observer import Observation
from engine.states import ExecutionStatus
from engine.store import Store
from engine.tools import ToolCall
from engine.types.execution import ExecutionState, YieldReason

try:
    from opentelemetry import context, trace
    from opentelemetry.metrics import MeterProvider, get_meter
    from opentelemetry.trace import Link, Span, Status, StatusCode, TracerProvider, get_tracer
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as missing:
    raise ImportError(
        "engine.telemetry needs the OpenTelemetry API: pip install 'planproof[opentelemetry]'"
    ) from missing

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Counter, Histogram
    from opentelemetry.util.types import AttributeValue

SCOPE = "planproof.engine"
"""The instrumentation scope of all spans and metrics."""
TRACEPARENT = "traceparent"
"""The W3C header under which a trace context is kept."""

_PROPAGATOR = TraceContextTextMapPropagator()

COUNTED: Mapping[EventName, tuple[Metric, str]] = {
    EventName.WORKFLOW_STARTED: (names.EXECUTIONS_STARTED, ""),
    EventName.WORKFLOW_RESUME: (names.RESUMES_REQUESTED, ""),
    EventName.WORKFLOW_COMPLETED: (names.EXECUTIONS_ENDED, ""),
    EventName.WORKFLOW_FAILED: (names.EXECUTIONS_ENDED, ""),
    EventName.WORKFLOW_CANCELLED: (names.EXECUTIONS_ENDED, ""),
    EventName.STEP_STARTED: (names.STEPS_STARTED, ""),
    EventName.STEP_COMPLETED: (names.STEPS_ENDED, "completed"),
    EventName.STEP_FAILED: (names.STEPS_ENDED, "failed"),
    EventName.STEP_DEFERRED: (names.STEPS_ENDED, "deferred"),
    EventName.STEP_IN_DOUBT: (names.STEPS_ENDED, "in_doubt"),
    EventName.STEP_REPEATED: (names.STEPS_REPEATED, ""),
    EventName.SAGA_STEP_COMPENSATED: (names.COMPENSATIONS_ENDED, "compensated"),
    EventName.SAGA_STEP_FAILED: (names.COMPENSATIONS_ENDED, "failed"),
    EventName.CHECKPOINT_FAILED: (names.CHECKPOINT_FAILURES, ""),
    EventName.LEASE_LOST: (names.LEASES_LOST, ""),
    EventName.RESUME_REFUSED: (names.RESUMES_REFUSED, ""),
}
"""What each event counts as: the metric, and its outcome where it has one."""

_ENDS = (
    ExecutionStatus.COMPLETED,
    ExecutionStatus.FAILED,
    ExecutionStatus.COMPENSATED,
    ExecutionStatus.COMPENSATION_FAILED,
    ExecutionStatus.CANCELLED,
    ExecutionStatus.TIMEOUT,
)
_FROM_BEGINNING: tuple[tuple[Metric, Mapping[str, str]], ...] = (
    (names.EXECUTIONS_STARTED, {}),
    *((names.EXECUTIONS_ENDED, {"status": str(status)}) for status in _ENDS),
    *((names.RESUMES_REQUESTED, {"reason": str(reason)}) for reason in YieldReason),
    (names.RESUMES_STARTED, {}),
    (names.RESUMES_REFUSED, {}),
    *((names.COMPENSATIONS_ENDED, {"outcome": each}) for each in ("compensated", "failed")),
    (names.CHECKPOINT_FAILURES, {}),
    (names.LEASES_LOST, {}),
)
"""Series that are there as 0 from the beginning: an increase can only be seen of what was there."""


class Telemetry:
    """Spans and metrics of everything that the machines do which have it among their listeners."""

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Use these providers; by default the global ones, and the system's clock for durations."""
        self._tracer = get_tracer(SCOPE, tracer_provider=tracer_provider)
        self._clock = clock or SystemClock()
        meter = get_meter(SCOPE, meter_provider=meter_provider)
        self._counters: dict[Metric, Counter] = {}
        self._histograms: dict[Metric, Histogram] = {}
        for metric in names.METRICS:
            given = (metric.name, metric.unit, metric.description)
            if metric.kind is InstrumentKind.COUNTER:
                self._counters[metric] = meter.create_counter(*given)
            elif metric.kind is InstrumentKind.HISTOGRAM:
                self._histograms[metric] = meter.create_histogram(
                    *given, explicit_bucket_boundaries_advisory=DURATION_BOUNDS_S
                )
        lag, due = names.QUEUE_LAG, names.QUEUE_DUE
        self._lag = meter.create_gauge(lag.name, lag.unit, lag.description)
        self._due = meter.create_gauge(due.name, due.unit, due.description)
        for metric, attributes in _FROM_BEGINNING:
            self._counters[metric].add(0, attributes)

    def __call__(self, event: Event) -> None:
        """Count an event, and note it on the span of its segment."""
        counted = COUNTED.get(event.name)
        if counted is not None:
            metric, outcome = counted
            self._counters[metric].add(1, _attributes(metric, event, outcome))
        noted: dict[str, Any] = (
            {} if event.step_id is None else {"planproof.step.id": event.step_id}
        )
        trace.get_current_span().add_event(str(event.name), noted)

    def segment(self, state: ExecutionState, *, resumed: bool) -> Observation:
        """Begin the span of a segment, in the trace that the execution began in."""
        if resumed:
            self._counters[names.RESUMES_STARTED].add(1)
        attributes: dict[str, AttributeValue] = {
            "planproof.execution.id": state.execution_id,
            "planproof.segment.number": state.segment_number + 1,
            "planproof.resumed": resumed,
            **({} if state.trace_id is None else {"planproof.trace_id": state.trace_id}),
        }
        parent, links = None, []
        if state.traceparent is not None:
            parent = _PROPAGATOR.extract({TRACEPARENT: state.traceparent})
            caller = trace.get_current_span().get_span_context()
            links = [Link(caller)] if caller.is_valid else []
        span = self._tracer.start_span("segment", parent, attributes=attributes, links=links)
        return self._observation(span, names.SEGMENT_DURATION, {})

    def call(self, call: ToolCall) -> Observation:
        """Begin the span of one call; it is current while the tool runs."""
        kind = "compensation" if is_compensation_key(call.idempotency_key) else "step"
        span = self._tracer.start_span(
            f"{kind} {call.tool_name}",
            attributes={
                "planproof.execution.id": call.execution_id,
                "planproof.step.id": call.step_id,
                "planproof.tool": call.tool_name,
                "planproof.attempt": call.attempt,
                "planproof.idempotency_key": call.idempotency_key,
            },
        )
        return self._observation(span, names.CALL_DURATION, {"tool": call.tool_name, "kind": kind})

    def checkpoint_written(self, duration_ms: float) -> None:
        """Record the duration of a write."""
        self._histograms[names.CHECKPOINT_DURATION].record(duration_ms / 1_000)

    async def observe_queue(self, store: Store) -> None:
        """Record how many executions of `store` are due, and since when.

        Raises:
            engine.errors.StoreUnavailableError: the store failed; nothing is recorded.
        """
        backlog = await store.due_queue().backlog()
        self._due.set(backlog.due)
        self._lag.set(backlog.lag_ms / 1_000)

    async def watch_queue(self, store: Store, every_ms: int = QUEUE_OBSERVATION_MS) -> None:
        """Record the same again and again, until cancelled.

        Raises:
            engine.errors.StoreUnavailableError: the store failed.
        """
        while True:
            await self.observe_queue(store)
            await self._clock.sleep_ms(every_ms)

    def _observation(self, span: Span, metric: Metric, attributes: Mapping[str, str]) -> "_Watched":
        return _Watched(span, self._histograms[metric], attributes, self._clock)


class _Watched:
    """A span that is current until it ends, and its duration as a metric."""

    def __init__(
        self, span: Span, histogram: "Histogram", attributes: Mapping[str, str], clock: Clock
    ) -> None:
        self._span = span
        self._histogram = histogram
        self._attributes = attributes
        self._clock = clock
        self._begun_ms = clock.monotonic_ms()
        self._context: Context = trace.set_span_in_context(span)
        self._token = context.attach(self._context)

    @property
    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, self._context)
        return carrier.get(TRACEPARENT)

    def end(self, outcome: str, *, success: bool) -> None:
        context.detach(self._token)
        elapsed_s = (self._clock.monotonic_ms() - self._begun_ms) / 1_000
        self._histogram.record(elapsed_s, {**self._attributes, "outcome": outcome}, self._context)
        self._span.set_attribute("planproof.outcome", outcome)
        if not success:
            self._span.set_status(Status(StatusCode.ERROR, outcome))
        self._span.end()


def _attributes(metric: Metric, event: Event, outcome: str) -> dict[str, str]:
    if outcome:
        return {"outcome": outcome}
    return {name: str(event.detail[name]) for name in metric.attributes if name in event.detail}
