"""Without these a use of the deprecated front could go unseen, or to the wrong executor."""

import asyncio
import dataclasses
import inspect
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from engine import SystemClock, segment_api
from engine.router import Router
from engine.router_flags import RouteFlags
from legacy import durable_execution as frozen
from legacy import front

ROOT = Path(__file__).parents[2]
E1 = "00000000-0000-4000-8000-000000000001"
STEP = "00000000-0000-4000-8000-000000000100"
PLAN = {
    "id": "00000000-0000-4000-8000-0000000000aa",
    "intent_id": "00000000-0000-4000-8000-0000000000ab",
    "steps": [
        {
            "id": STEP,
            "step_number": 0,
            "tool_name": "a",
            "parameters": {},
            "dependencies": [],
            "description": "",
        }
    ],
    "constraints": {"max_steps": 9, "max_total_tokens": 9, "max_execution_time_ms": 9},
    "metadata": {
        "version": "1",
        "created_at": "2026-01-01T00:00:00Z",
        "planning_model_id": "m",
        "estimated_total_tokens": 0,
        "estimated_latency_ms": 0,
    },
    "summary": "",
}
CALLED = {
    "create_initial_state": lambda f: f(E1, 0),
    "planned_state": lambda f: f(E1, PLAN, 0),
    "find_ready_steps": lambda f: f(frozen.planned_state(E1, PLAN, 0), PLAN["steps"], 0),
    "resolve_step_parameters": lambda f: f({}, frozen.planned_state(E1, PLAN, 0)),
    "execute_segment": lambda f: f(PLAN, Tools(), execution_id=E1, environment=None).close(),
    "resume_from_checkpoint": lambda f: f(E1, Tools(), environment=None).close(),
    "AbortController": lambda f: f(),
    "AbortSignal": lambda f: f(),
    "CheckpointManager": lambda f: f(None),
    "DurableExecutionResult": lambda f: f(True, False, None, 0, 0, 0, 0),
    "ExecutionCheckpoint": lambda f: f(E1, None, 0, 1),
    "ExecutionEnvironment": lambda f: f(*[None] * 6),
    "ExecutionState": lambda f: f(E1, "PLANNED", "", ""),
    "IdempotencyService": lambda f: f(None, None),
    "ParameterError": lambda f: f("path", "message"),
    "RealtimeService": lambda f: f(None),
    "StepState": lambda f: f(STEP),
    "ToolExecutionResult": lambda f: f(True),
    "ToolExecutor": lambda f: type("Mine", (f,), {}),
    "TraceEntry": lambda f: f("", "", "", 0),
}
USED = sorted(set(front.__all__) - CALLED.keys())


class Tools:
    def __init__(self, *, fails=False):
        self.calls = []
        self.fails = fails

    async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
        self.calls.append(tool_name)
        if self.fails:
            return frozen.ToolExecutionResult(False, error="no")
        return frozen.ToolExecutionResult(True, has_output=True, output=1)


class Everything:
    """Channel, model, validator and definitions that do nothing."""

    async def sign(self, event):
        return "t"

    async def publish(self, event, data, token):
        return None

    async def validate(self, tool_name, parameters):
        return []

    def parameter_aliases(self, tool_name):
        return {}

    async def generate(self, model_type, prompt):
        raise RuntimeError("none")


def environment():
    edge = Everything()
    return frozen.ExecutionEnvironment(
        redis=FakeAsyncRedis(server=FakeServer(), decode_responses=True),
        clock=SystemClock(),
        realtime=frozen.RealtimeService(edge),
        model=edge,
        validator=edge,
        definitions=edge,
    )


@pytest.fixture
def flag():
    """Route by a flag that the test sets."""

    class Flags:
        value = RouteFlags("legacy")

        async def flags(self, execution_id, attributes):
            return self.value

    flags = Flags()
    reports = flags.reports = []
    front.use_router(Router(front.LEGACY, front.UNIFIED, flags=flags, reported=reports.append))
    yield flags
    front.use_router(None)


def deprecations(caught):
    return [w for w in caught if issubclass(w.category, DeprecationWarning)]


def test_every_exported_name_is_there_and_nothing_else():
    assert front.__all__ == frozen.__all__ == segment_api.__all__
    assert {name for name in CALLED if name not in front.__all__} == set()


@pytest.mark.parametrize("name", CALLED)
def test_what_is_called_is_marked_and_warns_where_it_is_called(name):
    found = getattr(front, name)
    assert found.__deprecated__ == front.ADVICE
    with pytest.warns(DeprecationWarning, match="replaced by the unified engine") as caught:
        CALLED[name](found)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("name", USED)
