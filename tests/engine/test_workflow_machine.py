"""Without these a plan could be run twice, in part, out of order or without anybody being told."""

import asyncio
from typing import Any

import pytest

from engine import EffectSemantics, ExecutionStatus, RetryPolicy, StepStatus, ToolResult
from engine.errors import (
    ConfirmationError,
    ExecutionNotFoundError,
    LeaseHeldError,
    LeaseLostError,
    PlanMismatchError,
    SafetyViolationError,
    StepNotReadyError,
    StoreUnavailableError,
)
from engine.events import EventName
from engine.plan import Plan
from engine.settings import WorkflowSettings
from engine.tools import ParameterFault, ToolCall
from engine.types.execution import ExecutionResult, ExecutionState, WorkflowExecutor, YieldReason
from engine.workflow_machine import WorkflowMachine
from tests.engine.lab import EXECUTION, WORKER, Client, Lab, Script, Tools, chain, plan_of, step

FAILED = ToolResult.failed("no luck")
SERVERLESS = WorkflowSettings()


def diamond(**more: Any) -> Plan:
    return plan_of(
        step("top", **more), step("left", "top"), step("right", "top"), step("end", "left", "right")
    )


def execute(lab: Lab, plan: Plan | None, **options: Any) -> ExecutionResult:
    options.setdefault("settings", WORKER)
    return lab.run(lambda: lab.machine(plan, **options).execute())


def state_of(lab: Lab, **options: Any) -> ExecutionState:
    return lab.run(lambda: lab.machine(**options).get_state())


# --- order and shape -----------------------------------------------------------------------------


def test_it_implements_the_interface() -> None:
    lab = Lab()

    async def main() -> None:
        assert isinstance(lab.machine(), WorkflowExecutor)

    lab.run(main)


def test_an_empty_plan_completes() -> None:
    lab = Lab()
    result = execute(lab, plan_of())
    assert (result.status, result.success, result.total_steps) == (
        ExecutionStatus.COMPLETED,
        True,
        0,
    )
    assert lab.event_names() == ["WORKFLOW_STARTED", "WORKFLOW_COMPLETED"]


def test_a_chain_runs_in_order_whatever_the_order_of_the_list() -> None:
    lab = Lab()
    plan = plan_of(step("c", "b"), step("a"), step("b", "a"))
    assert execute(lab, plan).success
    assert lab.tools.names == ["a", "b", "c"]


def test_a_diamond_runs_its_sides_at_once() -> None:
    lab = Lab()
    lab.tools.scripts["left"] = Script(latency_ms=50)
    assert execute(lab, diamond()).success
    assert lab.tools.names == ["top", "left", "right", "end"]
    assert lab.tools.started_ms == [0, 10, 10, 60]


def test_layers_wait_for_their_slowest_step() -> None:
    lab = Lab()
    lab.tools.scripts["slow"] = Script(latency_ms=100)
    assert execute(lab, plan_of(step("slow"), step("fast"), step("after", "fast"))).success
    assert lab.tools.started_ms == [0, 0, 100]


def test_a_lower_step_is_not_hidden_by_a_higher_one() -> None:
    """The legacy executor's false deadlock: [A, B after A, C]."""
    lab = Lab()
    assert execute(lab, plan_of(step("a"), step("b", "a"), step("c"))).success


@pytest.mark.parametrize(("limit", "widest"), [(None, 20), (3, 3), (1, 1)])
def test_concurrency_is_as_wide_as_allowed(limit: int | None, widest: int) -> None:
    lab = Lab()
    plan = plan_of(*(step(f"s{at}", tool="work") for at in range(20)))
    settings = WORKER.model_copy(update={"max_concurrency": limit})
    assert execute(lab, plan, settings=settings).success
    assert (lab.tools.widest, len(lab.tools.calls)) == (widest, 20)


def test_every_call_says_what_it_belongs_to() -> None:
    lab = Lab()
    plan = plan_of(
        step("a", timeout_ms=77, parameters={"x": 1}), step("b", "a", parameters={"y": "$a.step"})
    )
    execute(lab, plan)
    first, second = lab.tools.calls
    assert (first.execution_id, first.step_id, first.timeout_ms, first.attempt) == (
        EXECUTION,
        "a",
        77,
        1,
    )
    assert (first.parameters, second.parameters) == ({"x": 1}, {"y": "a"})
    assert first.idempotency_key != second.idempotency_key


def test_an_execution_s_record_tells_everything() -> None:
    lab = Lab()
    lab.tools.scripts["a"] = Script([ToolResult.ok({"n": 1})], latency_ms=25)
    execute(lab, plan_of(step("a"), step("b", "a")), intent={"type": "dinner"}, trace_id="t-1")
    state = state_of(lab)
    assert state.status is ExecutionStatus.COMPLETED
    assert (state.intent, state.trace_id, state.segment_number) == ({"type": "dinner"}, "t-1", 1)
    first = state.steps[0]
    assert (first.status, first.output, first.attempts) == (StepStatus.COMPLETED, {"n": 1}, 1)
    assert (first.latency_ms, first.input, first.error) == (25, None, None)
    assert state.completed_at_ms == lab.clock.now_ms()
    assert {event.trace_id for event in lab.events} == {"t-1"}


# --- work is linear ------------------------------------------------------------------------------


def commands_of(length: int) -> Client:
    lab, clients = Lab(), []

    async def main() -> None:
        client = lab.client()
        clients.append(client)
        # The scripts are known to the server, as they are in any but the very first run.
        await lab.machine(plan_of(), client=client, execution_id="warm up").execute()
        client.commands.clear()
        assert (await lab.machine(chain(length), client=client, settings=WORKER).execute()).success

    lab.run(main)
    return clients[0]


@pytest.mark.parametrize("length", [1, 10, 100])
def test_a_chain_costs_one_round_trip_a_step(length: int) -> None:
    assert len(commands_of(length).commands) <= length + 3


