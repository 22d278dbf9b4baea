"""Without these an execution whose process dies at the wrong moment could end differently, or never.

Each plan is run with the process dying before and after every store command, then resumed by a new
process, and must end as it does undisturbed. All tools here are keyed: what counts is effects.
"""

from typing import Any

import pytest

from engine import (
    AlternativeParameters,
    AlternativeTool,
    EffectSemantics,
    ExecutionStatus,
    FailoverPolicy,
    FailoverRule,
    RetryAfter,
    Scheduling,
    ToolResult,
)
from engine.errors import ExecutionNotFoundError
from engine.plan import Plan
from engine.settings import WorkflowSettings
from engine.types.execution import ExecutionState
from tests.engine.lab import WORKER, Killed, Lab, Script, balance, chain, plan_of, step, undo

SERVERLESS = WorkflowSettings()


def booked(name: str, *after: str) -> dict[str, Any]:
    return step(name, *after, tool="hire", compensation={"tool_name": "undo"})


DIAMOND = plan_of(
    step("top", tool="work"),
    step("left", "top", tool="work"),
    step("right", "top", tool="slow"),
    step("end", "left", "right", tool="work", parameters={"l": "$left.step", "r": "$right.step"}),
)
SAGA = plan_of(
    booked("top"),
    booked("left", "top"),
    booked("right", "top"),
    step("fails", "left"),
    step("slow", "left", compensation={"tool_name": "undo"}),
)
RESCUED = plan_of(booked("top"), step("first", "top"), step("fails", "first"))
PLANS = {
    "chain": chain(4),
    "diamond": DIAMOND,
    "saga": SAGA,
    "long": chain(5),
    "rescued": RESCUED,
}
PLANS |= {f"eager {name}": plan for name, plan in PLANS.items()}
EAGER = {"scheduling": Scheduling.EAGER}
SETTINGS = {
    name: (SERVERLESS if "long" in name else WORKER).model_copy(
        update=EAGER if "eager" in name else {}
    )
    for name in PLANS
}
FAILOVER = FailoverPolicy(
    (
        FailoverRule(AlternativeParameters({"x": 1}), tool="first"),
        FailoverRule(AlternativeTool("second"), tool="first"),
        FailoverRule(RetryAfter(5), tool="second"),
    )
)
OPTIONS: dict[str, dict[str, Any]] = {
    name: {"failover": FAILOVER} for name in PLANS if "rescued" in name
}


def new_lab(name: str) -> Lab:
    lab = Lab()
    lab.tools.scripts["fails"] = Script([ToolResult.failed("no luck")])
    lab.tools.scripts["slow"] = Script(latency_ms=40)
    lab.tools.scripts["first"] = Script([ToolResult.failed("status 503")])
    lab.tools.define("second", EffectSemantics.KEYED, compensation=lambda *_: undo("unsecond"))
    if "long" in name:
        lab.tools.scripts["work"] = Script(latency_ms=2_500)
    return lab


def final(state: ExecutionState) -> tuple[Any, ...]:
    """What must not depend on crashes: everything but attempts, segments and times."""
    return (
        state.status,
        state.error,
        state.waiting_for,
        tuple(
            (
                one.status,
                one.output,
                one.has_output,
                one.error,
                one.input is None,
                one.compensation_status,
            )
            for one in state.steps
        ),
    )


async def undisturbed(
    lab: Lab, plan: Plan, settings: WorkflowSettings, **options: Any
) -> tuple[Any, ...]:
    await lab.finish(plan, settings=settings, **options)
    return final(await lab.machine().get_state())


def run(name: str, die: dict[str, int] | None) -> tuple[tuple[Any, ...], int, dict[str, int], bool]:
    """Return the final state, the commands of the first process, the effects left, and if it died."""
    lab, plan, settings = new_lab(name), PLANS[name], SETTINGS[name]
    options = OPTIONS.get(name, {})

    async def main() -> tuple[tuple[Any, ...], int, bool]:
        client = lab.client()
        for field, number in (die or {}).items():
            setattr(client, field, number)
        died = False
        try:
            await lab.machine(plan, client=client, settings=settings, **options).execute()
        except BaseException as error:
            died = bool(_killed(error))
            if not died:
                raise
        commands = len(client.commands)
        await lab.clock.sleep_ms(settings.lease_ms)
        # The caller does not know whether the execution was begun: it asks with its plan again.
        state = await undisturbed(lab, plan, settings, **options)
        try:
            due = await lab.store().due(lab.clock.now_ms() * 2, 10)
        except ExecutionNotFoundError:
            due = []
        assert due == []
        return state, commands, died

    state, commands, died = lab.run(main)
    return state, commands, balance(lab.tools.calls), died


def _killed(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_killed(inner) for inner in error.exceptions)
    return isinstance(error, Killed)


@pytest.mark.parametrize("when", ["die_before", "die_after"])
@pytest.mark.parametrize("name", PLANS)
def test_dying_at_any_store_command_changes_nothing(name: str, when: str) -> None:
    expected, commands, effects, died = run(name, None)
    assert not died and commands > 4
    for number in range(1, commands + 1):
        found, _, left, died = run(name, {when: number})
        assert died, number
        assert (found, left) == (expected, effects), f"{when} {number} of {commands}"


def test_the_saga_balances() -> None:
    state, _, effects, _ = run("saga", None)
    assert state[0] is ExecutionStatus.COMPENSATED
    assert effects == {"top": 0, "left": 0, "right": 0, "slow": 0, "fails": 1}


@pytest.mark.parametrize("at_ms", range(0, 120, 3))
def test_dying_in_the_middle_of_a_call_changes_nothing(at_ms: int) -> None:
    """The crash comes from the clock instead of the store: between two writes."""
    import asyncio

    expected, _, effects, _ = run("saga", None)
    lab = new_lab("saga")

    async def main() -> tuple[Any, ...]:
        client = lab.client()
        running = asyncio.ensure_future(lab.machine(SAGA, client=client, settings=WORKER).execute())
        await lab.clock.sleep_ms(at_ms)
        client.dead = True
        running.cancel()
        await asyncio.wait([running])
        running.cancelled() or running.exception()
        await lab.clock.sleep_ms(WORKER.lease_ms)
        return await undisturbed(lab, SAGA, WORKER)

    assert lab.run(main) == expected
    assert balance(lab.tools.calls) == effects


@pytest.mark.parametrize("first", range(2, 8))
def test_dying_again_and_again_changes_nothing(first: int) -> None:
    """Every process dies after so many commands; each gets one further than the one before."""
    expected, commands, effects, _ = run("saga", None)
    lab = new_lab("saga")

    async def main() -> tuple[Any, ...]:
        deaths = 0
        while deaths < 4 * commands:
            client = lab.client()
            client.die_after = first
            try:
                await lab.machine(SAGA, client=client, settings=WORKER).execute()
                break
            except BaseException as error:
                if not _killed(error):
                    raise
                deaths += 1
                await lab.clock.sleep_ms(WORKER.lease_ms)
        assert deaths
        return await undisturbed(lab, SAGA, WORKER)

    assert lab.run(main) == expected
    assert balance(lab.tools.calls) == effects
