"""Without these an execution that the legacy executor abandons could be lost, or repeat its work.

The legacy executor is killed before and after every store command, its execution is adopted and
run to its end; then the adopting process is killed at every command as well, and a third goes on.
"""

import asyncio
import functools
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from chaos.virtual_time import VirtualClock, run_virtual
from conformance.fault_script import FaultScript
from conformance.observed_redis import _OFFSTAGE, StoreObserver
from conformance.process import Process, current_process, follow_tasks, refuse_the_dead
from conformance.scenario_builder import ScenarioBuilder, fails, step_id, succeeds
from conformance.stores import open_store, parse_store
from conformance.subject import ResumeRequest, StartRequest, Threw
from conformance.subjects.legacy import LegacySubject
from conformance.subjects.unified import _Tools
from conformance.trace import Observations
from conformance.world import World, build_world
from engine import (
    EffectSemantics,
    ModelErrorRecovery,
    SeededIdSource,
    StepStatus,
    ToolDefinition,
    ToolResult,
    WorkflowMachine,
)
from engine.adoption import adopt
from engine.errors import (
    AdoptionRefusedError,
    CheckpointCorruptError,
    EngineError,
    ExecutionNotFoundError,
    HandBackRefusedError,
    HandedBackError,
    LeaseHeldError,
    LegacyActiveError,
    PlanMismatchError,
    SafetyViolationError,
    UnknownVersionError,
)
from engine.hand_back import hand_back, starved_steps
from engine.legacy_records import begun_steps, keys_of
from engine.plan import parse_plan
from engine.redis_store import RedisStore
from engine.segment_api.records import ExecutionState as LegacyState


def chain(name="chain", **latencies):
    return (
        ScenarioBuilder(name)
        .chain("a", "b", "c", "d")
        .tool("a", succeeds({"v": 1}, latency_ms=latencies.get("a", 10)))
        .tool("b", succeeds({"v": 2}, latency_ms=latencies.get("b", 10)))
        .tool("c", succeeds({"v": 3}, latency_ms=latencies.get("c", 10)))
        .tool("d", succeeds({"v": 4}, latency_ms=latencies.get("d", 10)))
    )


def diamond():
    return (
        ScenarioBuilder("diamond")
        .step("top", tool="a")
        .step("left", tool="b", after=["top"])
        .step("right", tool="c", after=["top"])
        .step("third", tool="d", after=["top"])
        .step("end", tool="e", after=["left", "right", "third"])
        .tool("a", succeeds({"v": 1}))
        .tool("b", succeeds({"v": 2}, latency_ms=30))
        .tool("c", succeeds({"v": 3}, latency_ms=20))
        .tool("d", succeeds({"v": 4}, latency_ms=10))
        .tool("e", succeeds({"v": 5}))
    )


def recovered():
    """A server error that the model has an answer to: both executors call again."""
    return (
        ScenarioBuilder("recovered")
        .chain("a", "b", "c")
        .tool("b", fails("status 503"), succeeds({"v": 2}))
        .llm(json.dumps({"action": "retry_modified", "modifiedParams": {"x": 1}}))
    )


def failing():
    return (
        ScenarioBuilder("failing")
        .step("ride", tool="a")
        .step("room", tool="b")
        .step("table", tool="c", after=["ride", "room"])
        .step("seat", tool="d", after=["table"])
        .tool("a", succeeds({"v": 1}, undo="undo_a", undo_parameters={"id": 1}))
        .tool("b", succeeds({"v": 2}, undo="undo_b"))
        .tool("c", fails("no table is left"))
    )


PLANS = {
    "chain": chain,
    "diamond": diamond,
    "yields": lambda: chain("yields", a=3_000, b=3_000, c=3_000, d=3_000),
    "last yields": lambda: chain("last yields", d=7_500),
    "recovered": recovered,
    "failing": failing,
    "intent": lambda: chain("intent").intent(),
}


