"""Without these a call that was written for segments could run something else than it says."""

import asyncio
import functools
import logging
from dataclasses import dataclass, field, replace

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

import engine.segment_api as api
import legacy.durable_execution as old
from chaos.virtual_time import VirtualClock, run_virtual
from engine import adapt_tools, execute_workflow, workflow_options
from engine.errors import (
    LeaseHeldError,
    PlanMismatchError,
    SafetyViolationError,
    StateConflictError,
)
from engine.segment_api import AbortController, AbortSignal, CheckpointManager, TraceEntry
from tests.engine.lab import plan_of, step

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
SHARED = ("success", "is_partial", "completed_steps", "failed_steps", "total_steps")
SHARED += ("error_code", "error_message")


def uuid(number):
    return f"00000000-0000-4000-8000-{number:012d}"


def full_plan(count, *, tool="work", **more):
    """Return a chain that both executors accept."""
    return {
        "id": uuid(900),
        "intent_id": uuid(901),
        "steps": [
            {
                "id": uuid(at),
                "step_number": at,
                "tool_name": tool,
                "parameters": {"at": at, **({"before": f"${uuid(at - 1)}.at"} if at else {})},
                "dependencies": [uuid(at - 1)] if at else [],
                "description": f"step {at}",
                **more,
            }
            for at in range(count)
        ],
        "constraints": {
            "max_steps": 100,
            "max_total_tokens": 1000,
            "max_execution_time_ms": 600_000,
        },
        "metadata": {
            "version": "1",
            "created_at": "2026-01-01T00:00:00Z",
            "planning_model_id": "m",
            "estimated_total_tokens": 1,
            "estimated_latency_ms": 1,
        },
        "summary": "a chain",
    }


@dataclass
class Channel:
    published: list = field(default_factory=list)
    broken: bool = False

    async def sign(self, event):
        if self.broken:
            raise ConnectionError("no channel")
        return "token"

    async def publish(self, event, data, token):
        self.published.append((event, data))


class Accepting:
    async def validate(self, tool_name, parameters):
        return []

    def parameter_aliases(self, tool_name):
        return {}

    async def generate(self, model_type, prompt):
        raise ConnectionError("no model")


@dataclass
class Tools:
    """Answers as the script of a tool says; `module` makes the answers."""

    clock: VirtualClock
    module: object = api
    latency_ms: int = 10
    failing: frozenset = frozenset()
    calls: list = field(default_factory=list)

    async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
        self.calls.append((tool_name, parameters, self.clock.elapsed_ms))
        await self.clock.sleep_ms(self.latency_ms)
        if tool_name in self.failing:
            return self.module.ToolExecutionResult(success=False, error="out of stock")
        return self.module.ToolExecutionResult(success=True, has_output=True, output=parameters)


@dataclass
class Place:
    """One timeline and one store, for either executor."""

    module: object = api
    clock: VirtualClock = field(default_factory=VirtualClock)
    channel: Channel = field(default_factory=Channel)
    server: FakeServer = field(default_factory=FakeServer)

    def __post_init__(self):
        self.tools = Tools(self.clock, self.module)

    def run(self, main):
        async def whole():
            self.redis = FakeAsyncRedis(server=self.server)
            self.environment = self.module.ExecutionEnvironment(
                redis=self.redis,
                clock=self.clock,
                realtime=self.module.RealtimeService(self.channel),
                model=Accepting(),
                validator=Accepting(),
                definitions=Accepting(),
            )
            try:
                return await main()
            finally:
                await self.redis.aclose()

        return run_virtual(whole, self.clock)

    async def execute(self, plan, tools=None, **options):
        options.setdefault("execution_id", ID)
        return await self.module.execute_segment(
            plan, tools or self.tools, environment=self.environment, **options
        )

    async def resume(self, tools=None, **options):
        return await self.module.resume_from_checkpoint(
            ID, tools or self.tools, environment=self.environment, **options
        )

    async def finish(self, result):
        segments = [result]
        while segments[-1].is_partial:
            await self.clock.sleep_ms(api.RESUME_DELAY_MS)
            segments.append(await self.resume())
        return segments


@pytest.fixture
def place():
    return Place()