def test_a_step_of_a_long_plan_costs_no_more_than_one_of_a_short_plan() -> None:
    def bytes_per_step(length: int) -> float:
        transitions = commands_of(length).commands[1:]  # the first one writes the plan
        return sum(len(str(part)) for command in transitions for part in command) / length

    assert bytes_per_step(1_000) == pytest.approx(bytes_per_step(100), rel=0.1)


@pytest.mark.slow
def test_five_thousand_steps_in_a_row() -> None:
    lab, clients = Lab(), []

    async def main() -> ExecutionResult:
        clients.append(lab.client())
        return await lab.machine(chain(5_000), client=clients[0], settings=WORKER).execute()

    result = lab.run(main)
    assert result.success and len(lab.tools.calls) == 5_000
    assert [call.step_id for call in lab.tools.calls] == [f"s{at}" for at in range(5_000)]
    assert len(clients[0].commands) <= 5_000 + 3 + 2  # two scripts were new to the server


def test_a_wide_plan_is_one_batch() -> None:
    lab, clients = Lab(), []

    async def main() -> ExecutionResult:
        clients.append(lab.client())
        plan = plan_of(*(step(f"s{at}", tool="work") for at in range(600)))
        return await lab.machine(plan, client=clients[0], settings=WORKER).execute()

    assert lab.run(main).success
    assert lab.clock.elapsed_ms == 10
    # Results of one batch that end one by one are written as they end.
    assert len(clients[0].commands) <= 600 + 5


# --- yield and resume ----------------------------------------------------------------------------


def test_it_yields_when_the_budget_is_used_up_and_resumes() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=2_000)
    first = execute(lab, chain(5), settings=SERVERLESS)
    assert (first.is_partial, first.yield_reason, first.success) == (
        True,
        YieldReason.BUDGET,
        False,
    )
    assert (first.completed_steps, first.segment_number) == (3, 1)
    assert first.due_at_ms == lab.clock.now_ms() + SERVERLESS.resume_delay_ms
    assert first.status is ExecutionStatus.EXECUTING
    second = lab.run(lambda: lab.machine(settings=SERVERLESS).execute())
    assert (second.success, second.segment_number) == (True, 2)
    assert lab.tools.count("work") == 5


def test_a_resume_needs_no_waiting_and_no_plan() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=2_000)
    result = lab.run(lambda: lab.finish(chain(12), settings=SERVERLESS))
    assert result.success and result.segment_number == 4
    assert [call.step_id for call in lab.tools.calls] == [f"s{at}" for at in range(12)]


def test_resume_as_a_class_method() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=6_000)
    assert execute(lab, chain(2), settings=SERVERLESS).is_partial

    async def main() -> ExecutionResult:
        return await WorkflowMachine.resume(
            EXECUTION, lab.tools, store=lab.store(), clock=lab.clock
        )

    assert lab.run(main).success


@pytest.mark.parametrize(("latency_ms", "partial"), [(5_999, False), (6_000, True), (6_001, True)])
def test_the_budget_ends_exactly_at_its_bound(latency_ms: int, partial: bool) -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script(latency_ms=latency_ms)
    assert (
        execute(lab, plan_of(step("s"), step("t", "s")), settings=SERVERLESS).is_partial is partial
    )


def test_finished_work_is_completed_although_the_budget_is_used_up() -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script(latency_ms=8_000)
    result = execute(lab, plan_of(step("s")), settings=SERVERLESS)
    assert (result.success, result.is_partial) == (True, False)


def test_a_failure_is_not_put_off_by_the_budget() -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script([FAILED], latency_ms=8_000)
    result = execute(lab, plan_of(step("s"), step("t")), settings=SERVERLESS)
    assert (result.status, result.is_partial) == (ExecutionStatus.FAILED, False)


def test_an_asked_for_yield_comes_before_the_next_batch() -> None:
    lab = Lab()

    async def main() -> ExecutionResult:
        machine = lab.machine(chain(3), settings=WORKER)

        async def ask(_call: ToolCall) -> ToolResult:
            await machine.yield_execution("make room")
            return ToolResult.ok()

        lab.tools.scripts["work"] = Script([ask])
        return await machine.execute()

    result = lab.run(main)
    assert (result.yield_reason, result.completed_steps) == (YieldReason.REQUESTED, 1)
    lab.tools.scripts.clear()
    assert lab.run(lambda: lab.machine().execute()).success


def test_a_yield_is_one_write_with_state_due_time_and_event() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=6_000)

    async def main() -> tuple[list[str], list[str], int | None]:
        client = lab.client()
        machine = lab.machine(chain(2), client=client)
        result = await machine.execute()
        assert client.commands[-1][0] in ("EVALSHA", "EVAL")
        store = lab.store()
        assert await store.due(result.due_at_ms or 0, 10) == [EXECUTION]
        assert await store.due((result.due_at_ms or 0) - 1, 10) == []
        names = [str(event.name) for event in await store.events(EXECUTION)]
        return names, lab.event_names(), (await store.load(EXECUTION)).due_at_ms

    outbox, told, due_at_ms = lab.run(main)
    assert outbox == told
    assert outbox[-2:] == ["WORKFLOW_YIELDED", "WORKFLOW_RESUME"]
    assert due_at_ms == lab.clock.now_ms() + 2_000


# --- retries and time bounds ---------------------------------------------------------------------


def retrying(**policy: Any) -> Plan:
    return plan_of(step("s", retry_policy=RetryPolicy(**policy).model_dump()))


def test_a_retry_within_the_budget_waits_here() -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script([FAILED, FAILED, ToolResult.ok()])
    result = execute(lab, retrying(max_attempts=3, backoff_ms=1_000), settings=SERVERLESS)
    assert result.success
    assert lab.tools.started_ms == [0, 1_010, 3_020]
    assert [call.attempt for call in lab.tools.calls] == [1, 2, 3]
    assert len({call.idempotency_key for call in lab.tools.calls}) == 1
    assert state_of(lab).steps[0].attempts == 3


