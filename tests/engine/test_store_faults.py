"""Without these an outage of the store could fail a step, or a lost reply repeat an effect."""

import asyncio
from typing import Any

import pytest
from redis import exceptions

from engine.errors import StoreUnavailableError
from engine.states import StepStatus
from tests.engine.lab import WORKER, Lab, RetryingClient, balance
from tests.engine.test_crashes import OPTIONS, PLANS, SETTINGS, final, new_lab, undisturbed

ERRORS = [
    exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'"),
    exceptions.ReadOnlyError("You can't write against a read only replica."),
    exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
    exceptions.TimeoutError("Timeout reading from socket"),
    exceptions.ConnectionError("Connection closed by server."),
    exceptions.ResponseError("MISCONF Errors writing to the AOF file"),
    exceptions.AuthenticationError("WRONGPASS"),
    exceptions.ClusterDownError("CLUSTERDOWN Hash slot not served"),
    ConnectionResetError("reset by peer"),
    TimeoutError(),
]
STEP_CODES = {None, "TOOL_EXECUTION_FAILED"}


def run(
    name: str, field: str, number: int, retries: int
) -> tuple[tuple[Any, ...], dict[str, int], list[str], int, bool]:
    """Return final state, effects left, calls, attempts of the first process, if it failed."""
    lab, options = new_lab(name), OPTIONS.get(name, {})

    async def main() -> tuple[tuple[Any, ...], int, bool]:
        await lab.machine(PLANS["chain"], execution_id="warm up", settings=WORKER).execute()
        lab.tools.calls.clear()
        client = RetryingClient(lab.server, retries)
        lab.clients.append(client)
        setattr(client, field, number)
        failed = False
        machine = lab.machine(PLANS[name], client=client, settings=SETTINGS[name], **options)
        try:
            result = await machine.execute()
            while result.due_at_ms is not None:
                await lab.clock.sleep_ms(max(0, result.due_at_ms - lab.clock.now_ms()))
                result = await machine.execute()
        except StoreUnavailableError:
            failed = True
            await lab.clock.sleep_ms(WORKER.lease_ms)
        state = await undisturbed(lab, PLANS[name], SETTINGS[name], **options)
        return state, client.attempts, failed

    state, attempts, failed = lab.run(main)
    return state, balance(lab.tools.calls), lab.tools.names, attempts, failed


@pytest.mark.parametrize("field", ["cut_at", "lose_at"])
@pytest.mark.parametrize("name", PLANS)
def test_a_command_that_the_client_library_repeats_is_applied_once(name: str, field: str) -> None:
    """Cut before it was sent or after it was applied: the run goes on as if nothing had been."""
    expected = run(name, field, 0, retries=3)
    assert not expected[4] and expected[3] > 4
    for number in range(1, expected[3] + 1):
        found = run(name, field, number, retries=3)
        assert found[:3] == expected[:3], f"{field} {number} of {expected[3]}"
        assert not found[4] and found[3] >= expected[3]


@pytest.mark.parametrize("field", ["cut_at", "lose_at"])
@pytest.mark.parametrize("name", PLANS)
def test_without_the_client_s_retries_a_resume_ends_as_if_nothing_had_been(
    name: str, field: str
) -> None:
    expected = run(name, field, 0, retries=0)
    for number in range(1, expected[3] + 1):
        found = run(name, field, number, retries=0)
        assert found[4], number
        assert found[:2] == expected[:2], f"{field} {number} of {expected[3]}"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("name", ["chain", "saga", "eager rescued"])
def test_an_error_of_the_store_is_no_failure_of_a_step(name: str, error: Exception) -> None:
    lab = new_lab(name)
    plan, settings, options = PLANS[name], SETTINGS[name], OPTIONS.get(name, {})
    expected = lab.run(lambda: undisturbed(lab, plan, settings, **options))
    commands, number = 99, 0
    while number < commands:
        number += 1
        lab = new_lab(name)

        async def main(lab: Lab = lab, number: int = number) -> tuple[Any, int]:
            client = lab.client()
            client.fail_at, client.fault = frozenset({number}), error
            machine = lab.machine(plan, client=client, settings=settings, **options)
            try:
                await machine.execute()
            except StoreUnavailableError:
                pass
            else:
                return None, len(client.commands)
            if number > 2:  # the script and its text: nothing had begun
                state = await lab.machine().get_state()
                codes = {one.error and one.error.code for one in state.steps}
                assert codes <= STEP_CODES, number
                assert StepStatus.IN_DOUBT not in {one.status for one in state.steps}
            # The same process goes on as soon as the store is back; another one after the lease.
            if number % 2:
                await lab.clock.sleep_ms(WORKER.lease_ms)
                machine = lab.machine(plan, settings=settings, **options)
            client.fail_at = frozenset()
            await machine.execute()
            return final(await lab.machine().get_state()), 99

        found, commands = lab.run(main)
        assert found in (expected, None), number
    assert number > 5


def test_a_store_that_is_away_for_long_stops_what_runs_and_loses_nothing() -> None:
    lab = new_lab("diamond")

    async def main() -> tuple[Any, ...]:
        client = lab.client()
        running = asyncio.ensure_future(
            lab.machine(PLANS["diamond"], client=client, settings=WORKER).execute()
        )
        await lab.clock.sleep_ms(15)
        client.fail_at = frozenset(range(1_000))
        with pytest.raises(StoreUnavailableError):
            await running
        await lab.clock.sleep_ms(10 * WORKER.lease_ms)
        return await undisturbed(lab, PLANS["diamond"], WORKER)

    other = new_lab("diamond")
    assert lab.run(main) == other.run(lambda: undisturbed(other, PLANS["diamond"], WORKER))