@pytest.mark.parametrize("failing", [frozenset(), frozenset({"work"})])
def test_a_segment_gives_what_it_always_gave(failing) -> None:
    seen = {}
    for module in (old, api):
        place = Place(module)
        place.tools.failing = failing
        entries = []
        result = place.run(
            functools.partial(place.execute, full_plan(3), trace=entries.append, trace_id="t")
        )
        seen[module] = (
            {name: getattr(result, name) for name in SHARED},
            [
                (each.step_id, each.status, each.output, each.error, each.attempts)
                for each in result.state.step_states
            ],
            place.tools.calls,
            [(each.timestamp, each.event, each.latency_ms, each.error) for each in entries],
            place.channel.published,
            result.next_step_index,
        )
    assert seen[old] == seen[api]
    assert seen[api][0]["success"] is not bool(failing)
    assert seen[api][3] and seen[api][4]


def test_a_plan_that_yields_is_resumed_until_it_is_done(place) -> None:
    place.tools.latency_ms = 2_500

    async def main():
        return await place.finish(await place.execute(full_plan(7), trace_id="t-1"))

    first, second, third = place.run(main)
    assert [each.segment_number for each in (first, second, third)] == [1, 2, None]
    assert (first.next_step_index, first.error_code) == (3, None)
    assert first.state.status == "EXECUTING" and first.state.count("completed") == 3
    assert third.success and third.next_step_index is None and third.state.completed_at
    assert [parameters["at"] for _, parameters, _ in place.tools.calls] == list(range(7))
    asked = [data for event, data in place.channel.published if event == "CONTINUE_EXECUTION"]
    assert [(data["nextStepIndex"], data["segmentNumber"]) for data in asked] == [(3, 2), (6, 3)]
    assert {data["traceId"] for data in asked} == {"t-1"}
    assert {data["executionId"] for data in asked} == {ID}


def test_the_caller_may_go_on_by_itself_with_what_it_was_given(place) -> None:
    place.tools.latency_ms = 2_500
    plan = full_plan(5)

    async def main():
        first = await place.execute(plan)
        return await place.execute(
            plan,
            initial_state=first.state,
            start_step_index=first.next_step_index,
            segment_number=first.segment_number + 1,
        )

    result = place.run(main)
    assert result.success and result.segment_number is None and len(place.tools.calls) == 5


def test_what_has_ended_answers_again_and_calls_nothing(place) -> None:
    async def main():
        first = await place.execute(full_plan(2))
        return first, await place.execute(full_plan(2)), await place.resume()

    first, again, resumed = place.run(main)
    assert first.steps == again.steps == resumed.steps and len(place.tools.calls) == 2
    assert resumed.success and resumed.state.step(uuid(1)).output == {"at": 1, "before": 0}


def test_nothing_to_resume_is_said(place) -> None:
    with pytest.raises(api.CheckpointMissingError, match=f"No checkpoint found for execution {ID}"):
        place.run(place.resume)


def test_a_direct_call_and_a_segment_work_on_the_same_execution(place) -> None:
    place.tools.latency_ms = 2_500

    async def main():
        plan, env = full_plan(4), place.environment
        await execute_workflow(
            plan,
            adapt_tools(place.tools, env),
            execution_id=ID,
            resume=False,
            **workflow_options(env),
        )
        return await place.resume()

    result = place.run(main)
    assert result.success and len(place.tools.calls) == 4


def test_the_plan_is_judged_before_anything_runs(place) -> None:
    async def main():
        with pytest.raises(api.MalformedPlanError, match="list of steps"):
            await place.execute({"id": "p"})
        with pytest.raises(api.SchemaViolation) as broken:
            await place.execute({"id": "p", "steps": [step("a", "nowhere")]})
        with pytest.raises(SafetyViolationError):
            await place.execute(plan_of(step("a"), step("export_data", "a")).model_dump())
        await place.execute(full_plan(2))
        with pytest.raises(PlanMismatchError):
            await place.execute(full_plan(3))
        return broken.value

    assert place.run(main).path == "plan.steps[0].dependencies[0]"
    assert len(place.tools.calls) == 2