@dataclass(frozen=True)
class Kill:
    """Where a process dies: before or after its nth store command. 0: it lives."""

    at: int = 0
    after: bool = False


@dataclass
class Stage:
    """One world, in which processes come and die."""

    world: World
    kill: Kill = Kill()
    commands: int = 0
    lives: int = 0
    seeds: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def command(self, send, *args: Any, **options: Any) -> Any:
        if _OFFSTAGE.get() or current_process() is None:
            return await send(*args, **options)
        self.commands += 1
        number = self.commands
        if number == self.kill.at and not self.kill.after:
            self._die()
        reply = await send(*args, **options)
        if number == self.kill.at and self.kill.after:
            self._die()
        return reply

    def _die(self) -> None:
        process = current_process()
        assert process is not None
        process.kill()
        refuse_the_dead()

    async def live(self, life, kill: Kill | None = None) -> tuple[bool, Any]:
        """Run one process; whether it lived, and what it returned."""
        self.kill, self.commands = kill or Kill(), 0
        self.lives += 1
        process = Process()
        task = process.spawn(life(self))
        await asyncio.wait({task, process.death}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if process.is_dead:
                return False, None
            return True, task.result()
        finally:
            process.kill()
            await process.reap()

    @property
    def execution_id(self) -> str:
        return self.world.scenario.execution_id

    @property
    def plan(self) -> dict[str, Any]:
        return self.world.scenario.plan

    def store(self) -> RedisStore:
        ids = SeededIdSource(next(self.seeds))  # no two machines draw the same id
        return RedisStore(self.world.store, clock=self.world.clock, ids=ids)

    def machine(self, **options: Any) -> WorkflowMachine:
        world, tools = self.world, _Tools(self.world)
        options.setdefault("catalog", tools)
        return WorkflowMachine(
            self.execution_id,
            tools,
            store=self.store(),
            clock=world.clock,
            ids=SeededIdSource(next(self.seeds)),
            recovery=ModelErrorRecovery(lambda prompt: world.model.generate("planning", prompt)),
            **options,
        )

    async def legacy_records(self) -> tuple[str | None, ...]:
        with self.world.store.offstage():
            task, state, item, schedule, _ = keys_of(self.execution_id)
            texts = [await self.world.store.get(key) for key in (task, state, item)]
            return (*texts, str(await self.world.store.zscore(schedule, self.execution_id)))

    async def legacy_state(self) -> LegacyState | None:
        text = (await self.legacy_records())[1]
        return None if text is None else LegacyState.from_document(json.loads(text)["data"])

    async def durable(self):
        with self.world.store.offstage():
            try:
                return await self.store().load(self.execution_id)
            except ExecutionNotFoundError:
                return None


def on_stage(builder, main):
    """Run `main(stage)` in a fresh world of virtual time."""
    scenario, clock = builder().build(), VirtualClock()

    async def whole():
        follow_tasks(asyncio.get_running_loop())
        observer = StoreObserver(clock, Observations(), FaultScript([]))
        async with open_store(parse_store("fake"), observer) as client:
            stage = Stage(build_world(scenario, clock, client))
            send = client.execute_command
            client.execute_command = functools.partial(stage.command, send)
            return await main(stage)

    return run_virtual(whole, clock)


async def legacy_life(stage: Stage) -> Any:
    subject = LegacySubject(stage.world)
    scenario = stage.world.scenario
    request = StartRequest(stage.execution_id, scenario.plan, intent=scenario.intent)
    try:
        return await subject.start(request)
    except Threw as threw:
        return threw


async def unified_life(stage: Stage, *, resume_only: bool = False, **options: Any) -> Any:
    """Adopt as soon as that is allowed, then resume when due until the end."""
    clock = stage.world.clock
    while not resume_only:
        try:
            adopted = await adopt(
                stage.execution_id,
                store=stage.store(),
                plan=stage.plan,
                ids=SeededIdSource(200 + stage.lives),
                **options,
            )
        except LegacyActiveError as error:
            await clock.sleep_ms(error.retry_after_ms)
            continue
        if adopted.outcome == "ended":
            return adopted.result
        await clock.sleep_ms(max(0, (adopted.due_at_ms or 0) - clock.now_ms()))
        break
    while True:
        try:
            result = await stage.machine().execute()
        except LeaseHeldError as error:
            await clock.sleep_ms(error.retry_after_ms)
            continue
        if result.due_at_ms is None:
            return result
        await clock.sleep_ms(max(0, result.due_at_ms - clock.now_ms()))


async def fresh_life(stage: Stage) -> Any:
    machine = stage.machine()
    machine.set_plan(stage.plan)
    while (result := await machine.execute()).due_at_ms is not None:
        await stage.world.clock.sleep_ms(result.due_at_ms - stage.world.clock.now_ms())
    return result


def outcome(result) -> Any:
    """What must not depend on who did what, and how often."""
    steps = [
        (one.id, one.status, one.output, one.error and one.error.code, one.compensation_status)
        for one in result.steps
    ]
    return result.status, result.success, result.compensated_steps, steps


@functools.cache
def undisturbed(name: str) -> Any:
    """How the unified engine carries the plan out by itself."""

    async def main(stage):
        return outcome((await stage.live(fresh_life))[1])

    return on_stage(PLANS[name], main)


@functools.cache
def kill_points(name: str) -> tuple[Kill, ...]:
    """Every kill of the legacy executor, and none."""

    async def main(stage):
        await stage.live(legacy_life)
        return stage.commands

    commands = on_stage(PLANS[name], main)
    assert commands > 8
    return (Kill(), *(Kill(at, after) for at in range(1, commands + 1) for after in (False, True)))


@functools.cache
def distinct_kills(name: str) -> tuple[Kill, ...]:
    """One kill for each thing that the store may be left with."""
    found = {}
    for kill in kill_points(name):

        async def main(stage, kill=kill):
            await stage.live(legacy_life, kill)
            return await stage.legacy_records(), len(stage.world.seen.calls)

        found.setdefault(on_stage(PLANS[name], main), kill)
    return tuple(found.values())


def calls_of(stage: Stage, since: int) -> list[str]:
    return [call["tool"] for call in stage.world.seen.calls[since:]]


def tools_of(stage: Stage, ids) -> set[str]:
    return {step["tool_name"] for step in stage.plan["steps"] if step["id"] in ids}


async def checked_adoption(stage: Stage, name: str, kill: Kill, expected: Any) -> str:
    """Adopt what a killed legacy executor left, check what came of it, and say where it died."""
    left = await stage.legacy_state()
    before = len(stage.world.seen.calls)
    if left is None and (await stage.legacy_records())[0] is None:
        with pytest.raises(ExecutionNotFoundError):
            await adopt(stage.execution_id, store=stage.store())
        return "nothing there"
    _, result = await stage.live(unified_life)
    assert outcome(result) == expected, kill
    after = calls_of(stage, before)
    steps = () if left is None else left.step_states
    done = {step.step_id for step in steps if step.status == "completed"}
    assert not tools_of(stage, done) & set(after), kill
    assert len(after) == len(set(after)) or name == "recovered", kill
    if left is not None and left.status == "COMPLETED":
        assert after == []
        return "ended"
    is_begun = left is not None and begun_steps(left, parse_plan(stage.plan))
    return "begun" if is_begun else "between"


@pytest.mark.parametrize("name", PLANS)
def test_wherever_legacy_dies_the_adopted_run_ends_as_if_undisturbed(name):
    kinds, expected = set(), undisturbed(name)
    for kill in kill_points(name):

        async def main(stage, kill=kill):
            await stage.live(legacy_life, kill)
            return await checked_adoption(stage, name, kill, expected)

        kinds.add(on_stage(PLANS[name], main))
    assert kinds >= {"nothing there", "between", "begun"}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANS)