def test_a_retry_beyond_the_budget_is_deferred_until_it_is_due() -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script([FAILED, ToolResult.ok()])
    plan = retrying(max_attempts=2, backoff_ms=60_000)
    result = execute(lab, plan, settings=SERVERLESS)
    assert result.yield_reason is YieldReason.TIMER
    assert result.due_at_ms == lab.clock.now_ms() + 60_000
    assert "STEP_DEFERRED" in lab.event_names()
    early = execute(lab, None, settings=SERVERLESS)
    assert (early.yield_reason, early.due_at_ms) == (YieldReason.TIMER, result.due_at_ms)
    assert lab.tools.count("s") == 1
    assert lab.run(lambda: lab.finish(settings=SERVERLESS)).success
    assert lab.tools.started_ms[1] == 60_010


def test_a_long_wait_for_a_retry_keeps_the_lease() -> None:
    """Deferred by a process with a budget, waited for by one without."""
    lab = Lab()
    lab.tools.scripts["s"] = Script([FAILED, ToolResult.ok()])
    plan = retrying(max_attempts=2, backoff_ms=600_000)
    assert execute(lab, plan, settings=SERVERLESS).is_partial

    async def main() -> ExecutionResult:
        running = asyncio.ensure_future(lab.machine(settings=WORKER).execute())
        await lab.clock.sleep_ms(300_000)
        with pytest.raises(LeaseHeldError):
            await lab.machine(settings=WORKER).execute()
        return await running

    assert lab.run(main).success


def test_used_up_retries_fail_the_step() -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script([FAILED])
    result = execute(lab, retrying(max_attempts=4))
    assert (result.status, lab.tools.count("s")) == (ExecutionStatus.FAILED, 4)


def test_results_of_others_are_durable_while_a_retry_is_waited_for() -> None:
    """A crash in the pause must not repeat the step that ended before it."""
    lab = Lab()
    lab.tools.scripts["s"] = Script([FAILED, ToolResult.ok()])
    lab.tools.scripts["t"] = Script(latency_ms=8_000)
    plan = plan_of(
        step("s", retry_policy={"max_attempts": 2, "backoff_ms": 11_000}),
        step("t"),
        step("u", "t"),
    )
    assert execute(lab, plan, settings=SERVERLESS).is_partial

    async def main() -> Any:
        running = asyncio.ensure_future(lab.machine(settings=SERVERLESS).execute())
        while lab.tools.ended[-1:] != ["u"]:
            await lab.clock.sleep_ms(1)
        await lab.clock.sleep_ms(100)
        state = await lab.machine().get_state()
        assert (await running).success
        return state.steps[2].status

    assert lab.run(main) is StepStatus.COMPLETED


@pytest.mark.parametrize(
    ("latency_ms", "success"), [(8_499, True), (8_500, False), (20_000, False)]
)
def test_the_abort_wins_at_exactly_its_bound(latency_ms: int, success: bool) -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script(latency_ms=latency_ms)
    result = execute(lab, plan_of(step("s")), settings=SERVERLESS)
    assert result.success is success
    assert lab.clock.elapsed_ms == min(latency_ms, 8_500)
    if not success:
        error = state_of(lab).steps[0].error
        assert error is not None and error.message == "AbortError: cancelled"


@pytest.mark.parametrize(("answer", "success"), [(ToolResult.ok("late"), True), (FAILED, False)])
def test_a_deaf_tool_is_waited_for_and_heard(answer: ToolResult, success: bool) -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script([answer], latency_ms=60_000, deaf=True)
    assert execute(lab, plan_of(step("s")), settings=SERVERLESS).success is success
    assert lab.clock.elapsed_ms == 60_000


def test_step_timeouts_count_only_when_asked_for() -> None:
    for strict, success in ((False, True), (True, False)):
        lab = Lab()
        lab.tools.scripts["s"] = Script(latency_ms=50)
        settings = WORKER.strict() if strict else WORKER
        assert execute(lab, plan_of(step("s", timeout_ms=50)), settings=settings).success is success


def test_the_plan_s_own_time_limit_ends_a_strict_run() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=60)
    plan = plan_of(
        *chain(3).steps and [one.model_dump() for one in chain(3).steps],
        constraints={"max_execution_time_ms": 100},
    )
    result = execute(lab, plan, settings=WORKER.strict())
    assert result.status is ExecutionStatus.TIMEOUT
    assert result.error is not None and result.error.code == "EXECUTION_TIMEOUT"
    assert lab.tools.count("work") == 2


def test_a_wait_for_a_person_can_time_out() -> None:
    lab = Lab()
    plan = plan_of(
        step("a", requires_confirmation=True), constraints={"max_execution_time_ms": 100}
    )
    strict = WORKER.strict()
    assert execute(lab, plan, settings=strict).status is ExecutionStatus.AWAITING_CONFIRMATION

    async def main() -> ExecutionResult:
        await lab.clock.sleep_ms(200)
        return await lab.machine(settings=strict).execute()

    assert lab.run(main).status is ExecutionStatus.TIMEOUT


def test_a_strict_run_refuses_a_plan_that_breaks_its_own_size() -> None:
    lab = Lab()

    async def main() -> None:
        plan = plan_of(step("a"), step("b"), constraints={"max_steps": 1})
        lab.machine(plan, settings=WORKER)
        with pytest.raises(SafetyViolationError, match="max_steps"):
            lab.machine(plan, settings=WORKER.strict())

    lab.run(main)


# --- what tools do wrong -------------------------------------------------------------------------


def circular() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def nested(depth: int) -> Any:
    found: Any = 0
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    "output",
    [object(), {"x": {1: object()}}, b"\xff", "\ud800", circular(), nested(220), nested(5_000)],
)
def test_an_output_that_cannot_be_stored_fails_the_step(output: Any) -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script([ToolResult.ok().model_copy(update={"output": output})])
    assert execute(lab, plan_of(step("s"))).status is ExecutionStatus.FAILED
    error = state_of(lab).steps[0].error
    assert error is not None and error.code == "OUTPUT_NOT_SERIALIZABLE"