def test_a_dead_process_keeps_its_lease_and_then_another_goes_on(place) -> None:
    async def main():
        first = asyncio.ensure_future(place.execute(full_plan(2)))
        await place.clock.sleep_ms(5)
        first.cancel()
        await asyncio.wait({first})
        with pytest.raises(LeaseHeldError) as held:
            await place.resume()
        await place.clock.sleep_ms(held.value.retry_after_ms)
        return await place.resume()

    result = place.run(main)
    assert result.success
    assert [parameters["at"] for _, parameters, _ in place.tools.calls] == [0, 0, 1]


# --- States that are handed in


def partly_done(plan, **changes):
    state = api.planned_state(ID, plan, 1_000, {"id": OTHER, "type": "ACTION"})
    done = api.StepState(
        uuid(0),
        "completed",
        1,
        has_output=True,
        output={"at": 40},
        completed_at="2026-01-01T00:00:01.500Z",
        latency_ms=7,
    )
    undo = {"toolName": "undo", "parameters": {"at": 40}}
    return replace(
        state,
        status="EXECUTING",
        step_states=(done, api.StepState(uuid(1))),
        context={"tenant": "t-9", f"compensation:{uuid(0)}": undo},
        token_usage={"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3},
        **changes,
    )


def test_a_state_that_the_store_does_not_know_is_taken_over(place) -> None:
    plan = full_plan(3)
    state = partly_done(plan)

    async def main():
        result = await place.execute(
            plan, initial_state=state, start_step_index=1, segment_number=4, trace_id="t"
        )
        return result, await CheckpointManager(place.environment).load(ID)

    result, checkpoint = place.run(main)
    assert result.success and result.segment_number is None
    assert [parameters for _, parameters, _ in place.tools.calls] == [
        {"at": 1, "before": 40},
        {"at": 2, "before": 1},
    ]
    for seen in (result.state, checkpoint.state):
        assert dict(seen.context) == dict(state.context)
        assert (seen.intent, seen.token_usage) == (state.intent, state.token_usage)
        assert seen.step_states[0] == state.step_states[0] and seen.created_at == state.created_at


def test_compensations_of_a_state_are_run_when_a_later_step_fails(place) -> None:
    plan = full_plan(2)
    plan["steps"][1]["tool_name"] = "seat"
    place.tools.failing = frozenset({"seat"})
    result = place.run(functools.partial(place.execute, plan, initial_state=partly_done(plan)))
    assert (result.success, result.error_code) == (False, "STEP_FAILED")
    assert result.compensated_steps == (uuid(0),)
    assert [name for name, _, _ in place.tools.calls] == ["seat", "undo"]


def test_the_old_executors_checkpoint_is_taken_over(place) -> None:
    before = Place(old)
    before.tools.latency_ms = 2_500
    plan = full_plan(5)
    left = before.run(functools.partial(before.execute, plan))
    assert left.is_partial and left.state.count("completed") == 3
    state = api.ExecutionState.from_document(left.state.document())
    result = place.run(
        functools.partial(
            place.execute, plan, initial_state=state, start_step_index=left.next_step_index
        )
    )
    assert result.success and result.completed_steps == 5
    assert [parameters["at"] for _, parameters, _ in place.tools.calls] == [3, 4]


def test_a_take_over_that_died_half_way_is_finished_by_the_same_call(place) -> None:
    plan = full_plan(2)

    async def main():
        env = place.environment
        machine = workflow_options(env)["store"]
        from engine.plan import parse_plan
        from engine.store import Beginning

        claimed = await machine.begin(ID, "dead", 100, Beginning(plan=parse_plan(plan)))
        await place.clock.sleep_ms(100)
        assert claimed.created
        state = replace(partly_done(plan), intent=None)
        return await place.execute(plan, initial_state=state)

    result = place.run(main)
    assert result.success and [p["at"] for _, p, _ in place.tools.calls] == [1]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"status": "COMPLETED"}, api.StateTransitionError),
        ({"status": "CANCELLED"}, api.StateTransitionError),
        ({"status": "RECEIVED"}, api.StateTransitionError),
        ({"status": "LOST"}, api.StateTransitionError),
        ({"execution_id": OTHER}, StateConflictError),
        ({"plan": full_plan(3)}, PlanMismatchError),
        ({"step_states": (api.StepState(uuid(77)),)}, PlanMismatchError),
        ({"step_states": (api.StepState(uuid(0), "skipped"),)}, api.SchemaViolation),
        ({"created_at": "yesterday"}, api.SchemaViolation),
        ({"context": {"x": object()}}, api.SchemaViolation),
    ],
)
def test_a_state_that_cannot_be_taken_over_is_refused(place, change, error) -> None:
    plan = full_plan(2)
    state = replace(partly_done(plan), **change)

    async def main():
        with pytest.raises(error):
            await place.execute(plan, initial_state=state)
        return await CheckpointManager(place.environment).load(ID)

    assert place.run(main) is None and place.tools.calls == []


