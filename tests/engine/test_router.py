"""Without these an execution could be begun in two places, or a shadow run could do something."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from engine import RunEnvironment, SystemClock, ToolAnswer
from engine.adoption import adopt
from engine.errors import StoreUnavailableError
from engine.hand_back import hand_back
from engine.redis_store import RedisStore
from engine.router import Router, SegmentExecutor, choose, in_share
from engine.router_flags import (
    EnvironmentFlags,
    FlagError,
    OpenFeatureFlags,
    RouteFlags,
    checked_flags,
    default_flags,
)
from engine.segment_api import DurableExecutionResult, execute_segment, resume_from_checkpoint

openfeature = pytest.importorskip("openfeature")
from openfeature import api  # noqa: E402
from openfeature.provider import AbstractProvider, Metadata  # noqa: E402
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider  # noqa: E402

E1 = "00000000-0000-4000-8000-000000000001"
PLAN = {
    "id": "00000000-0000-4000-8000-0000000000aa",
    "intent_id": "00000000-0000-4000-8000-0000000000ab",
    "steps": [
        {
            "id": f"00000000-0000-4000-8000-00000000010{at}",
            "step_number": at,
            "tool_name": tool,
            "parameters": {"n": at},
            "dependencies": [] if not at else [f"00000000-0000-4000-8000-00000000010{at - 1}"],
        }
        for at, tool in enumerate(["a", "b"])
    ],
}


@dataclass
class Tools:
    calls: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
        self.calls.append(tool_name)
        answer = self.answers.get(tool_name, ToolAnswer(True, True, {"of": tool_name}))
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Lab:
    """A router whose legacy is a stand-in that leaves a legacy state, and tools that count."""

    flags: Any = field(default_factory=EnvironmentFlags)
    tools: Tools = field(default_factory=Tools)
    seen: list[Any] = field(default_factory=list)
    reports: list[Any] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    twist: Any = None
    redis: Any = field(default_factory=lambda: FakeAsyncRedis(server=FakeServer()))

    aside: Any = field(default_factory=lambda: FakeAsyncRedis(server=FakeServer()))

    @property
    def elsewhere(self):
        """Where the stand-in for legacy keeps its executions: not where the engine looks."""
        return RunEnvironment(redis=self.aside, clock=SystemClock())

    @property
    def environment(self):
        return RunEnvironment(redis=self.redis, clock=SystemClock())

    def router(self, **options):
        def run(name, call):
            async def ran(*args, **more):
                self.ran.append(name)
                result = await call(*args, **more)
                return self.twist(result) if name == "legacy" and self.twist else result

            return ran

        async def legacy(plan, tools, *, environment, **more):
            return await execute_segment(plan, tools, environment=self.elsewhere, **more)

        async def legacy_resume(execution_id, tools, *, environment, **more):
            return await resume_from_checkpoint(
                execution_id, tools, environment=self.elsewhere, **more
            )

        return Router(
            SegmentExecutor(run("legacy", legacy), run("legacy", legacy_resume)),
            SegmentExecutor(
                run("unified", execute_segment), run("unified", resume_from_checkpoint)
            ),
            flags=self.flags,
            decided=self.seen.append,
            reported=self.reports.append,
            **options,
        )

    async def execute(self, execution_id=E1, **options):
        return await self.router(**options).execute_segment(
            PLAN, self.tools, execution_id=execution_id, environment=self.environment
        )


@dataclass
class Fixed:
    value: RouteFlags

    async def flags(self, execution_id, attributes):
        self.asked = (execution_id, attributes)
        return self.value


def test_each_flag_value_sends_it_where_it_says():
    async def main():
        for executor in ("legacy", "unified", "shadow"):
            lab = Lab(Fixed(RouteFlags(executor)))
            result = await lab.execute()
            assert isinstance(result, DurableExecutionResult) and result.success
            assert lab.ran == ["unified" if executor == "unified" else "legacy"]
            assert lab.tools.calls == ["a", "b"]  # shadowed or not, each tool is called once
            assert (lab.seen[0].executor, lab.seen[0].reason) == (executor, "flag")
            assert len(lab.reports) == (executor == "shadow")

    asyncio.run(main())


def test_what_has_begun_stays_whatever_the_flags_say_later():
    async def main():
        for executor, other in (
            ("legacy", "unified"),
            ("unified", "legacy"),
            ("shadow", "unified"),
        ):
            lab = Lab(Fixed(RouteFlags(executor)))
            await lab.execute()
            lab.flags = Fixed(RouteFlags(other))
            await lab.execute()
            await lab.router().resume_from_checkpoint(E1, lab.tools, environment=lab.environment)
            assert {one.executor for one in lab.seen} == {executor}
            assert [one.reason for one in lab.seen] == ["flag", "begun", "begun"]
            assert lab.tools.calls == ["a", "b"]

    asyncio.run(main())


def test_two_processes_with_different_flags_begin_in_one_place():
    async def main():
        for first, second in (("legacy", "unified"), ("unified", "legacy")):
            lab = Lab(Fixed(RouteFlags(first)))
            routers = [lab.router(), lab.router()]
            routers[1].flags = Fixed(RouteFlags(second))
            decided = await asyncio.gather(
                *(router.decide(E1, lab.environment, {}) for router in routers)
            )
            assert len(set(decided)) == 1

    asyncio.run(main())


def test_an_execution_that_is_in_a_legacy_record_only_is_legacy_s():
    async def main():
        lab = Lab(Fixed(RouteFlags("unified")))
        await lab.redis.set(f"shared:shared:task_state:{E1}", "{}")
        assert await lab.router().decide(E1, lab.environment, {}) == "legacy"
        assert await lab.router().whose("another", lab.environment) is None

    asyncio.run(main())


def test_adopted_and_handed_back_executions_change_sides():
    from tests.conformance.test_adoption import PLANS, legacy_life, on_stage

    async def main(stage):
        environment = RunEnvironment(redis=stage.world.store, clock=stage.world.clock)
        router = Lab(Fixed(RouteFlags("legacy"))).router()
        sides = []
        await stage.live(legacy_life)
        sides.append(await router.whose(stage.execution_id, environment))
        await adopt(
            stage.execution_id, store=RedisStore(stage.world.store, clock=stage.world.clock)
        )
        sides.append(await router.whose(stage.execution_id, environment))
        await hand_back(
            stage.execution_id, store=RedisStore(stage.world.store, clock=stage.world.clock)
        )
        sides.append(await router.whose(stage.execution_id, environment))
        assert sides == ["legacy", "unified", "legacy"]

    on_stage(PLANS["yields"], main)


def test_the_share_is_stable_grows_and_is_as_large_as_it_says():
    names = [f"execution-{at}" for at in range(4_000)]
    shares = {
        percent: {n for n in names if in_share(n, percent)} for percent in (0, 1, 10, 50, 100)
    }
    assert not shares[0] and shares[100] == set(names)
    assert shares[1] < shares[10] < shares[50]
    assert abs(len(shares[10]) - 400) < 80 and abs(len(shares[50]) - 2_000) < 160
    picked = choose("execution-1", RouteFlags("shadow", 100))
    assert (picked.executor, picked.reason) == ("unified", "percentage")
    assert choose("execution-1", RouteFlags("shadow", 0)).executor == "shadow"


class Broken(AbstractProvider):
    """A provider whose backend is away, slow, or nonsense."""

    def __init__(self, answer):
        self.answer = answer

    def get_metadata(self):
        return Metadata("broken")

    async def _answer(self):
        if self.answer == "hang":
            await asyncio.Event().wait()
        raise self.answer

    async def resolve_string_details_async(self, flag_key, default_value, evaluation_context=None):
        return await self._answer()

    async def resolve_float_details_async(self, flag_key, default_value, evaluation_context=None):
        return await self._answer()

    def resolve_boolean_details(self, *_args):
        raise NotImplementedError

    resolve_string_details = resolve_integer_details = resolve_float_details = (
        resolve_object_details
    ) = resolve_boolean_details


@pytest.fixture
def provider():
    yield api.set_provider_and_wait
    api.shutdown()


def memory(executor: Any, percent: Any) -> InMemoryProvider:
    return InMemoryProvider(
        {
            "planproof-executor": InMemoryFlag("v", {"v": executor}),
            "planproof-unified-percent": InMemoryFlag("v", {"v": percent}),
        }
    )


@pytest.mark.parametrize("percent", [100, 100.0])
def test_any_provider_s_flags_are_heeded(provider, percent):
    provider(memory("shadow", percent))
    flags = asyncio.run(default_flags().flags(E1, {"tools": ["a"]}))
    assert flags == RouteFlags("shadow", 100.0)


def test_a_provider_without_the_flags_or_no_provider_leaves_it_to_the_environment(provider):
    environment = EnvironmentFlags(
        {"PLANPROOF_EXECUTOR": "shadow", "PLANPROOF_UNIFIED_PERCENT": "12.5"}
    )
    source = OpenFeatureFlags(otherwise=environment)
    assert asyncio.run(source.flags(E1, {})) == RouteFlags("shadow", 12.5)
    provider(InMemoryProvider({}))
    assert asyncio.run(source.flags(E1, {})) == RouteFlags("shadow", 12.5)
    assert asyncio.run(EnvironmentFlags({}).flags(E1, {})) == RouteFlags("legacy", 0)


FAULTS = [
    Broken(RuntimeError("down")),
    Broken("hang"),
    memory("blue", 0),
    memory("legacy", 101.0),
    memory(7, 0.0),
]


@pytest.mark.parametrize("fault", FAULTS, ids=range(len(FAULTS)))
@pytest.mark.parametrize("default", ["legacy", "unified"])
def test_flags_that_fail_give_the_default_and_an_event(provider, monkeypatch, fault, default):
    monkeypatch.setattr("engine.router_flags.FLAG_TIMEOUT_S", 0.01)
    provider(fault)

    async def main():
        lab = Lab(OpenFeatureFlags(otherwise=EnvironmentFlags({})))
        result = await lab.execute(default=default)
        assert result.success and lab.ran == [default]
        assert (lab.seen[0].reason, lab.seen[0].executor) == ("default", default)
        assert lab.seen[0].error

    asyncio.run(main())


@pytest.mark.parametrize(
    "values", [("blue", 0), ("legacy", "many"), ("legacy", -1), ("legacy", "nan")]
)
def test_values_that_nobody_knows_are_refused(values):
    with pytest.raises(FlagError):
        checked_flags(*values)


def test_without_the_sdk_the_environment_decides(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "openfeature", None)
    assert isinstance(default_flags(), EnvironmentFlags)


def test_the_router_imports_no_sdk_by_itself():
    import subprocess
    import sys

    program = "import sys, engine.router; assert 'openfeature.api' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_store_that_is_away_is_no_guess():
    async def main():
        lab = Lab(Fixed(RouteFlags("unified")))
        lab.redis.connection_pool.connection_kwargs["server"].connected = False
        with pytest.raises(StoreUnavailableError):
            await lab.execute()
        assert lab.ran == []

    asyncio.run(main())


def shadow_of(twist=None, answers=None, sink=None):
    async def main():
        lab = Lab(Fixed(RouteFlags("shadow")), twist=twist)
        lab.tools.answers = answers or {}
        router = lab.router()
        if sink:
            router.reported = sink
        result = await router.execute_segment(
            PLAN, lab.tools, execution_id=E1, environment=lab.environment
        )
        return lab, result

    lab, result = asyncio.run(main())
    return lab.reports[0] if lab.reports else None, result, lab.tools.calls


def test_a_shadow_that_agrees_says_so():
    for answers in ({}, {"b": ToolAnswer(False, error="no")}, {"b": ValueError("no")}):
        report, _, calls = shadow_of(answers=answers)
        assert (report.verdict, report.differences, calls) == ("same", (), ["a", "b"])


def test_a_shadow_tells_what_it_would_have_undone():
    undo = ToolAnswer(True, True, 1, compensation={"toolName": "undo_a"})
    report, _, calls = shadow_of(answers={"a": undo, "b": ToolAnswer(False, error="no")})
    # The stand-in is the engine itself: it has undone the step, by a call of its own.
    assert calls == ["a", "b", "undo_a"]
    assert report.would_compensate == (PLAN["steps"][0]["id"],)


def test_a_shadow_that_differs_says_where():
    import dataclasses

    def other_output(result):
        steps = list(result.state.step_states)
        steps[1] = dataclasses.replace(steps[1], output="else")
        return result.model_copy(
            update={"state": dataclasses.replace(result.state, step_states=tuple(steps))}
        )

    report, result, _ = shadow_of(other_output)
    path = f"steps.{PLAN['steps'][1]['id']}.output"
    assert report.verdict == "different"
    assert [(d.path, d.legacy, d.unified) for d in report.differences] == [
        (path, "else", {"of": "b"})
    ]
    assert result.state.step_states[1].output == "else"  # legacy decides
    report, _, _ = shadow_of(lambda r: r.model_copy(update={"success": False}))
    assert [d.path for d in report.differences] == ["end"]


def test_a_shadow_without_the_beginning_is_unknown():
    async def main():
        lab = Lab(Fixed(RouteFlags("shadow")))
        await lab.execute()
        await lab.router().resume_from_checkpoint(E1, lab.tools, environment=lab.environment)
        assert [one.verdict for one in lab.reports] == ["same", "unknown"]

    asyncio.run(main())


def test_a_sink_or_listener_that_raises_harms_nobody():
    def sink(_report):
        raise RuntimeError("full")

    _, result, calls = shadow_of(sink=sink)
    assert result.success and calls == ["a", "b"]
    router = Lab(Fixed(RouteFlags("legacy"))).router()
    router.decided = sink
    lab = Lab()
    assert asyncio.run(router.decide(E1, lab.environment, {})) == "legacy"