@pytest.mark.parametrize(
    "output", [(1, 2), {1: 2}, {"a": {3}}, b"text", 2**80, float("inf"), nested(150), None, "", 0]
)
def test_later_steps_see_what_a_resume_would_see(output: Any) -> None:
    """An output is turned into its durable form at once, not only by a crash."""
    lab = Lab()
    lab.tools.scripts["s"] = Script([ToolResult.ok(output)])

    async def main() -> None:
        machine = lab.machine(plan_of(step("s"), step("t", "s")), settings=WORKER)
        seen: list[Any] = []
        lab.tools.scripts["t"] = Script([ToolResult.ok()])
        result = await machine.execute()
        assert result.success
        seen.append((await machine.get_state()).steps[0].output)
        again = (await lab.machine().get_state()).steps[0].output
        assert repr(seen) == repr([again])

    lab.run(main)
    if output is not None and not isinstance(output, float | str | int):
        lab = Lab()
        lab.tools.scripts["s"] = Script([ToolResult.ok({"x": output})])
        plan = plan_of(step("s"), step("t", "s", parameters={"got": "$s.x"}))
        execute(lab, plan)
        stored = state_of(lab).steps[0].output["x"]
        assert repr(lab.tools.calls[1].parameters["got"]) == repr(stored)


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (RuntimeError("boom"), "STEP_EXECUTION_FAILED", "boom"),
        (KeyError("k"), "STEP_EXECUTION_FAILED", "'k'"),
        (TimeoutError("late"), "STEP_EXECUTION_FAILED", "late"),
        (
            ExceptionGroup("many", [ValueError("a")]),
            "STEP_EXECUTION_FAILED",
            "many (1 sub-exception)",
        ),
        (RuntimeError("bad \udcff name"), "STEP_EXECUTION_FAILED", "bad"),
        (asyncio.CancelledError(), "STEP_EXECUTION_FAILED", ""),
    ],
)
def test_whatever_a_tool_raises_is_the_step_s_failure(
    raised: BaseException, code: str, message: str
) -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script([raised])
    assert execute(lab, plan_of(step("s"))).status is ExecutionStatus.FAILED
    error = state_of(lab).steps[0].error
    assert error is not None and error.code == code and message in error.message


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (ToolResult.failed("no"), "TOOL_EXECUTION_FAILED", "no"),
        (ToolResult.failed(""), "TOOL_EXECUTION_FAILED", "Unknown tool execution error"),
        (
            ToolResult.failed("Invalid Parameters: x"),
            "TOOL_VALIDATION_FAILED",
            "Invalid Parameters: x",
        ),
    ],
)
def test_codes_of_returned_failures(answer: ToolResult, code: str, message: str) -> None:
    lab = Lab()
    lab.tools.scripts["s"] = Script([answer])
    result = execute(lab, plan_of(step("s")))
    assert result.error is not None and result.error.code == "STEP_FAILED"
    error = state_of(lab).steps[0].error
    assert error is not None and (error.code, error.message) == (code, message)


class RudeTools(Tools):
    """Breaks the protocol of tools in one way."""

    def __init__(self, lab: Lab, way: str) -> None:
        super().__init__(lab.clock)
        self.way = way

    def execute(self, call: ToolCall) -> Any:  # type: ignore[override] # rude on purpose
        if self.way == "raises at once":
            raise ValueError("rude")
        if self.way == "returns no awaitable":
            return ToolResult.ok()
        return self._answer()

    async def _answer(self) -> Any:
        return {"success": True}


@pytest.mark.parametrize("way", ["raises at once", "returns no awaitable", "returns no result"])
def test_an_executor_that_breaks_its_protocol_fails_the_step(way: str) -> None:
    lab = Lab()
    lab.tools = RudeTools(lab, way)
    assert execute(lab, plan_of(step("s"))).status is ExecutionStatus.FAILED
    error = state_of(lab).steps[0].error
    assert error is not None and error.code == "STEP_EXECUTION_FAILED"


class RaisingValidator:
    def validate(self, tool_name: str, parameters: Any) -> list[ParameterFault]:
        raise LookupError("no schema store")


def test_a_validator_that_raises_fails_the_step() -> None:
    lab = Lab()
    assert (
        execute(lab, plan_of(step("s")), validator=RaisingValidator()).status
        is ExecutionStatus.FAILED
    )
    error = state_of(lab).steps[0].error
    assert error is not None and error.code == "STEP_EXECUTION_FAILED"
    assert lab.tools.calls == []


def test_a_compensation_that_cannot_be_built_fails_the_step() -> None:
    def build(sent: Any, got: Any) -> Any:
        raise KeyError("booking_id")

    lab = Lab()
    lab.tools.define("s", compensation=build)
    result = execute(lab, plan_of(step("s")))
    assert result.steps[0].status is StepStatus.FAILED
    assert (result.status, result.uncompensated_steps) == (
        ExecutionStatus.COMPENSATION_FAILED,
        ("s",),
    )
    assert state_of(lab).steps[0].error is not None


def test_a_tool_that_changes_its_parameters_changes_nothing_else() -> None:
    lab = Lab()

    async def spoil(call: ToolCall) -> ToolResult:
        call.parameters["rows"].append("spoiled")
        return FAILED if call.attempt == 1 else ToolResult.ok()

    lab.tools.scripts["a"] = Script([ToolResult.ok({"rows": [1]})])
    lab.tools.scripts["b"] = Script([spoil])
    reference = {"rows": "$a.rows"}
    plan = plan_of(
        step("a"),
        step("b", "a", parameters=reference, retry_policy={"max_attempts": 2}),
        step("c", "b", parameters=reference),
    )
    assert execute(lab, plan).success
    assert [call.parameters["rows"] for call in lab.tools.calls[1:]] == [
        [1, "spoiled"],
        [1, "spoiled"],
        [1],
    ]


def test_listeners_that_raise_are_harmless(caplog: pytest.LogCaptureFixture) -> None:
    lab, heard = Lab(), []

    def broken(event: Any) -> None:
        raise RuntimeError("listener")

    assert execute(lab, chain(2), listeners=[broken, heard.append]).success
    assert [str(event.name) for event in heard][-1] == "WORKFLOW_COMPLETED"
    assert "a listener failed" in caplog.text


