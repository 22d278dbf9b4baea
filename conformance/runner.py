"""Runs one scenario through one executor in a fresh world.

`run_scenario` is a pure function of its arguments and can be sent to a process pool.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chaos.virtual_time import StalledError, VirtualClock, run_virtual
from conformance.driver import Driver
from conformance.errors import HarnessError, PlanproofError
from conformance.fault_script import FaultScript
from conformance.observed_redis import StoreObserver
from conformance.process import follow_tasks
from conformance.scenario import Scenario
from conformance.stores import FAKE, open_store, parse_store, unreachable
from conformance.subject import BuildSubject, find_subject
from conformance.tool_scripts import Effect
from conformance.trace import Observations, Trace, assemble
from conformance.world import World, build_world


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What one run showed: the trace, and the ledger that the tools kept."""

    trace: Trace
    effects: Sequence[Effect]


def run_scenario(scenario: Scenario, subject_name: str, *, store: str = FAKE) -> Trace:
    """Run `scenario` through the executor called `subject_name` and return its trace.

    Args:
        scenario: what to run.
        subject_name: a name that `conformance.subject.find_subject` knows.
        store: `fake`, or the URL of a Redis server with an empty database.

    Raises:
        UsageError: unknown executor, bad URL, or a database that holds keys.
        HarnessError: the store failed, or the executor waits for something that never comes.
    """
    return run_recorded(scenario, subject_name, store=store).trace


def run_recorded(scenario: Scenario, subject_name: str, *, store: str = FAKE) -> RunRecord:
    """Run `scenario` as `run_scenario` does and return trace and effect ledger."""
    clock = VirtualClock()
    try:
        return run_virtual(
            lambda: run_in_virtual_time(scenario, subject_name, clock, store=store), clock
        )
    except StalledError as error:
        address = parse_store(store)
        where = "" if address.is_fake else f"; the store is {address.public}"
        raise HarnessError(f"{error}{where}", place=scenario.name) from error


async def run_in_virtual_time(
    scenario: Scenario, subject_name: str, clock: VirtualClock, *, store: str = FAKE
) -> RunRecord:
    """Run `scenario` on the running loop, which must be a `VirtualLoop` on `clock`."""
    build = find_subject(subject_name)
    address = parse_store(store)
    follow_tasks(asyncio.get_running_loop())
    observer = StoreObserver(clock, Observations(), FaultScript(scenario.faults))
    try:
        async with open_store(address, observer) as client:
            return await _drive(build_world(scenario, clock, client), build, subject_name)
    except HarnessError as error:
        error.place = error.place or scenario.name
        raise
    except PlanproofError:
        raise
    except Exception as error:
        # A store that went away shows as whatever its failure led to.
        if observer.broken is None:
            raise
        raise unreachable(address, observer.broken, place=scenario.name) from error


async def _drive(world: World, build: BuildSubject, subject_name: str) -> RunRecord:
    driver = Driver(world, build)
    try:
        await driver.drive()
        persisted = await driver.subject.state(world.scenario.execution_id)
        effects = await driver.subject.effects()
    finally:
        await driver.close()
    trace = assemble(
        world.scenario.name,
        subject_name,
        world.seen,
        returned=driver.returned,
        persisted=persisted,
    )
    return RunRecord(trace, effects)