def test_a_state_that_knows_more_than_the_store_is_refused(place) -> None:
    place.tools.latency_ms = 7_000
    plan = full_plan(3)

    async def main():
        first = await place.execute(plan)
        ahead = first.state.with_steps({uuid(1): api.StepState(uuid(1), "completed", 1)})
        with pytest.raises(StateConflictError, match=uuid(1)):
            await place.execute(plan, initial_state=ahead)
        with pytest.raises(StateConflictError, match="intent"):
            await place.execute(plan, initial_state=replace(first.state, intent={"id": "other"}))
        with pytest.raises(api.StateTransitionError):
            await place.execute(plan, initial_state=replace(first.state, status="CANCELLED"))
        older = first.state.with_steps({uuid(0): api.StepState(uuid(0))})
        return await place.execute(plan, initial_state=older)

    result = place.run(main)
    assert result.completed_steps == 2 and len(place.tools.calls) == 2


@pytest.mark.parametrize("known", [False, True])
def test_an_index_that_leaves_steps_out_is_refused(place, known) -> None:
    place.tools.latency_ms = 7_000

    async def main():
        if known:
            await place.execute(full_plan(3))
        with pytest.raises(StateConflictError, match="leave out step"):
            await place.execute(full_plan(3), start_step_index=2)
        return await place.execute(full_plan(3), start_step_index=int(known))

    assert place.run(main).completed_steps == 1 + known


# --- Checkpoints


def test_a_checkpoint_tells_where_a_resume_starts(place) -> None:
    place.tools.latency_ms = 3_500
    plan = full_plan(4)

    async def main():
        manager = CheckpointManager(place.environment)
        assert await manager.load(ID) is None
        result = await place.execute(plan)
        checkpoint = await manager.load(ID)
        await manager.save(result.state, next_step_index=2, segment_number=1, trace_id="t")
        return checkpoint, result

    checkpoint, result = place.run(main)
    assert (checkpoint.start_step_index, checkpoint.segment_number) == (2, 2)
    assert checkpoint.execution_id == ID and checkpoint.state == result.state
    assert [step["id"] for step in checkpoint.plan["steps"]] == [uuid(at) for at in range(4)]
    document = checkpoint.state.document()
    assert api.ExecutionState.from_document(document) == checkpoint.state
    assert old.ExecutionState.from_document(document).document() == document


def test_saving_vouches_and_never_writes(place) -> None:
    place.tools.latency_ms = 7_000

    async def main():
        manager = CheckpointManager(place.environment)
        with pytest.raises(api.CheckpointMissingError):
            await manager.save(api.create_initial_state(ID, 0), next_step_index=0, segment_number=1)
        result = await place.execute(full_plan(2))
        before = {key: await place.redis.dump(key) for key in await place.redis.keys()}
        ahead = result.state.with_steps({uuid(1): api.StepState(uuid(1), "completed", 1)})
        for state, index in ((ahead, 0), (result.state, 2)):
            with pytest.raises(StateConflictError):
                await manager.save(state, next_step_index=index, segment_number=1)
        await manager.save(result.state, next_step_index=1, segment_number=1)
        after = {key: await place.redis.dump(key) for key in await place.redis.keys()}
        assert before == after and before

    place.run(main)