def test_what_is_only_named_warns_where_it_is_named(name):
    with pytest.warns(DeprecationWarning, match=f"^{name}: ") as caught:
        found = getattr(front, name)
    assert [warning.filename for warning in caught] == [__file__]
    if inspect.isclass(found):
        assert found.__deprecated__ == front.ADVICE and issubclass(found, getattr(frozen, name))
        assert issubclass(found, getattr(segment_api, name))
    else:
        assert found is getattr(frozen, name)
    with pytest.warns(DeprecationWarning, match=name):
        exec(f"from legacy.front import {name}")  # noqa: S102 - the form of the import


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError):
        front.no_such_name  # noqa: B018


def test_one_call_site_warns_once_and_another_one_again():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            front.create_initial_state(E1, 0)
        front.create_initial_state(E1, 0)
        for _ in range(3):
            front.STEP_ABORT_MS  # noqa: B018
    lines = [warning.lineno for warning in deprecations(caught)]
    assert len(lines) == len(set(lines)) == 3


def test_the_signatures_are_the_executor_s():
    for name in ("execute_segment", "resume_from_checkpoint", "create_initial_state",
                 "planned_state", "find_ready_steps", "resolve_step_parameters"):  # fmt: skip
        shapes = [
            [(p.name, p.kind, p.default) for p in inspect.signature(f).parameters.values()]
            for f in (getattr(front, name), getattr(frozen, name))
        ]
        assert shapes[0] == shapes[1], name
        assert inspect.iscoroutinefunction(getattr(frozen, name)) == (
            inspect.iscoroutinefunction(getattr(front, name).__wrapped__)
        )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("executor", ["legacy", "unified", "shadow"])
@pytest.mark.parametrize("fails", [False, True])
def test_each_flag_value_runs_the_executor_that_it_names(flag, executor, fails):
    async def main():
        flag.value = RouteFlags(executor)
        tools, outside = Tools(fails=fails), environment()
        state = front.planned_state(E1, PLAN, SystemClock().now_ms())
        result = await front.execute_segment(
            PLAN, tools, execution_id=E1, environment=outside, initial_state=state
        )
        keys = [str(key) for key in await outside.redis.keys()]
        assert any("execution_state" in key for key in keys) == (executor != "unified")
        assert any(":run:" in key for key in keys) == (executor == "unified")
        assert tools.calls == ["a"]
        assert result.success is not fails
        assert isinstance(result, front.DurableExecutionResult)
        assert isinstance(result.state, front.ExecutionState)
        assert isinstance(result.state.step_states[0], front.StepState)
        assert [report.verdict for report in flag.reports] == ["same"] * (executor == "shadow")
        unified = isinstance(result, segment_api.DurableExecutionResult)
        assert unified is (executor == "unified")
        # The state goes into the next call of either executor.
        checkpoint = await front.CheckpointManager(outside).load(E1)
        assert (checkpoint is None) is (executor != "unified")
        assert front.find_ready_steps(result.state, PLAN["steps"], 0) == []

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("executor", ["legacy", "unified"])
def test_what_either_executor_throws_is_caught_by_every_name(flag, executor):
    async def main():
        flag.value = RouteFlags(executor)
        for call, name in (
            (
                lambda: front.resume_from_checkpoint(E1, Tools(), environment=environment()),
                "CheckpointMissingError",
            ),
            (
                lambda: front.execute_segment(
                    {}, Tools(), execution_id=E1, environment=environment()
                ),
                "MalformedPlanError",
            ),
            (
                lambda: front.execute_segment(
                    {**PLAN, "id": 7}, Tools(), execution_id=E1, environment=environment()
                ),
                "SchemaViolation",
            ),
        ):
            for module in (front, frozen, segment_api):
                with pytest.raises(getattr(module, name)):
                    await call()
            with pytest.raises(front.SegmentError) as caught:
                await call()
            assert str(caught.value) and caught.value.code

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_error_of_neither_executor_passes_as_it_is(flag):
    async def main():
        with pytest.raises(AttributeError):
            await front.execute_segment(PLAN, Tools(), execution_id=E1, environment=object())

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_records_can_be_replaced_and_are_equal_in_shape():
    step = front.StepState(STEP)
    changed = dataclasses.replace(step, status="completed")
    assert changed.document() == {"step_id": STEP, "status": "completed", "attempts": 0}
    assert isinstance(step, frozen.StepState)


OPTIONS = ["--enable-error-code", "deprecated", "--config-file", "", "--cache-dir"]


def test_type_checkers_see_every_use(tmp_path):
    names = [name for name in front.__all__ if not name.isupper()]
    lines = [f"from legacy.front import {name}" for name in names]
    snippet = tmp_path / "consumer.py"
    snippet.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *OPTIONS, str(tmp_path / "cache"), str(snippet)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seen = re.findall(r"consumer\.py:(\d+): .*\[deprecated\]", done.stdout)
    assert [names[int(line) - 1] for line in seen] == names, done.stdout + done.stderr