def test_wherever_the_adopter_dies_too_a_third_process_ends_the_run(name):
    deaths, expected = 0, undisturbed(name)
    for kill in distinct_kills(name):
        for after in (False, True):
            at, died = 0, True
            while died:
                at += 1
                second = Kill(at, after)

                async def main(stage, kill=kill, second=second):
                    await stage.live(legacy_life, kill)
                    if (await stage.legacy_records())[0] is None:
                        return False
                    lived, _ = await stage.live(unified_life, second)
                    legacy, durable = await stage.legacy_state(), await stage.durable()
                    before = len(stage.world.seen.calls)
                    _, result = await stage.live(unified_life)
                    assert outcome(result) == expected, (kill, second)
                    done = (
                        {one.step_id for one in legacy.step_states if one.status == "completed"}
                        if legacy
                        else set()
                    )
                    if durable is not None:
                        done |= {one.id for one in durable.steps if one.status == "completed"}
                    assert not tools_of(stage, done) & set(calls_of(stage, before)), (kill, second)
                    return not lived

                died = on_stage(PLANS[name], main)
                deaths += died
    assert deaths > 50


@pytest.mark.parametrize("name", ["chain", "diamond", "yields", "failing"])
def test_a_legacy_call_gets_nowhere_after_the_adoption(name):
    for kill in distinct_kills(name):

        async def main(stage, kill=kill):
            await stage.live(legacy_life, kill)
            if (await stage.legacy_records())[0] is None:
                return
            left = await stage.legacy_state()
            if left is not None and left.status == "COMPLETED":
                return
            await stage.world.clock.sleep_ms(60_000)
            adopted = await adopt(stage.execution_id, store=stage.store(), plan=stage.plan)
            assert adopted.outcome == "adopted"
            before, records = len(stage.world.seen.calls), await stage.legacy_records()
            _, threw = await stage.live(legacy_life)
            assert isinstance(threw, Threw), kill
            assert "terminal state 'CANCELLED'" in threw.message
            for assist in (None, "CANCELLED"):
                with pytest.raises(Threw):
                    await LegacySubject(stage.world).resume(
                        ResumeRequest(stage.execution_id, assist)
                    )
            assert calls_of(stage, before) == []
            assert records[2:] == (None, "None")

        on_stage(PLANS[name], main)