def test_a_consumers_own_manager_calls_ours(place, monkeypatch) -> None:
    seen = []

    class Counting(CheckpointManager):
        """As consumers count their checkpoints."""

        def __init__(self, environment, label="own"):
            super().__init__(environment)
            self.label = label

        async def save(self, state, *, next_step_index, segment_number, trace_id=None):
            seen.append(("save", next_step_index))
            await super().save(
                state,
                next_step_index=next_step_index,
                segment_number=segment_number,
                trace_id=trace_id,
            )

        async def load(self, execution_id):
            seen.append(("load", execution_id))
            return await super().load(execution_id)

    monkeypatch.setattr("engine.segment_api.CheckpointManager", Counting)
    place.tools.latency_ms = 7_000

    async def main():
        first = await place.execute(full_plan(2))
        await Counting(place.environment).save(first.state, next_step_index=1, segment_number=1)
        return await place.resume()

    assert place.run(main).success
    assert seen == [("save", 1), ("load", ID)]


def test_a_patched_call_is_the_one_that_a_resume_makes(place, monkeypatch) -> None:
    made = []

    async def fake(plan, tools, **options):
        made.append((plan["id"], options["execution_id"], options["segment_number"]))
        return "faked"

    async def main():
        await place.execute(full_plan(1))
        monkeypatch.setattr("engine.segment_api.execute_segment", fake)
        return await place.resume()

    assert place.run(main) == "faked" and made == [(uuid(900), ID, 1)]


# --- Tools, claims, observers


@dataclass
class Claims:
    refused: frozenset = frozenset()
    asked: list = field(default_factory=list)
    error: Exception | None = None

    async def claim(self, owner, step_index):
        self.asked.append((owner, step_index))
        if self.error is not None:
            raise self.error
        return step_index not in self.refused


def test_a_refused_claim_skips_the_step(place) -> None:
    claims = Claims(frozenset({0}))
    state = api.planned_state(ID, full_plan(2), 0, {"id": OTHER})
    result = place.run(
        functools.partial(place.execute, full_plan(2), idempotency=claims, initial_state=state)
    )
    assert result.success and claims.asked == [(OTHER, 0), (OTHER, 1)]
    assert result.state.step(uuid(0)).output["skipped"] is True
    assert [parameters["at"] for _, parameters, _ in place.tools.calls] == [1]


def test_a_claim_that_fails_fails_the_step(place) -> None:
    claims = Claims(error=ConnectionError("claims are away"))
    result = place.run(functools.partial(place.execute, full_plan(1), idempotency=claims))
    assert result.state.step(uuid(0)).error == {
        "code": "STEP_EXECUTION_FAILED",
        "message": "claims are away",
    }


def test_a_step_that_was_under_way_in_a_crash_is_not_claimed_again(place) -> None:
    """The claim of a dead process would else skip what it never did."""

    async def main():
        claims = api.IdempotencyService(place.redis, place.clock)
        first = asyncio.ensure_future(place.execute(full_plan(2), idempotency=claims))
        await place.clock.sleep_ms(5)
        first.cancel()
        await asyncio.wait({first})
        await place.clock.sleep_ms(40_000)
        result = await place.resume(idempotency=claims)
        assert not await claims.claim(ID, 0)
        return result, await place.redis.ttl(f"ie:idempotency:{ID}:0")

    result, ttl_s = place.run(main)
    assert result.success and result.state.step(uuid(0)).output == {"at": 0}
    assert 0 < ttl_s <= 86_400


@pytest.mark.parametrize("dies_at", ["seat", "undo_ride"])
def test_rescues_and_compensations_are_not_claimed(place, dies_at) -> None:
    """They follow a call that was; whoever asked again would skip the undoing of it."""
    claims = Claims()

    class Model(Accepting):
        async def generate(self, model_type, prompt):
            return '{"action": "retry_same"}'

    class Failing(Tools):
        async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
            self.calls.append(tool_name)
            await self.clock.sleep_ms(10)
            if tool_name == "seat":
                return api.ToolExecutionResult(success=False, error="status 503")
            return api.ToolExecutionResult(True, compensation={"toolName": f"undo_{tool_name}"})

    tools = Failing(place.clock)
    plan = {"id": "p", "steps": [step("ride"), step("seat", "ride")]}

    async def main():
        place.environment = replace(place.environment, model=Model())
        first = asyncio.ensure_future(place.execute(plan, tools, idempotency=claims))
        while dies_at not in tools.calls:
            await place.clock.sleep_ms(1)
        first.cancel()
        await asyncio.wait({first})
        await place.clock.sleep_ms(40_000)
        return await place.resume(tools, idempotency=claims)

    result = place.run(main)
    assert tools.calls.count("seat") >= 2 and tools.calls[-1] == "undo_ride"
    assert claims.asked == [(ID, 0), (ID, 1)] and result.compensated_steps == ("ride",)


