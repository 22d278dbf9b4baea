"""Without these spans could fall apart at a resume, and alerts could wait for what is never exported."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

import engine
from engine import Compensation, ExecutionStatus, ToolResult, WorkflowSettings
from engine import metric_names as names
from engine.errors import CheckpointCorruptError, LeaseLostError, StoreUnavailableError
from engine.events import Event, EventName
from engine.metric_names import METRICS
from engine.redis_store import RedisStore
from engine.telemetry import COUNTED, Telemetry
from tests.engine.lab import EXECUTION, Lab, Script, chain, plan_of, step


class World:
    """A lab whose machines have telemetry, and what it exports."""

    def __init__(self, reader: Any = None) -> None:
        self.lab = Lab()
        self.reader = reader or InMemoryMetricReader()
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader])
        self.telemetry = Telemetry(
            tracer_provider=self.tracers, meter_provider=self.meters, clock=self.lab.clock
        )

    def machine(self, plan: Any = None, **options: Any) -> Any:
        return self.lab.machine(plan, listeners=[self.telemetry], **options)

    def execute(self, plan: Any = None, **options: Any) -> Any:
        return self.lab.run(lambda: self.machine(plan, **options).execute())

    def finish(self, plan: Any, **options: Any) -> Any:
        return self.lab.run(lambda: self.lab.finish(plan, listeners=[self.telemetry], **options))

    def spans(self, *starts: str) -> list[ReadableSpan]:
        found = self.exporter.get_finished_spans()
        return [span for span in found if not starts or span.name.startswith(starts)]

    def points(self) -> dict[str, list[Any]]:
        data = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def value(self, metric: names.Metric, **attributes: str) -> float:
        """Return a counter's or gauge's value, or how often a histogram was recorded."""
        return sum(
            point.count if hasattr(point, "count") else point.value
            for point in self.points().get(metric.name, [])
            if attributes.items() <= dict(point.attributes).items()
        )


def test_a_run_is_one_segment_with_a_span_for_each_call():
    world = World()
    world.execute(chain(3))
    (segment,) = world.spans("segment")
    calls = world.spans("step work")
    assert [call.attributes["planproof.step.id"] for call in calls] == ["s0", "s1", "s2"]
    assert {call.parent.span_id for call in calls} == {segment.context.span_id}
    assert segment.attributes["planproof.execution.id"] == EXECUTION
    assert segment.attributes["planproof.outcome"] == "COMPLETED"
    assert [event.name for event in segment.events][:2] == ["WORKFLOW_STARTED", "STEP_STARTED"]


def test_a_tool_runs_inside_its_span():
    world, current = World(), []

    async def look(call: Any) -> ToolResult:
        current.append(trace.get_current_span().get_span_context().span_id)
        return ToolResult.ok(None)

    world.lab.tools.scripts["work"] = Script([look])
    world.execute(chain(1))
    assert current == [span.context.span_id for span in world.spans("step")]
    assert not trace.get_current_span().get_span_context().is_valid


def test_segments_of_all_processes_are_one_trace():
    world = World()
    settings = WorkflowSettings(checkpoint_threshold_ms=25)
    result = world.finish(chain(6), settings=settings, trace_id="order-7")
    segments = world.spans("segment")
    assert result.success and len(segments) == result.segment_number > 1
    assert len({span.context.trace_id for span in world.spans()}) == 1
    first = segments[0].context.span_id
    assert [span.parent and span.parent.span_id for span in segments[1:]] == [first] * (
        len(segments) - 1
    )
    assert [span.attributes["planproof.resumed"] for span in segments] == [False] + [True] * (
        len(segments) - 1
    )
    assert {span.attributes["planproof.trace_id"] for span in segments} == {"order-7"}


def test_the_caller_s_trace_is_continued_and_a_resumer_s_is_linked():
    world = World()
    tracer = world.tracers.get_tracer("test")

    async def main() -> None:
        with tracer.start_as_current_span("request"):
            await world.machine(chain(2)).execute_single_step()
        with tracer.start_as_current_span("worker"):
            await world.machine().execute()

    world.lab.run(main)
    (request,), (worker,) = world.spans("request"), world.spans("worker")
    first, second = world.spans("segment")
    assert first.parent.span_id == request.context.span_id
    assert second.context.trace_id == request.context.trace_id
    assert [link.context.span_id for link in second.links] == [worker.context.span_id]


def test_an_execution_that_was_submitted_stays_in_the_trace_of_its_submitter():
    world = World()
    tracer = world.tracers.get_tracer("test")

    async def main() -> Any:
        with tracer.start_as_current_span("request"):
            await world.machine(chain(2)).submit()
        await world.machine(chain(2)).submit()
        return await world.machine().execute()

    assert world.lab.run(main).success
    (request,), segments = world.spans("request"), world.spans("segment")
    assert {span.context.trace_id for span in segments} == {request.context.trace_id}
    assert [span.attributes["planproof.outcome"] for span in segments] == ["yielded", "COMPLETED"]
    assert world.value(names.EXECUTIONS_STARTED) == world.value(names.RESUMES_STARTED) == 1


def test_a_resume_after_a_crash_stays_in_the_trace():
    world = World()

    async def main() -> Any:
        client = world.lab.client()
        client.die_before = 6  # after the first write
        with pytest.raises(BaseException):  # noqa: B017 - the process is gone
            await world.machine(chain(3), client=client).execute()
        client.dead = False
        await world.lab.clock.sleep_ms(60_000)
        return await world.machine().execute()

    assert world.lab.run(main).success
    assert len({span.context.trace_id for span in world.spans("segment", "step")}) == 1
    assert world.value(names.RESUMES_STARTED) == 1


def test_a_compensation_has_a_span_and_a_failure_is_marked():
    world = World()
    world.lab.tools.define("a", compensation=lambda sent, got: Compensation(tool_name="undo_a"))
    world.lab.tools.scripts["b"] = Script([ToolResult.failed("no")])
    result = world.execute(plan_of(step("a"), step("b", "a")))
    assert result.status is ExecutionStatus.COMPENSATED
    (undo,), (failed,) = world.spans("compensation undo_a"), world.spans("step b")
    assert undo.attributes["planproof.step.id"] == "a"
    assert not failed.status.is_ok and failed.attributes["planproof.outcome"] == "failed"
    assert world.value(names.COMPENSATIONS_ENDED, outcome="compensated") == 1
    assert world.value(names.EXECUTIONS_ENDED, status="COMPENSATED") == 1
    assert world.value(names.CALL_DURATION, tool="undo_a", kind="compensation") == 1
    assert world.value(names.CALL_DURATION, tool="b", kind="step", outcome="failed") == 1


def test_a_failed_compensation_is_counted():
    world = World()
    world.lab.tools.define("a", compensation=lambda sent, got: Compensation(tool_name="undo_a"))
    world.lab.tools.scripts["b"] = Script([ToolResult.failed("no")])
    world.lab.tools.scripts["undo_a"] = Script([ToolResult.failed("no")])
    world.execute(plan_of(step("a"), step("b", "a")))
    assert world.value(names.COMPENSATIONS_ENDED, outcome="failed") == 1
    assert world.value(names.EXECUTIONS_ENDED, status="COMPENSATION_FAILED") == 1


def test_a_run_is_counted():
    world = World()
    world.finish(chain(6), settings=WorkflowSettings(checkpoint_threshold_ms=25))
    yields = world.value(names.RESUMES_REQUESTED, reason="budget")
    assert yields == world.value(names.RESUMES_STARTED) >= 1
    assert world.value(names.EXECUTIONS_STARTED) == 1
    assert world.value(names.EXECUTIONS_ENDED, status="COMPLETED") == 1
    assert world.value(names.STEPS_STARTED) == 6
    assert world.value(names.STEPS_ENDED, outcome="completed") == 6
    assert world.value(names.SEGMENT_DURATION, outcome="yielded") == yields
    assert world.value(names.CHECKPOINT_DURATION) >= 7


def test_what_alerts_wait_for_is_there_before_it_happens():
    points = World().points()
    for metric in (names.CHECKPOINT_FAILURES, names.LEASES_LOST, names.RESUMES_STARTED):
        assert [point.value for point in points[metric.name]] == [0]
    statuses = {point.attributes["status"] for point in points[names.EXECUTIONS_ENDED.name]}
    assert "COMPENSATION_FAILED" in statuses


@pytest.mark.parametrize("at", range(1, 5))
def test_a_store_that_fails_is_counted_wherever_it_does(at):
    world = World()

    async def main() -> None:
        client = world.lab.client()
        client.fail_at = frozenset(range(at, 100))
        with pytest.raises(StoreUnavailableError):
            await world.machine(chain(3), client=client).execute()

    world.lab.run(main)
    assert world.value(names.CHECKPOINT_FAILURES) == 1


def test_a_record_that_cannot_be_read_is_counted():
    world = World()

    async def main() -> None:
        await world.machine(chain(2)).execute_single_step()
        client = world.lab.client()
        keys = RedisStore(client)._keys(EXECUTION)
        await client.set(keys[1], "foreign")
        with pytest.raises(CheckpointCorruptError):
            await world.machine(client=client).execute()

    world.lab.run(main)
    assert world.value(names.CHECKPOINT_FAILURES) == 1


def test_a_lost_lease_is_counted():
    world = World()

    async def steal(call: Any) -> ToolResult:
        await world.lab.clock.sleep_ms(100)
        store = world.lab.store()
        for key in await world.lab.clients[0].keys("*:run:*"):
            await world.lab.clients[0].hset(key, mapping={"lease_until_ms": "0"})
        await store.claim(EXECUTION, "thief", 30_000)
        return ToolResult.ok(None)

    world.lab.tools.scripts["work"] = Script([steal])
    with pytest.raises(LeaseLostError):
        world.execute(chain(2))
    assert world.value(names.LEASES_LOST) == 1
    (segment,) = world.spans("segment")
    assert segment.attributes["planproof.outcome"] == "LEASE_LOST" and not segment.status.is_ok


def test_the_queue_s_lag_is_that_of_the_execution_that_is_due_longest():
    world = World()

    async def main() -> None:
        store = world.lab.store()
        await world.machine(chain(2)).execute_single_step()
        await world.telemetry.observe_queue(store)
        assert (world.value(names.QUEUE_DUE), world.value(names.QUEUE_LAG)) == (0, 0)
        state = await store.load(EXECUTION)
        await world.lab.clock.sleep_ms(state.due_at_ms - world.lab.clock.now_ms() + 7_000)
        await world.telemetry.observe_queue(store)

    world.lab.run(main)
    assert (world.value(names.QUEUE_DUE), world.value(names.QUEUE_LAG)) == (1, 7)


def test_the_exported_metrics_are_those_that_are_named():
    """All kinds of runs together export every metric, under no attribute but the named ones."""
    world = World()
    world.lab.tools.define("a", compensation=lambda sent, got: Compensation(tool_name="undo_a"))
    world.lab.tools.scripts["b"] = Script([ToolResult.failed("no")])

    async def main() -> None:
        await world.machine(plan_of(step("a"), step("b", "a"))).execute_single_step()
        await world.machine().execute()
        await world.telemetry.observe_queue(world.lab.store())
        repeated = Event(name=EventName.STEP_REPEATED, execution_id="e", at_ms=0, segment_number=1)
        world.telemetry(repeated)

    world.lab.run(main)
    points = world.points()
    assert set(points) == {metric.name for metric in METRICS}
    for metric in METRICS:
        found = {name for point in points[metric.name] for name in point.attributes}
        assert found == set(metric.attributes), metric.name


def test_the_names_in_prometheus_are_those_of_the_exporter():
    reader = PrometheusMetricReader()
    world = World(reader)
    try:
        for metric in METRICS:
            if metric.kind is names.InstrumentKind.HISTOGRAM:
                world.telemetry._histograms[metric].record(1)
            elif metric.kind is names.InstrumentKind.COUNTER:
                world.telemetry._counters[metric].add(1)
        world.telemetry._lag.set(1)
        world.telemetry._due.set(1)
        found = {
            sample.name
            for family in REGISTRY.collect()
            for sample in family.samples
            if sample.name.startswith("planproof_")
        }
    finally:
        world.meters.shutdown()
    named = {series for metric in METRICS for series in metric.prometheus_series}
    assert named == {name for name in found if not name.endswith("_created")}


def test_every_kind_of_event_that_is_counted_names_a_metric_of_its_attributes():
    assert all(
        not outcome or "outcome" in metric.attributes for metric, outcome in COUNTED.values()
    )
    assert {metric for metric, _ in COUNTED.values()} <= set(METRICS)


def test_the_spans_have_the_attributes_that_the_readme_names():
    world = World()
    world.lab.tools.define("a", compensation=lambda sent, got: Compensation(tool_name="undo_a"))
    world.lab.tools.scripts["b"] = Script([ToolResult.failed("no")])
    world.execute(plan_of(step("a"), step("b", "a")), trace_id="order-7")
    readme = (Path(engine.__file__).parent / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `(segment|step <tool>)` \|.*\| (.*) \|$", readme, re.MULTILINE)
    told = {name.split()[0]: set(re.findall(r"`([\w.]+)`", cell)) for name, cell in rows}
    assert len(told) == 2
    for span in world.spans():
        kind = span.name.split()[0].replace("compensation", "step")
        assert {name.removeprefix("planproof.") for name in span.attributes} == told[kind]


def test_without_an_sdk_it_does_nothing():
    lab = Lab()
    result = lab.run(lambda: lab.machine(chain(2), listeners=[Telemetry()]).execute())
    assert result.success
    state = lab.run(lambda: lab.machine().get_state())
    assert state.traceparent is None


def test_without_the_package_the_error_names_the_extra():
    program = "import sys; sys.modules['opentelemetry'] = None; import engine.telemetry"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: engine.telemetry needs the OpenTelemetry API: "
        "pip install 'planproof[opentelemetry]'"
    )


def test_the_engine_alone_does_not_import_it():
    program = (
        "import sys, engine; assert not any(n.startswith('opentelemetry') for n in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