def test_two_adopters_at_once_and_one_again_make_one_execution():
    async def main(stage):
        await stage.live(legacy_life, Kill(8))
        await stage.world.clock.sleep_ms(60_000)
        both = await asyncio.gather(
            *(adopt(stage.execution_id, store=stage.store(), plan=stage.plan) for _ in range(2))
        )
        before = await stage.durable()
        third = await adopt(stage.execution_id, store=stage.store())
        assert sorted(one.outcome for one in (*both, third)) == ["adopted", "known", "known"]
        assert await stage.durable() == before
        names = [str(event.name) for event in await stage.store().events(stage.execution_id)]
        assert names == ["WORKFLOW_ADOPTED"]

    on_stage(PLANS["chain"], main)


def test_what_a_yield_left_is_taken_over():
    async def main(stage):
        result = (await stage.live(legacy_life))[1]
        assert result.is_partial
        now_ms = stage.world.clock.now_ms()
        adopted = await adopt(stage.execution_id, store=stage.store(), trace_id="given")
        assert (adopted.outcome, adopted.due_at_ms, adopted.begun) == (
            "adopted",
            now_ms + 2_000,
            (),
        )
        state = await stage.durable()
        assert [s.status for s in state.steps] == ["completed"] * 3 + ["pending"]
        assert [s.attempts for s in state.steps] == [1, 1, 1, 0]
        assert [s.output for s in state.steps] == [{"v": 1}, {"v": 2}, {"v": 3}, None]
        assert (state.segment_number, state.due_at_ms) == (1, adopted.due_at_ms)
        assert state.created_at_ms == now_ms - 9_000
        assert state.plan.id == stage.plan["id"]
        assert state.trace_id == "given"  # legacy was given none
        assert await stage.store().due(adopted.due_at_ms, 10) == [stage.execution_id]

    on_stage(PLANS["yields"], main)