def test_the_environments_validator_refuses_before_the_call(place) -> None:
    class Strict(Accepting):
        async def validate(self, tool_name, parameters):
            return [api.ParameterError("at", "too small")]

    async def main():
        place.environment = replace(place.environment, validator=Strict())
        return await place.execute(full_plan(1))

    result = place.run(main)
    assert place.tools.calls == []
    assert result.state.step(uuid(0)).error == {
        "code": "VALIDATION_FAILED",
        "message": "Parameter validation failed: at: too small",
    }


def test_observers_that_raise_change_nothing(place, caplog) -> None:
    place.channel.broken = True

    def explode(entry):
        raise RuntimeError(entry.step_id)

    with caplog.at_level(logging.ERROR):
        result = place.run(functools.partial(place.execute, full_plan(2), trace=explode))
    assert result.success and "could not be announced" in caplog.text


def test_an_announcement_that_fails_leaves_the_execution_due(place, caplog) -> None:
    place.channel.broken = True
    place.tools.latency_ms = 7_000

    async def main():
        result = await place.execute(full_plan(2))
        store = workflow_options(place.environment)["store"]
        return result, await store.due(result.due_at_ms, 10)

    with caplog.at_level(logging.ERROR):
        result, due = place.run(main)
    assert result.is_partial and due == [ID]
    assert "next segment" in caplog.text


def test_the_signal_is_aborted_before_the_tool_is_cancelled(place) -> None:
    told = []

    class Tools:
        async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
            assert isinstance(signal, AbortSignal) and not signal.aborted
            if tool_name == "listens":
                aborted = asyncio.Event()
                signal.add_listener(aborted.set)
                await aborted.wait()
                told.append((tool_name, place.clock.elapsed_ms, signal.aborted))
                return api.ToolExecutionResult(True, True, "ended by itself")
            if tool_name == "logs":
                signal.add_listener(lambda: told.append(("logged", place.clock.elapsed_ms, True)))
            try:
                await asyncio.Event().wait()
            finally:
                told.append((tool_name, place.clock.elapsed_ms, signal.aborted))

    plan = {"id": "p", "steps": [step("listens"), step("logs"), step("sleeps")]}
    result = place.run(functools.partial(place.execute, plan, Tools()))
    assert set(told[:3]) == {(name, 8_500, True) for name in ("logged", "sleeps", "listens")}
    assert told[3:] == [("logs", 9_500, True)]
    assert result.state.step("listens").output == "ended by itself"
    for name in ("logs", "sleeps"):
        assert result.state.step(name).error["message"] == "AbortError: cancelled"


def test_a_tool_that_swallows_the_cancellation_is_heard(place) -> None:
    class Deaf:
        async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return api.ToolExecutionResult(True, True, "all the same")

    result = place.run(functools.partial(place.execute, {"id": "p", "steps": [step("a")]}, Deaf()))
    assert result.success and result.steps[0].output == "all the same"


def test_a_controller_raises_its_signal_once() -> None:
    controller, heard = AbortController(), []
    controller.signal.add_listener(lambda: heard.append(1))
    forgotten = lambda: heard.append(2)  # noqa: E731
    controller.signal.add_listener(forgotten)
    controller.signal.remove_listener(forgotten)
    controller.abort()
    controller.abort()
    assert heard == [1] and controller.signal.aborted


@pytest.mark.parametrize(
    "answer",
    [
        api.ToolExecutionResult(True, True, 1, compensation={"toolName": "undo"}),
        api.ToolExecutionResult(True, True, 1, compensation={}),
        api.ToolExecutionResult(True, True, 1),
    ],
)
def test_an_answer_with_or_without_a_compensation_is_an_answer(place, answer) -> None:
    class Tools(api.ToolExecutor):
        """A consumer's own class derives from the protocol."""

        async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
            return answer

    plan = {"id": "p", "steps": [step("a")]}
    result = place.run(functools.partial(place.execute, plan, Tools()))
    assert result.success
    kept = result.state.context.get("compensation:a")
    assert kept == ({"toolName": "undo", "parameters": {}} if answer.compensation else None)