# --- confirmation --------------------------------------------------------------------------------


def waiting(lab: Lab) -> tuple[str, str]:
    plan = plan_of(step("a"), step("b", "a", requires_confirmation=True), step("c", "b"))
    result = execute(lab, plan)
    assert result.status is ExecutionStatus.AWAITING_CONFIRMATION and result.is_partial
    assert (result.yield_reason, result.due_at_ms) == (YieldReason.CONFIRMATION, None)
    assert result.waiting_for is not None and lab.tools.names == ["a"]
    return result.waiting_for.step_id, result.waiting_for.token


def test_an_approved_step_runs() -> None:
    lab = Lab()
    step_id, token = waiting(lab)
    assert step_id == "b"
    lab.run(lambda: lab.machine().confirm(step_id, token, approved=True))
    assert execute(lab, None).success
    assert lab.tools.names == ["a", "b", "c"]


def test_a_rejected_step_fails_and_nothing_more_runs() -> None:
    lab = Lab()
    step_id, token = waiting(lab)
    lab.run(lambda: lab.machine().confirm(step_id, token, approved=False))
    assert execute(lab, None).status is ExecutionStatus.FAILED
    error = state_of(lab).steps[1].error
    assert error is not None and error.code == "CONFIRMATION_REJECTED"
    assert lab.tools.names == ["a"]


@pytest.mark.parametrize(("step_id", "right_token"), [("b", False), ("a", True), ("ghost", True)])
def test_another_step_or_token_decides_nothing(step_id: str, right_token: bool) -> None:
    lab = Lab()
    _, token = waiting(lab)

    async def refused() -> None:
        with pytest.raises(ConfirmationError):
            await lab.machine().confirm(step_id, token if right_token else "other", approved=True)

    lab.run(refused)
    lab.run(lambda: lab.machine().confirm("b", token, approved=True))
    assert execute(lab, None).success


def test_asking_again_while_waiting_gives_the_same_token() -> None:
    lab = Lab()
    _, token = waiting(lab)
    again = execute(lab, None)
    assert again.waiting_for is not None and again.waiting_for.token == token


def test_a_decision_counts_once() -> None:
    lab = Lab()
    step_id, token = waiting(lab)
    lab.run(lambda: lab.machine().confirm(step_id, token, approved=True))

    async def again() -> None:
        with pytest.raises(ConfirmationError):
            await lab.machine().confirm(step_id, token, approved=False)

    lab.run(again)
    assert execute(lab, None).success


def test_a_refused_confirmation_leaves_lease_and_due_time_alone() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=6_000)
    due_at_ms = execute(lab, chain(2), settings=SERVERLESS).due_at_ms

    async def main() -> ExecutionResult:
        with pytest.raises(ConfirmationError):
            await lab.machine().confirm("s0", "token", approved=True)
        assert await lab.store().due(due_at_ms or 0, 10) == [EXECUTION]
        return await lab.machine().execute()

    assert lab.run(main).success


def test_confirming_what_does_not_exist_creates_nothing() -> None:
    lab = Lab()

    async def main() -> None:
        with pytest.raises((ConfirmationError, ExecutionNotFoundError)):
            await lab.machine(chain(1)).confirm("s0", "token", approved=True)
        with pytest.raises(ExecutionNotFoundError):
            await lab.machine().get_state()

    lab.run(main)


def test_the_plan_can_demand_confirmation_for_a_tool() -> None:
    lab = Lab()
    plan = plan_of(step("a", tool="pay"), constraints={"require_confirmation_for": ["pay"]})
    assert execute(lab, plan).status is ExecutionStatus.AWAITING_CONFIRMATION


def test_what_can_run_runs_before_a_person_is_waited_for() -> None:
    lab = Lab()
    plan = plan_of(step("a", requires_confirmation=True), step("b"), step("c", "b"))
    result = execute(lab, plan)
    assert result.waiting_for is not None and result.waiting_for.step_id == "a"
    assert lab.tools.names == ["b", "c"]


# --- cancelling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_running_execution_is_cancelled_from_here_and_from_elsewhere(elsewhere: bool) -> None:
    lab = Lab()

    async def main() -> ExecutionResult:
        machine = lab.machine(chain(5), settings=WORKER)

        async def cancel(_call: ToolCall) -> ToolResult:
            assert await (lab.machine() if elsewhere else machine).cancel("changed my mind")
            return ToolResult.ok()

        lab.tools.scripts["work"] = Script([ToolResult.ok(), cancel, ToolResult.ok()])
        return await machine.execute()

    result = lab.run(main)
    assert result.status is ExecutionStatus.CANCELLED
    assert result.error is not None
    assert (result.error.code, result.error.message) == ("CANCELLED", "changed my mind")
    # From elsewhere it is seen with the next write, which is the intent of the next step.
    assert lab.tools.count("work") == (3 if elsewhere else 2)
    assert lab.event_names()[-1] == "WORKFLOW_CANCELLED"


@pytest.mark.parametrize("confirmation", [False, True])
def test_a_waiting_execution_is_cancelled_when_it_is_resumed(confirmation: bool) -> None:
    lab = Lab()
    if confirmation:
        waiting(lab)
    else:
        lab.tools.scripts["work"] = Script(latency_ms=6_000)
        assert execute(lab, chain(2), settings=SERVERLESS).is_partial

    async def main() -> ExecutionResult:
        assert await lab.machine().cancel("stop")
        assert await lab.store().due(lab.clock.now_ms() + 2_000, 1) == [EXECUTION]
        return await lab.machine().execute()

    calls = len(lab.tools.calls)
    assert lab.run(main).status is ExecutionStatus.CANCELLED
    assert len(lab.tools.calls) == calls


def test_what_has_ended_or_never_was_cannot_be_cancelled() -> None:
    lab = Lab()

    async def main() -> None:
        assert not await lab.machine().cancel("never was")
        await lab.machine(chain(1)).execute()
        assert not await lab.machine().cancel("too late")
        assert (await lab.machine().execute()).success

    lab.run(main)


