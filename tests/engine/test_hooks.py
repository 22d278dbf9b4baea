"""Without these code of the caller could keep an execution's lease, or stop the engine for good."""

import asyncio
from typing import Any

import pytest

from chaos.virtual_time import VirtualClock, run_virtual
from engine import CallAgain, EffectSemantics, ExecutionStatus, ToolResult
from engine.events import EventName
from engine.hooks import HookFailedError, ask
from engine.settings import WorkflowSettings
from engine.states import StepStatus
from engine.types.execution import ExecutionResult
from tests.engine.lab import EXECUTION, WORKER, Killed, Lab, Script, plan_of, step, undo

FAILED = ToolResult.failed("no luck")
TIMEOUT_MS = WorkflowSettings().hook_timeout_ms
PLAN = plan_of(step("a", tool="pay"), step("b", "a"))


class Lookups:
    """A lookup that does what it is told, in turn; the last repeats."""

    def __init__(self, lab: Lab, *answers: Any) -> None:
        self.lab = lab
        self.answers = list(answers)
        self.keys: list[str] = []

    async def __call__(self, key: str) -> Any:
        self.keys.append(key)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "hangs":
            await asyncio.Event().wait()
        if answer == "is deaf":
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if self.lab.clock.elapsed_ms > 10**9:
                        raise
        if isinstance(answer, BaseException):
            raise answer
        return answer


