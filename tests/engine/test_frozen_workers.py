"""Without these a process that wakes after its lease could write over what another has done."""

import asyncio
from typing import Any

import pytest

from engine import ExecutionStatus, ToolResult
from engine.errors import EngineError, LeaseLostError
from engine.types.execution import ExecutionResult
from tests.engine.lab import EXECUTION, WORKER, Client, Lab, Script, balance
from tests.engine.test_crashes import OPTIONS, PLANS, SETTINGS, final, new_lab, undisturbed
from tests.engine.test_redis_store import dump_raw

CALL_MS = 25_000  # long enough for renewals to be among the commands


def slow_lab(name: str) -> Lab:
    """Return a lab whose calls outlast renewals, so that heartbeats are frozen too."""
    lab = new_lab(name)
    for script in lab.tools.scripts.values():
        script.latency_ms += CALL_MS
    for tool in ("work", "hire", "undo", "second", "unsecond"):
        lab.tools.scripts[tool] = Script(latency_ms=CALL_MS)
    return lab


async def stored(lab: Lab, client: Client) -> dict[Any, Any]:
    class Everything:
        pass

    everything: Any = Everything()
    everything.client = client
    return await dump_raw(everything)


def freeze(name: str, at: int) -> tuple[tuple[Any, ...], dict[str, int], str, int]:
    """Freeze a process before its nth command until another has finished; then let it wake."""
    lab, plan, options = slow_lab(name), PLANS[name], OPTIONS.get(name, {})

    async def main() -> tuple[tuple[Any, ...], str, int]:
        client = lab.client()
        client.freeze_at, client.thaw = at or None, asyncio.Event()
        machine = lab.machine(plan, client=client, settings=SETTINGS[name], **options)
        sleeper = asyncio.ensure_future(machine.execute())
        if not at:
            await sleeper
            return final(await lab.machine().get_state()), "", len(client.commands)
        while len(client.commands) < at:
            await lab.clock.sleep_ms(1_000)
        await lab.clock.sleep_ms(WORKER.lease_ms + CALL_MS)
        assert not sleeper.done()
        state = await undisturbed(lab, plan, SETTINGS[name], **options)
        reader = lab.client()
        before, calls = await stored(lab, reader), len(lab.tools.calls)
        client.thaw.set()
        try:
            result: ExecutionResult = await sleeper
            woken = "recorded" if result.status is state[0] else str(result.status)
        except EngineError as error:
            woken = error.code
        assert await stored(lab, reader) == before
        assert len(lab.tools.calls) == calls
        return state, woken, 0

    state, woken, commands = lab.run(main)
    return state, balance(lab.tools.calls), woken, commands


@pytest.mark.parametrize("name", ["chain", "diamond", "saga", "rescued", "eager saga"])
def test_whatever_a_sleeper_was_about_to_write_is_refused(name: str) -> None:
    expected, effects, _, commands = freeze(name, 0)
    seen = set()
    for number in range(1, commands + 1):
        state, left, woken, _ = freeze(name, number)
        assert (state, left) == (expected, effects), f"{number} of {commands}"
        seen.add(woken)
    # Only who had not claimed yet is told the result; every other write is refused.
    assert seen == {"recorded", "LEASE_LOST"}


def test_a_sleeper_s_heartbeat_and_release_are_refused() -> None:
    lab = Lab()

    async def main() -> None:
        lab.tools.scripts["work"] = Script(latency_ms=CALL_MS)
        old = await lab.store().begin(EXECUTION, "sleeper", WORKER.lease_ms, _beginning())
        await lab.clock.sleep_ms(WORKER.lease_ms)
        running = asyncio.ensure_future(lab.machine(settings=WORKER).execute())
        await lab.clock.sleep_ms(1_000)
        due = await lab.store().due(lab.clock.now_ms() + 10**6, 9)
        for attempt in (
            lab.store().renew(old.lease, WORKER.lease_ms),
            lab.store().apply(old.lease, _release()),
        ):
            with pytest.raises(LeaseLostError):
                await attempt
        assert await lab.store().due(lab.clock.now_ms() + 10**6, 9) == due == [EXECUTION]
        assert (await running).status is ExecutionStatus.COMPLETED

    lab.run(main)
    assert lab.tools.count("work") == 4


def test_of_many_resumers_one_works() -> None:
    lab = Lab()
    lab.tools.scripts["work"] = Script([ToolResult.ok(1)], latency_ms=100)

    async def main() -> list[Any]:
        machines = [lab.machine(PLANS["chain"], settings=WORKER) for _ in range(20)]
        return await asyncio.gather(
            *(machine.execute() for machine in machines), return_exceptions=True
        )

    results = lab.run(main)
    codes = [getattr(result, "code", "") for result in results]
    assert codes.count("LEASE_HELD") == 19 and lab.tools.count("work") == 4


def _beginning() -> Any:
    from engine.store import Beginning

    return Beginning(plan=PLANS["chain"])


def _release() -> Any:
    from engine.store import Transition

    return Transition(operation_id="late", lease_ms=1, release=True, due="remove")