# --- single steps --------------------------------------------------------------------------------


def test_single_steps_until_done() -> None:
    lab = Lab()

    async def main() -> list[tuple[str, bool]]:
        seen, machine = [], lab.machine(diamond())
        while True:
            result = await machine.execute_single_step()
            assert result.step is not None
            seen.append((result.step.id, result.has_more))
            if not result.has_more:
                assert result.status is ExecutionStatus.COMPLETED
                return seen
            machine = lab.machine()

    assert lab.run(main) == [("top", True), ("left", True), ("right", True), ("end", False)]
    assert lab.tools.names == ["top", "left", "right", "end"]
    assert state_of(lab).status is ExecutionStatus.COMPLETED


def test_a_single_step_by_its_position() -> None:
    lab = Lab()

    async def main() -> None:
        machine = lab.machine(diamond())
        for not_ready in (1, 3, 17, -1):
            with pytest.raises(StepNotReadyError):
                await machine.execute_single_step(not_ready)
        await machine.execute_single_step(0)
        result = await lab.machine().execute_single_step(2)
        assert result.step is not None and result.step.id == "right"
        with pytest.raises(StepNotReadyError):
            await lab.machine().execute_single_step(2)
        assert (await lab.machine().execute()).success
        with pytest.raises(StepNotReadyError):
            await lab.machine().execute_single_step()

    lab.run(main)
    assert lab.tools.names == ["top", "right", "left", "end"]


def test_a_single_step_that_fails_ends_the_execution() -> None:
    lab = Lab()
    lab.tools.scripts["top"] = Script([FAILED])
    result = lab.run(lambda: lab.machine(diamond()).execute_single_step())
    assert (result.status, result.has_more) == (ExecutionStatus.FAILED, False)
    assert result.step is not None and result.step.status is StepStatus.FAILED
    assert result.error is not None


# --- the same execution again --------------------------------------------------------------------


@pytest.mark.parametrize("answer", [ToolResult.ok(), FAILED])
def test_an_ended_execution_answers_with_its_record(answer: ToolResult) -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script([ToolResult.ok(), answer])
    first = execute(lab, chain(2))
    again = execute(lab, chain(2))
    assert again == first.model_copy(update={"execution_time_ms": 0})
    assert lab.tools.count("work") == 2


def test_another_plan_is_refused() -> None:
    lab = Lab()
    execute(lab, chain(2))

    async def main() -> None:
        with pytest.raises(PlanMismatchError):
            await lab.machine(chain(3)).execute()

    lab.run(main)


def test_resuming_what_never_was() -> None:
    lab = Lab()

    async def main() -> None:
        with pytest.raises(ExecutionNotFoundError):
            await lab.machine().execute()

    lab.run(main)


def test_two_executions_of_one_plan_are_two() -> None:
    lab = Lab()
    assert execute(lab, chain(2)).success
    assert execute(lab, chain(2), execution_id="execution-2").success
    assert lab.tools.count("work") == 4
    assert len({call.idempotency_key for call in lab.tools.calls}) == 4


# --- leases --------------------------------------------------------------------------------------


def test_a_second_process_is_kept_out_while_the_first_works() -> None:
    lab = Lab()

    async def main() -> ExecutionResult:
        async def meddle(_call: ToolCall) -> ToolResult:
            with pytest.raises(LeaseHeldError) as caught:
                await lab.machine().execute()
            assert 0 < caught.value.retry_after_ms <= WORKER.lease_ms
            return ToolResult.ok()

        lab.tools.scripts["work"] = Script([meddle])
        return await lab.machine(chain(2), settings=WORKER).execute()

    assert lab.run(main).success


@pytest.mark.parametrize("latencies_ms", [[200_000], [9_000] * 10, [29_000, 1_000] * 4])
def test_the_lease_outlives_any_run(latencies_ms: list[int]) -> None:
    """Long calls, and many calls that are each shorter than a renewal."""
    lab = Lab()

    async def main() -> ExecutionResult:
        async def meddle(call: ToolCall) -> ToolResult:
            await lab.clock.sleep_ms(latencies_ms[int(call.step_id[1:])])
            with pytest.raises(LeaseHeldError):
                await lab.machine().execute()
            return ToolResult.ok()

        lab.tools.scripts["work"] = Script([meddle], latency_ms=0)
        return await lab.machine(chain(len(latencies_ms)), settings=WORKER).execute()

    assert lab.run(main).success
    assert lab.event_names().count("LEASE_LOST") == 0


def test_a_lost_renewal_or_two_stop_no_tool() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=60_000)

    async def main() -> ExecutionResult:
        client = lab.client()
        machine = lab.machine(chain(1), client=client, settings=WORKER)
        running = asyncio.ensure_future(machine.execute())
        await lab.clock.sleep_ms(5_000)
        client.fail_at = frozenset({len(client.commands) + 1, len(client.commands) + 2})
        return await running

    assert lab.run(main).success
    assert lab.tools.count("work") == 1


def test_a_store_that_stays_away_stops_the_tools_before_the_lease_is_another_s() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=300_000)

    async def main() -> None:
        client = lab.client()
        machine = lab.machine(chain(1), client=client, settings=WORKER)
        running = asyncio.ensure_future(machine.execute())
        await lab.clock.sleep_ms(5_000)
        client.fail_at = frozenset(range(1_000))
        with pytest.raises(StoreUnavailableError):
            await running

    lab.run(main)
    assert lab.tools.ended == []
    assert lab.clock.elapsed_ms <= WORKER.lease_ms


async def steal(lab: Lab) -> None:
    """Take the execution over as if its lease had run out."""
    store = lab.store()
    client = lab.client()
    keys = store._keys(EXECUTION)
    await client.hset(keys[0], mapping={"lease_owner": "", "lease_until_ms": "0"})
    await store.claim(EXECUTION, "thief", 30_000)