def test_the_intent_and_the_trace_id_come_along():
    def builder():
        return PLANS["yields"]().intent()

    async def main(stage):
        stage.world.scenario.__dict__["trace_id"] = "trace-7"
        await stage.live(legacy_life)
        await adopt(stage.execution_id, store=stage.store())
        state = await stage.durable()
        assert state.trace_id == "trace-7"
        assert state.intent["id"] == stage.world.scenario.intent["id"]

    on_stage(builder, main)


EFFECTS = {
    EffectSemantics.READ_ONLY: 2,
    EffectSemantics.KEYED: 2,
    EffectSemantics.UNKEYED: 2,
    EffectSemantics.AT_MOST_ONCE: 1,
    EffectSemantics.QUERYABLE: 1,
}


class Declared:
    def __init__(self, effects, found):
        self.effects, self.found = effects, found

    def definition(self, tool_name):
        async def lookup(_key):
            return self.found

        return ToolDefinition(
            tool_name,
            effects=self.effects,
            lookup=lookup if self.effects is EffectSemantics.QUERYABLE else None,
        )


@pytest.mark.parametrize("effects", EffectSemantics)
def test_a_call_that_was_under_way_goes_through_what_its_tool_declares(effects):
    kill = second_under_way()

    async def main(stage):
        await stage.live(legacy_life, kill)
        await stage.world.clock.sleep_ms(60_000)
        catalog = Declared(effects, ToolResult.ok({"v": 2}))
        adopted = await adopt(stage.execution_id, store=stage.store(), catalog=catalog)
        assert adopted.begun == (step_id("b"),)
        result = await stage.machine(catalog=catalog).execute()
        tools = calls_of(stage, 0)
        assert tools.count("b") == EFFECTS[effects]
        if effects is EffectSemantics.AT_MOST_ONCE:
            assert result.steps[1].status is StepStatus.IN_DOUBT and result.waiting_for is not None
        else:
            assert result.success

    on_stage(PLANS["chain"], main)


@functools.cache
def second_under_way() -> Kill:
    for kill in kill_points("chain"):

        async def main(stage, kill=kill):
            await stage.live(legacy_life, kill)
            state = await stage.legacy_state()
            marks = "" if state is None else "".join(s.status[0] for s in state.step_states)
            return (marks, calls_of(stage, 0)) == ("cipp", ["a", "b"])

        if on_stage(PLANS["chain"], main):
            return kill
    raise AssertionError("no kill leaves the second step under way")


def broken(change):
    """Return a life in which the legacy records are edited after the process died."""

    async def edit(stage):
        await stage.live(legacy_life, second_kill)
        await stage.world.clock.sleep_ms(60_000)
        keys = keys_of(stage.execution_id)
        with stage.world.store.offstage():
            for key in keys[:2]:
                text = await stage.world.store.get(key)
                document = None if text is None else json.loads(text)
                changed = change(key, document)
                if isinstance(changed, str):
                    await stage.world.store.set(key, changed)
                elif changed is None:
                    await stage.world.store.delete(key)
                else:
                    await stage.world.store.set(key, json.dumps(changed))

    second_kill = second_under_way()
    return edit


def of_state(**fields):
    def change(key, document):
        return (
            {**document, "data": {**document["data"], **fields}}
            if "state:" in key and "data" in document
            else document
        )

    return change


def first_step(**fields):
    def change(key, document):
        if "data" in document:
            document["data"]["step_states"][0] |= fields
        return document

    return change