# --- Without an environment


class Echo:
    async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
        return api.ToolExecutionResult(success=True, has_output=True, output=parameters)


def test_without_an_environment_the_process_shares_one_store(monkeypatch) -> None:
    monkeypatch.delenv("PLANPROOF_STORE_URL", raising=False)
    plan = {"id": "p", "steps": [step("a", parameters={"n": 1}, requires_confirmation=True)]}
    call = functools.partial(api.execute_segment, plan, Echo())
    first = asyncio.run(call(execution_id="no-environment"))
    assert first.is_partial and first.waiting_for.step_id == "a"
    again = asyncio.run(api.resume_from_checkpoint("no-environment", Echo()))
    assert again.waiting_for.step_id == "a" and again.segment_number == 2
    checkpoint = asyncio.run(CheckpointManager().load("no-environment"))
    assert checkpoint.start_step_index == 0


def test_the_variable_names_the_default_store(monkeypatch) -> None:
    monkeypatch.setenv("PLANPROOF_STORE_URL", "memory://named-by-the-variable")
    plan = {"id": "p", "steps": [step("a")]}
    assert asyncio.run(execute_workflow(plan, adapt_tools(Echo()), execution_id="v")).success
    assert asyncio.run(api.resume_from_checkpoint("v", Echo())).success
    monkeypatch.setenv("PLANPROOF_STORE_URL", "memory://another")
    with pytest.raises(api.CheckpointMissingError):
        asyncio.run(api.resume_from_checkpoint("v", Echo()))
    monkeypatch.setenv("PLANPROOF_STORE_URL", "ftp://x")
    with pytest.raises(api.MemoryFailure, match="ftp"):
        asyncio.run(api.resume_from_checkpoint("v", Echo()))


# --- Looks at a state


def test_ready_steps_and_parameters_are_those_of_the_old_functions() -> None:
    plan = full_plan(3)
    states = (
        api.StepState(uuid(0), "completed", has_output=True, output={"at": 5}),
        api.StepState(uuid(1)),
        api.StepState(uuid(2)),
    )
    state = replace(api.planned_state(ID, plan, 0), step_states=states)
    before = old.ExecutionState.from_document(state.document())
    for start in (0, 1, 2):
        ready = api.find_ready_steps(state, plan["steps"], start)
        assert ready == old.find_ready_steps(before, plan["steps"], start)
    given = plan["steps"][1]["parameters"]
    resolved = api.resolve_step_parameters(given, state)
    assert resolved == old.resolve_step_parameters(given, before) == {"at": 1, "before": 5}
    assert api.find_ready_steps(api.planned_state(ID, plan, 0), plan["steps"], 0) == []
    bare = [{"id": uuid(1), "tool_name": "work"}]
    assert api.find_ready_steps(state, bare, 0) == bare
    with pytest.raises(api.MalformedPlanError):
        api.resolve_step_parameters(None, state)


def test_new_states_are_those_of_the_old_functions() -> None:
    plan = full_plan(2, timeout_ms=5)
    made = api.create_initial_state(ID, 1_234)
    assert made.document() == old.create_initial_state(ID, 1_234).document()
    planned, before = api.planned_state(ID, plan, 1_234), old.planned_state(ID, plan, 1_234)
    for name in ("execution_id", "status", "created_at", "step_states", "context", "token_usage"):
        assert getattr(planned, name) == getattr(before, name)
    kept = [{key: each[key] for key in plan["steps"][0]} for each in planned.plan["steps"]]
    assert kept == plan["steps"]
    for call in (
        lambda module: module.create_initial_state("x", 0),
        lambda module: module.planned_state(ID, {"id": "p"} | {"steps": 3}, 0),
        lambda module: module.planned_state(ID, plan, 0, "no object"),
    ):
        for module in (api, old):
            with pytest.raises(module.SchemaViolation):
                call(module)


def test_a_trace_entry_is_a_record() -> None:
    entry = TraceEntry("2026-01-01T00:00:00.000Z", "step_completed", "a", 3)
    assert (entry.error, entry.phase) == (None, "execution")