def test_whoever_lost_the_lease_writes_nothing_and_stops_its_tools() -> None:
    lab = Lab()
    lab.tools.scripts["slow"] = Script(latency_ms=100_000)
    plan = plan_of(step("quick", tool="work"), step("slow"))

    async def main() -> ExecutionState:
        async def stolen(_call: ToolCall) -> ToolResult:
            await steal(lab)
            return ToolResult.ok()

        lab.tools.scripts["work"] = Script([stolen])
        with pytest.raises(LeaseLostError):
            await lab.machine(plan, settings=WORKER).execute()
        return await lab.machine().get_state()

    state = lab.run(main)
    assert [one.status for one in state.steps] == [StepStatus.IN_PROGRESS] * 2
    assert lab.tools.ended == ["quick"]
    assert lab.event_names()[-1] == "LEASE_LOST"


def test_a_lease_lost_in_a_long_call_stops_the_call() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=100_000)

    async def main() -> None:
        running = asyncio.ensure_future(lab.machine(chain(1), settings=WORKER).execute())
        await lab.clock.sleep_ms(1_000)
        await steal(lab)
        with pytest.raises(LeaseLostError):
            await running

    lab.run(main)
    assert lab.tools.ended == []
    assert lab.clock.elapsed_ms <= WORKER.lease_ms
    assert lab.event_names()[-1] == "LEASE_LOST"


@pytest.mark.parametrize("way", ["retries", "recovery", "failover"])
def test_a_deaf_tool_of_a_lost_lease_is_not_called_again(way: str) -> None:
    from engine import CallAgain, FailoverPolicy, FailoverRule, RetryAfter

    lab = Lab()
    lab.tools.scripts["slow"] = Script([FAILED], latency_ms=100_000, deaf=True)
    plan = plan_of(
        step("quick", tool="work"),
        step("slow", retry_policy={"max_attempts": 3 if way == "retries" else 1}),
    )
    options: dict[str, Any] = {}
    if way == "failover":
        options["failover"] = FailoverPolicy((FailoverRule(RetryAfter(0), max_uses=2),))
    if way == "recovery":

        async def recovery(_failed: Any, /) -> CallAgain:
            return CallAgain()

        options["recovery"] = recovery

    async def main() -> None:
        async def stolen(_call: ToolCall) -> ToolResult:
            await steal(lab)
            return ToolResult.ok()

        lab.tools.scripts["work"] = Script([stolen])
        with pytest.raises(LeaseLostError):
            await lab.machine(plan, settings=WORKER, **options).execute()

    lab.run(main)
    assert lab.tools.count("slow") == 1


def test_a_cancelled_task_lets_the_cancellation_through() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script(latency_ms=100_000)

    async def main() -> None:
        running = asyncio.ensure_future(lab.machine(chain(1), settings=WORKER).execute())
        await lab.clock.sleep_ms(1_000)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await lab.clock.sleep_ms(WORKER.lease_ms)
        lab.tools.scripts.clear()
        assert (await lab.machine().execute()).success

    lab.run(main)
    assert lab.event_names().count("STEP_REPEATED") == 1


# --- a store that fails --------------------------------------------------------------------------


async def warm(lab: Lab) -> Client:
    """Return a client of a server that knows all scripts, as after the very first run."""
    await lab.machine(chain(2), execution_id="warm up", settings=WORKER).execute()
    lab.tools.calls.clear()
    lab.events.clear()
    return lab.client()


def store_commands(plan: Plan) -> int:
    lab = Lab()

    async def main() -> int:
        client = await warm(lab)
        await lab.machine(plan, client=client, settings=WORKER).execute()
        return len(client.commands)

    return lab.run(main)


@pytest.mark.parametrize("lost_reply", [False, True])
@pytest.mark.parametrize("plan", [chain(3), diamond()], ids=["chain", "diamond"])
def test_a_failing_store_is_never_a_failing_step(plan: Plan, lost_reply: bool) -> None:
    for number in range(1, store_commands(plan) + 1):
        lab = Lab()

        async def main(lab: Lab = lab, number: int = number) -> ExecutionResult:
            client = await warm(lab)
            faults = frozenset({number})
            client.lose_reply_at = faults if lost_reply else frozenset()
            client.fail_at = frozenset() if lost_reply else faults
            with pytest.raises(StoreUnavailableError) as caught:
                await lab.machine(plan, client=client, settings=WORKER).execute()
            assert caught.value.retriable
            await lab.clock.sleep_ms(WORKER.lease_ms)
            return await lab.machine(plan, settings=WORKER).execute()

        assert lab.run(main).success
        state = state_of(lab)
        assert [one.error for one in state.steps] == [None] * len(plan.steps)
        assert all(one.status is StepStatus.COMPLETED for one in state.steps)


def test_a_failing_checkpoint_is_told_to_listeners() -> None:
    lab = Lab()

    async def main() -> None:
        client = lab.client()
        client.fail_at = frozenset({3})
        with pytest.raises(StoreUnavailableError):
            await lab.machine(chain(1), client=client).execute()

    lab.run(main)
    assert EventName.CHECKPOINT_FAILED in [event.name for event in lab.events]


# --- steps whose call was under way --------------------------------------------------------------