async def die_in(lab: Lab, plan: Any, tool: str) -> None:
    running = asyncio.ensure_future(lab.machine(plan, settings=WORKER).execute())
    while not lab.tools.count(tool):
        await lab.clock.sleep_ms(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await lab.clock.sleep_ms(WORKER.lease_ms)


BROKEN = [RuntimeError("down"), KeyError("x"), "hangs", asyncio.CancelledError(), "no result"]


@pytest.mark.parametrize("how", BROKEN, ids=repr)
@pytest.mark.parametrize("effects", [EffectSemantics.QUERYABLE, EffectSemantics.AT_MOST_ONCE])
def test_a_lookup_that_fails_leaves_a_step_in_doubt_and_the_lease_free(
    how: Any, effects: EffectSemantics
) -> None:
    lab = Lab()
    lookups = Lookups(lab, how, ToolResult.ok({"id": 1}))
    lab.tools.define("pay", effects, lookup=lookups)

    async def main() -> ExecutionResult:
        await die_in(lab, PLAN, "pay")
        began_ms = lab.clock.elapsed_ms
        asked = await lab.machine(settings=WORKER).execute()
        assert lab.clock.elapsed_ms - began_ms <= TIMEOUT_MS
        assert asked.status is ExecutionStatus.AWAITING_CONFIRMATION
        assert asked.waiting_for is not None and asked.waiting_for.reason == "in_doubt"
        state = (await lab.machine().get_state()).steps[0]
        assert state.status is StepStatus.IN_DOUBT
        assert state.error is not None and state.error.code == "LOOKUP_FAILED"
        doubts = [event for event in lab.events if event.name is EventName.STEP_IN_DOUBT]
        assert doubts[-1].detail["code"] == "LOOKUP_FAILED"
        # Nobody holds the lease, and whoever asks what is due finds the execution.
        retry_ms = lab.clock.now_ms() + WORKER.lookup_retry_ms
        assert await lab.store().due(retry_ms - 1, 9) == []
        assert await lab.store().due(retry_ms, 9) == [EXECUTION]
        return await lab.machine(settings=WORKER).execute()

    result = lab.run(main)
    assert result.success and result.steps[0].output == {"id": 1}
    assert lab.tools.names == ["pay", "b"]
    assert len(set(lookups.keys)) == 1


def test_a_lookup_that_finds_nothing_after_all_lets_the_call_be_made() -> None:
    lab = Lab()
    lab.tools.define(
        "pay", EffectSemantics.QUERYABLE, lookup=Lookups(lab, RuntimeError("down"), None)
    )

    async def main() -> ExecutionResult:
        await die_in(lab, PLAN, "pay")
        assert (await lab.machine().execute()).waiting_for is not None
        return await lab.machine().execute()

    assert lab.run(main).success
    assert lab.tools.names == ["pay", "pay", "b"]
    assert len({call.idempotency_key for call in lab.tools.calls[:2]}) == 1


def test_a_person_may_decide_while_the_lookup_fails() -> None:
    lab = Lab()
    lab.tools.define("pay", EffectSemantics.QUERYABLE, lookup=Lookups(lab, RuntimeError("down")))

    async def main() -> ExecutionResult:
        await die_in(lab, PLAN, "pay")
        asked = await lab.machine().execute()
        again = await lab.machine().execute()
        assert asked.waiting_for is not None and again.waiting_for == asked.waiting_for
        await lab.machine().confirm("a", asked.waiting_for.token, approved=False)
        return await lab.machine().execute()

    assert lab.run(main).status is ExecutionStatus.FAILED
    assert lab.tools.names == ["pay"]


@pytest.mark.parametrize("happened", [True, False])
def test_a_call_that_raised_is_looked_up_at_once(happened: bool) -> None:
    """Retried, failed over or failed: each would be wrong after an effect."""
    lab = Lab()
    lookups = Lookups(lab, ToolResult.ok({"id": 1}) if happened else None)
    lab.tools.define("pay", EffectSemantics.QUERYABLE, lookup=lookups)
    lab.tools.scripts["pay"] = Script([RuntimeError("connection reset"), ToolResult.ok({"id": 2})])
    plan = plan_of(step("a", tool="pay", retry_policy={"max_attempts": 2}))
    result = lab.run(lambda: lab.machine(plan, settings=WORKER).execute())
    assert result.success and result.steps[0].output == {"id": 1 if happened else 2}
    assert lab.tools.count("pay") == (1 if happened else 2)


def test_the_lease_is_kept_while_lookups_take_their_time() -> None:
    lab = Lab()
    settings = WORKER.model_copy(update={"hook_timeout_ms": 10 * WORKER.lease_ms})

    async def lookup(_key: str) -> ToolResult:
        await lab.clock.sleep_ms(5 * WORKER.lease_ms)
        assert await lab.store().due(lab.clock.now_ms(), 9) == []
        return ToolResult.ok()

    lab.tools.define("pay", EffectSemantics.QUERYABLE, lookup=lookup)

    async def main() -> ExecutionResult:
        await die_in(lab, PLAN, "pay")
        return await lab.machine(settings=settings).execute()

    assert lab.run(main).success
    assert lab.tools.names == ["pay", "b"]


# --- in a rollback -------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["happened", "nothing", "fails twice", "fails"])
def test_a_rollback_asks_about_effects_in_doubt(answer: str) -> None:
    lab = Lab()
    happened = ToolResult.ok({"id": 7})
    down = RuntimeError("down")
    answers: dict[str, list[Any]] = {
        "happened": [down, happened],
        "nothing": [down, None],
        "fails twice": [down, "hangs", down, happened],
        "fails": [down],
    }
    lab.tools.define(
        "pay",
        EffectSemantics.QUERYABLE,
        lookup=Lookups(lab, *answers[answer]),
        compensation=lambda sent, got: undo("refund", **got),
    )
    lab.tools.scripts["pay"] = Script([RuntimeError("connection reset")])
    lab.tools.scripts["fails"] = Script([FAILED])
    plan = plan_of(step("a", tool="pay"), step("fails"))
    result = lab.run(lambda: lab.machine(plan, settings=WORKER).execute())
    expected = {
        "happened": (ExecutionStatus.COMPENSATED, ("a",), ()),
        "nothing": (ExecutionStatus.FAILED, (), ()),
        "fails twice": (ExecutionStatus.COMPENSATED, ("a",), ()),
        "fails": (ExecutionStatus.COMPENSATION_FAILED, (), ("a",)),
    }
    found = (result.status, result.compensated_steps, result.uncompensated_steps)
    assert found == expected[answer]
    assert lab.tools.count("refund") == len(result.compensated_steps)


def test_a_cancelled_execution_in_doubt_is_rolled_back_through_its_lookup() -> None:
    lab = Lab()
    lab.tools.define(
        "pay",
        EffectSemantics.QUERYABLE,
        lookup=Lookups(lab, RuntimeError("down"), RuntimeError("down"), ToolResult.ok()),
        compensation=lambda *_: undo("refund"),
    )

    async def main() -> ExecutionResult:
        await die_in(lab, PLAN, "pay")
        assert (await lab.machine().execute()).waiting_for is not None
        await lab.machine().cancel("stop")
        return await lab.machine().execute()

    result = lab.run(main)
    assert (result.status, result.compensated_steps) == (ExecutionStatus.CANCELLED, ("a",))


# --- recovery ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["hangs", "is deaf", RuntimeError("down")], ids=repr)
def test_a_recovery_that_fails_is_no_recovery(how: Any) -> None:
    lab = Lab()
    hook = Lookups(lab, how)

    async def recovery(failed: Any, /) -> CallAgain | None:
        found: CallAgain | None = await hook(failed.message)
        return found

    lab.tools.scripts["a"] = Script([ToolResult.failed("status 500")])

    async def main() -> ExecutionResult:
        result = await lab.machine(plan_of(step("a")), settings=WORKER, recovery=recovery).execute()
        lab.clock._elapsed_ms = 10**10  # lets the deaf one go
        return result

    assert lab.run(main).status is ExecutionStatus.FAILED
    assert (lab.tools.count("a"), len(hook.keys)) == (1, 1)
    assert lab.event_names()[-1] == "WORKFLOW_FAILED"


# --- whatever else a caller's code may raise -----------------------------------------------------


@pytest.mark.parametrize("resumed", [False, True])
def test_a_catalog_that_raises_does_not_keep_the_lease(resumed: bool) -> None:
    lab = Lab()

    class Catalog:
        broken = not resumed

        def definition(self, _tool_name: str) -> None:
            if self.broken:
                raise RuntimeError("catalog")

    catalog = Catalog()

    async def main() -> ExecutionResult:
        if resumed:
            await die_in(lab, PLAN, "pay")
            catalog.broken = True
        with pytest.raises(RuntimeError, match="catalog"):
            await lab.machine(PLAN, catalog=catalog, settings=WORKER).execute()
        due_ms = lab.clock.now_ms() + WORKER.resume_delay_ms
        assert await lab.store().due(due_ms, 9) == [EXECUTION]
        catalog.broken = False
        return await lab.machine(catalog=catalog, settings=WORKER).execute()

    assert lab.run(main).success


def test_a_hook_s_answer_and_its_end() -> None:
    clock = VirtualClock()

    async def main() -> list[Any]:
        async def answer() -> int:
            await clock.sleep_ms(9)
            return 1

        async def killed() -> int:
            raise Killed

        found: list[Any] = [await ask(answer, clock=clock, timeout_ms=10)]
        with pytest.raises(HookFailedError, match="within 8 ms"):
            await ask(answer, clock=clock, timeout_ms=8)
        with pytest.raises(Killed):
            await ask(killed, clock=clock, timeout_ms=8)
        waiting = asyncio.ensure_future(ask(answer, clock=clock, timeout_ms=99))
        await clock.sleep_ms(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return found

    assert run_virtual(main, clock) == [1]