REFUSED = {
    "no JSON": (lambda key, document: "{", CheckpointCorruptError),
    "another shape": (lambda key, document: "[1]", CheckpointCorruptError),
    "no times": (of_state(updated_at="soon"), CheckpointCorruptError),
    "another id": (of_state(execution_id="else"), CheckpointCorruptError),
    "an output that is no step": (first_step(attempts="many"), CheckpointCorruptError),
    "version 2": (
        lambda key, document: document | {"version": 2} if "data" in document else document,
        AdoptionRefusedError,
    ),
    "not planned": (of_state(status="PARSING"), AdoptionRefusedError),
    "an unknown step status": (first_step(status="skipped"), AdoptionRefusedError),
    "a step of another plan": (first_step(step_id=step_id("z")), AdoptionRefusedError),
    "a step before its dependency": (first_step(status="pending"), AdoptionRefusedError),
    "no plan": (
        lambda key, document: None if "data" in document else document,
        AdoptionRefusedError,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_taken_over_is_refused_and_left_as_it_is(what):
    change, error = REFUSED[what]
    edit = broken(change)

    async def main(stage):
        await edit(stage)
        before = await stage.legacy_records()
        with pytest.raises(error):
            await adopt(stage.execution_id, store=stage.store())
        assert (await stage.legacy_records(), await stage.durable()) == (before, None)

    on_stage(PLANS["chain"], main)


def test_other_plans_forbidden_ones_and_live_workers_are_refused():
    kill = second_under_way()

    async def main(stage):
        await stage.live(legacy_life, kill)
        with pytest.raises(LegacyActiveError) as caught:
            await adopt(stage.execution_id, store=stage.store())
        assert 0 < caught.value.retry_after_ms <= 20_000
        await stage.world.clock.sleep_ms(caught.value.retry_after_ms)
        other = {**stage.plan, "steps": stage.plan["steps"][:1]}
        with pytest.raises(PlanMismatchError):
            await adopt(stage.execution_id, store=stage.store(), plan=other)
        from engine import ForbiddenSequence, SafetyPolicy

        policy = SafetyPolicy(sequences=(ForbiddenSequence("a", "b", "because"),))
        with pytest.raises(SafetyViolationError):
            await adopt(stage.execution_id, store=stage.store(), safety=policy)
        assert await stage.durable() is None

    on_stage(PLANS["chain"], main)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_an_execution_goes_back_between_its_steps_and_legacy_ends_it(steps):
    async def main(stage):
        machine = stage.machine()
        machine.set_plan(stage.plan)
        for _ in range(steps):
            await machine.execute_single_step()
        if not steps:
            await stage.live(legacy_life, Kill(6))
            await stage.world.clock.sleep_ms(60_000)
            await adopt(stage.execution_id, store=stage.store(), plan=stage.plan)
        back = await hand_back(stage.execution_id, store=stage.store())
        again = await hand_back(stage.execution_id, store=stage.store())
        assert (back.is_new, again.is_new) == (True, False)
        for call in (stage.machine().execute, machine.get_state, machine.execute):
            with pytest.raises(HandedBackError):
                await call()
        with stage.world.store.offstage():
            schedule = keys_of(stage.execution_id)[3]
            due = await stage.world.store.zscore(schedule, stage.execution_id)
        assert due == back.due_at_ms
        before = len(stage.world.seen.calls)
        result = await LegacySubject(stage.world).resume(ResumeRequest(stage.execution_id))
        assert result.success and result.completed_steps == 4
        assert calls_of(stage, before) == ["a", "b", "c", "d"][steps:]
        adopted = await adopt(stage.execution_id, store=stage.store())
        assert adopted.outcome == "ended" and adopted.result.success
        assert [step.output for step in adopted.result.steps] == [{"v": n} for n in (1, 2, 3, 4)]

    on_stage(PLANS["chain"], main)


def test_to_and_fro_keeps_the_fencing_token_growing():
    async def main(stage):
        machine = stage.machine()
        machine.set_plan(stage.plan)
        await machine.execute_single_step()
        stale = await stage.store().claim(stage.execution_id, "sleeper", 1)
        await stage.world.clock.sleep_ms(10)
        await hand_back(stage.execution_id, store=stage.store())
        subject = LegacySubject(stage.world)

        async def resume(_stage):
            return await subject.resume(ResumeRequest(stage.execution_id))

        await stage.live(resume, Kill(9))
        await stage.world.clock.sleep_ms(60_000)
        assert (await adopt(stage.execution_id, store=stage.store())).outcome == "adopted"
        with pytest.raises(EngineError, match="taken over"):
            await stage.store().renew(stale.lease, 1_000)
        claimed = await stage.store().claim(stage.execution_id, "next", 1)
        assert claimed.lease.token > stale.lease.token + 1
        assert claimed.state.steps[0].status is StepStatus.COMPLETED
        await stage.world.clock.sleep_ms(10)
        result = await stage.machine().execute()
        assert result.success and calls_of(stage, 0).count("a") == 1
        names = [str(event.name) for event in await stage.store().events(stage.execution_id)]
        assert names.index("WORKFLOW_HANDED_BACK") < names.index("WORKFLOW_ADOPTED")

    on_stage(PLANS["chain"], main)


@pytest.mark.parametrize("after", [False, True])
def test_a_hand_back_that_dies_is_done_or_not_done(after):
    async def hand(stage):
        return await hand_back(stage.execution_id, store=stage.store())

    async def main(stage, at):
        machine = stage.machine()
        machine.set_plan(stage.plan)
        await machine.execute_single_step()
        lived, _ = await stage.live(hand, Kill(at, after))
        back = await hand_back(stage.execution_id, store=stage.store())
        result = await LegacySubject(stage.world).resume(ResumeRequest(stage.execution_id))
        assert result.success and calls_of(stage, 0) == ["a", "b", "c", "d"]
        return lived, back.is_new

    seen = []
    while not seen or not seen[-1][0]:
        at = len(seen) + 1
        seen.append(on_stage(PLANS["chain"], lambda stage, at=at: main(stage, at)))
    assert len(seen) == 3 and {is_new for _, is_new in seen} == {True, False}


def test_what_legacy_could_not_go_on_from_is_not_handed_back():
    async def refused(stage, match):
        with pytest.raises(HandBackRefusedError, match=match):
            await hand_back(stage.execution_id, store=stage.store())

    async def leased(stage):
        machine = stage.machine()
        machine.set_plan(stage.plan)
        claimed = await stage.live(lambda _: machine.execute(), Kill(3))
        assert not claimed[0]
        with pytest.raises(LeaseHeldError):
            await hand_back(stage.execution_id, store=stage.store())
        await stage.world.clock.sleep_ms(40_000)
        await refused(stage, "in_progress")

    async def ended(stage):
        await stage.live(fresh_life)
        await refused(stage, "COMPLETED")

    async def nothing(stage):
        with pytest.raises(ExecutionNotFoundError):
            await hand_back(stage.execution_id, store=stage.store())

    async def starved(stage):
        machine = stage.machine()
        machine.set_plan(stage.plan)
        await machine.execute_single_step()
        await refused(stage, "deadlock")

    async def asks(stage):
        machine = stage.machine()
        steps = [dict(step, requires_confirmation=at == 3) for at, step in
                 enumerate(stage.plan["steps"])]  # fmt: skip
        machine.set_plan({**stage.plan, "steps": steps})
        await machine.execute_single_step()
        await refused(stage, "approval")

    for main in (leased, ended, nothing, asks):
        on_stage(PLANS["chain"], main)
    deadlocked = ScenarioBuilder("deadlock").step("a").step("b", after=["a"])
    on_stage(lambda: deadlocked.step("c", after=["b"]).step("d"), starved)


def test_the_deadlock_that_legacy_sees_is_the_one_that_is_foreseen():
    """The prediction against the executor itself, over the shapes of four steps."""
    import itertools

    checked = set()
    edges = [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]
    for chosen in itertools.product((False, True), repeat=len(edges)):
        builder = ScenarioBuilder("shape")
        wanted = [edge for edge, is_there in zip(edges, chosen, strict=True) if is_there]
        for node in range(4):
            builder.step(f"s{node}", after=[f"s{low}" for high, low in wanted if high == node])

        async def main(stage):
            result = (await stage.live(legacy_life))[1]
            return parse_plan(stage.plan), result.success

        plan, success = on_stage(lambda builder=builder: builder, main)
        assert (starved_steps(plan, set()) == []) is success, wanted
        checked.add(success)
    assert checked == {True, False}


def test_a_newer_engine_s_execution_is_left_alone():
    async def main(stage):
        machine = stage.machine()
        machine.set_plan(stage.plan)
        await machine.execute_single_step()
        with stage.world.store.offstage():
            await stage.world.store.hset(stage.store()._keys(stage.execution_id)[0], "schema", "9")
        for call in (adopt, hand_back):
            with pytest.raises(UnknownVersionError):
                await call(stage.execution_id, store=stage.store())

    on_stage(PLANS["chain"], main)


def test_a_legacy_worker_that_still_lives_cannot_harm_the_engine_s_record():
    """It may repeat its calls and write over the marker, as the README says; no more."""

    async def main(stage):
        async def both(stage):
            legacy = asyncio.ensure_future(legacy_life(stage))
            await stage.world.clock.sleep_ms(3_500)  # in its second call
            with pytest.raises(LegacyActiveError):
                await adopt(stage.execution_id, store=stage.store())
            adopted = await adopt(stage.execution_id, store=stage.store(), quiet_ms=0)
            assert adopted.begun == (step_id("b"),)
            result = await unified_life(stage)
            await legacy
            return result

        _, result = await stage.live(both)
        assert outcome(result) == expected
        again = await adopt(stage.execution_id, store=stage.store())
        assert again.outcome == "known"
        assert calls_of(stage, 0).count("a") == 1
        state = await stage.durable()
        assert state.status == "COMPLETED" and state.steps == result.steps

    expected = undisturbed("yields")
    on_stage(PLANS["yields"], main)


@pytest.mark.redis
def test_a_real_server_runs_the_scripts_alike(redis_url):
    from redis.asyncio import Redis

    from engine import RunEnvironment, SystemClock
    from engine.router import Router, SegmentExecutor

    scenario = chain("real").build()
    plan = scenario.plan

    class Tools:
        calls: list[str] = []  # noqa: RUF012 - of one test

        async def execute(self, call):
            self.calls.append(call.tool_name)
            return ToolResult.ok({"v": 1})

    async def main():
        client = Redis.from_url(redis_url)
        store = RedisStore(client)
        router = Router(SegmentExecutor(None, None), default="legacy")
        outside = RunEnvironment(redis=client, clock=SystemClock())
        sides = [await router.whose(scenario.execution_id, outside)]
        machine = WorkflowMachine(scenario.execution_id, Tools(), store=store)
        machine.set_plan(plan)
        await machine.execute_single_step()
        sides.append(await router.whose(scenario.execution_id, outside))
        assert (await hand_back(scenario.execution_id, store=store)).is_new
        sides.append(await router.whose(scenario.execution_id, outside))
        assert await client.zscore(keys_of(scenario.execution_id)[3], scenario.execution_id)
        assert (await adopt(scenario.execution_id, store=store)).outcome == "adopted"
        sides.append(await router.whose(scenario.execution_id, outside))
        # A legacy worker has written its state since, and this engine's record is gone.
        task, state_key = keys_of(scenario.execution_id)[:2]
        await client.delete(task, *store._keys(scenario.execution_id)[:3])
        state = json.loads(await client.get(state_key))
        state["data"] |= {"status": "EXECUTING", "context": {}}
        await client.set(state_key, json.dumps(state))
        with pytest.raises(LegacyActiveError):
            await adopt(scenario.execution_id, store=store)
        assert (await adopt(scenario.execution_id, store=store, quiet_ms=0)).outcome == "adopted"
        result = await machine.execute()
        assert result.success and Tools.calls == ["a", "b", "c", "d"]
        assert sides == [None, "unified", "legacy", "unified"]
        await client.flushdb()
        await client.aclose()

    asyncio.run(main())