async def die_in_call(lab: Lab, plan: Plan, **options: Any) -> None:
    """Let a process die while the first tool that is called has done its work, unheard."""
    running = asyncio.ensure_future(lab.machine(plan, settings=WORKER, **options).execute())
    while not lab.tools.calls:
        await lab.clock.sleep_ms(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await lab.clock.sleep_ms(WORKER.lease_ms)


@pytest.mark.parametrize(
    "effects", [EffectSemantics.READ_ONLY, EffectSemantics.KEYED, EffectSemantics.UNKEYED]
)
def test_it_is_called_again_with_the_same_key_and_input(effects: EffectSemantics) -> None:
    lab = Lab()
    lab.tools.define("work", effects)

    async def main() -> ExecutionResult:
        await die_in_call(lab, plan_of(step("a", tool="work", parameters={"x": [1]})))
        return await lab.machine().execute()

    assert lab.run(main).success
    first, second = lab.tools.calls
    assert (first.idempotency_key, first.parameters) == (second.idempotency_key, second.parameters)
    assert (first.attempt, second.attempt) == (1, 2)
    assert "STEP_REPEATED" in lab.event_names()


@pytest.mark.parametrize("happened", [True, False])
def test_a_queryable_tool_is_asked_before_it_is_called_again(happened: bool) -> None:
    lab, asked = Lab(), []

    async def lookup(key: str) -> ToolResult | None:
        asked.append(key)
        return ToolResult.ok({"found": (1, 2)}) if happened else None

    lab.tools.define("work", EffectSemantics.QUERYABLE, lookup=lookup)
    plan = plan_of(step("a", tool="work"), step("b", "a", parameters={"x": "$a.found"}))

    async def main() -> ExecutionResult:
        await die_in_call(lab, plan)
        return await lab.machine().execute()

    assert lab.run(main).success
    assert asked == [lab.tools.calls[0].idempotency_key]
    assert lab.tools.count("work") == (1 if happened else 2)
    if happened:
        assert lab.tools.calls[-1].parameters == {"x": [1, 2]}
        assert "STEP_COMPLETED" in lab.event_names()


def test_what_a_lookup_found_can_be_undone() -> None:
    from tests.engine.lab import undo

    lab = Lab()

    async def lookup(_key: str) -> ToolResult:
        return ToolResult.ok({"booking": 7})

    lab.tools.define(
        "book_it",
        EffectSemantics.QUERYABLE,
        lookup=lookup,
        compensation=lambda sent, got: undo("unbook", booking=got["booking"], **sent),
    )
    lab.tools.scripts["fails"] = Script([FAILED])
    fields = {"restaurantId": "r", "partySize": 2, "startTime": "19:00"}
    plan = plan_of(step("a", tool="book_it", parameters=fields), step("b", "a", tool="fails"))

    async def main() -> ExecutionResult:
        await die_in_call(lab, plan)
        return await lab.machine().execute()

    result = lab.run(main)
    assert (result.status, result.compensated_steps) == (ExecutionStatus.COMPENSATED, ("a",))
    assert lab.tools.calls[-1].parameters == {"booking": 7, **fields}


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize("confirmed_before", [False, True])
def test_at_most_once_is_in_doubt_until_a_person_decides(
    approved: bool, confirmed_before: bool
) -> None:
    lab = Lab()
    lab.tools.define("wire", EffectSemantics.AT_MOST_ONCE)
    plan = plan_of(step("a", tool="wire", requires_confirmation=confirmed_before))

    async def main() -> ExecutionResult:
        if confirmed_before:
            asked = await lab.machine(plan).execute()
            assert asked.waiting_for is not None
            await lab.machine().confirm("a", asked.waiting_for.token, approved=True)
        await die_in_call(lab, plan)
        result = await lab.machine().execute()
        assert result.waiting_for is not None and result.waiting_for.reason == "in_doubt"
        state = await lab.machine().get_state()
        assert state.steps[0].status is StepStatus.IN_DOUBT
        assert lab.tools.count("wire") == 1
        await lab.machine().confirm("a", result.waiting_for.token, approved=approved)
        return await lab.machine().execute()

    result = lab.run(main)
    assert result.success is approved
    assert lab.tools.count("wire") == (2 if approved else 1)
    assert "STEP_IN_DOUBT" in lab.event_names()


def test_at_most_once_is_in_doubt_again_after_a_second_crash() -> None:
    lab = Lab()
    lab.tools.define("wire", EffectSemantics.AT_MOST_ONCE)

    async def main() -> ExecutionResult:
        await die_in_call(lab, plan_of(step("a", tool="wire")))
        asked = await lab.machine().execute()
        assert asked.waiting_for is not None
        await lab.machine().confirm("a", asked.waiting_for.token, approved=True)
        running = asyncio.ensure_future(lab.machine().execute())
        while lab.tools.count("wire") < 2:
            await lab.clock.sleep_ms(1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await lab.clock.sleep_ms(WORKER.lease_ms)
        return await lab.machine().execute()

    result = lab.run(main)
    assert result.waiting_for is not None and result.waiting_for.reason == "in_doubt"
    assert lab.tools.count("wire") == 2


@pytest.mark.parametrize("answer", [RuntimeError("connection reset"), None])
def test_at_most_once_is_not_retried_when_the_outcome_is_unknown(answer: Exception | None) -> None:
    """An exception or an abort does not tell whether the effect happened; a failure does."""
    lab = Lab()
    lab.tools.define("wire", EffectSemantics.AT_MOST_ONCE)
    lab.tools.scripts["wire"] = Script(
        [answer] if answer else [], latency_ms=10 if answer else 60_000
    )
    plan = plan_of(step("a", tool="wire", retry_policy={"max_attempts": 3}))
    execute(lab, plan, settings=SERVERLESS)
    assert lab.tools.count("wire") == 1


def test_at_most_once_is_retried_after_a_definite_failure() -> None:
    lab = Lab()
    lab.tools.define("wire", EffectSemantics.AT_MOST_ONCE)
    lab.tools.scripts["wire"] = Script([FAILED, ToolResult.ok()])
    assert execute(lab, plan_of(step("a", tool="wire", retry_policy={"max_attempts": 2}))).success


def test_events_of_steps_say_when_it_happened_not_when_it_was_written() -> None:
    lab = Lab()
    lab.tools.scripts["slow"] = Script(latency_ms=500)
    lab.tools.scripts["quick"] = Script(latency_ms=200)
    plan = plan_of(step("slow"), step("quick"), step("last", "slow", "quick"))
    result = lab.run(lambda: lab.machine(plan).execute())
    told = {(event.name, event.step_id): event.at_ms for event in lab.events if event.step_id}
    for state in result.steps:
        assert told[EventName.STEP_STARTED, state.id] == state.started_at_ms
        assert told[EventName.STEP_COMPLETED, state.id] == state.completed_at_ms
