"""Executions of both engines under recording, as a consumer would have them."""

import asyncio

from conformance.recording import Recorder
from conformance.runner import run_scenario
from conformance.scenario_builder import ScenarioBuilder, fails, reference, succeeds
from conformance.subject import executor
from conformance.subjects.legacy import LegacySubject
from engine import Compensation, ToolRegistry
from engine.clock import SystemClock
from engine.store_url import open_store
from engine.workflow_machine import WorkflowMachine


def scenario_of(name, *, charge=None):
    """Return look -> (hold, pay), pay with what look gave."""
    return (
        ScenarioBuilder(name)
        .step("look", parameters={"city": "Bern"})
        .step("hold", after=["look"], parameters={"room": reference("look", "room")})
        .step("pay", after=["look"], parameters={"token": reference("look", "token")})
        .tool("look", succeeds({"room": 7, "token": "s3cret-token"}, latency_ms=20))
        .tool("hold", succeeds({"id": "B-1"}, latency_ms=5, undo="cancel"))
        .tool("pay", charge or succeeds({"paid": True}, latency_ms=8))
        .build()
    )


def record_legacy(path, scenario, **options):
    """Run `scenario` on the legacy executor with its tools under recording."""

    class Recording(LegacySubject):
        def __init__(self, world):
            super().__init__(world)
            recorder = Recorder(path, clock=world.clock, **options)
            self.execution = recorder.execution(
                world.scenario.execution_id, world.scenario.plan, intent=world.scenario.intent
            )
            self._tools = self.execution.tools(self._tools)

    name = f"recording-{scenario.name}"
    executor(name)(Recording)
    return run_scenario(scenario, name)


class Shop:
    """Tools of the engine's own shape, with a definition and a compensation of it."""

    def __init__(self, *, is_paying=True):
        self.calls = []
        self.registry = ToolRegistry()
        tool = self.registry.tool

        @tool()
        async def look(city):
            self.calls.append(("look", {"city": city}))
            await asyncio.sleep(0)
            return {"room": 7, "token": "s3cret-token"}

        @tool(compensation=lambda sent, got: Compensation(tool_name="cancel", parameters=got))
        def hold(room):
            self.calls.append(("hold", {"room": room}))
            return {"id": "B-1"}

        @tool()
        def pay(token):
            self.calls.append(("pay", {"token": token}))
            if not is_paying:
                raise ConnectionError("the bank did not answer for s3cret-token")
            return {"paid": True}

        @tool()
        def cancel(id):  # noqa: A002 - the name of a parameter
            self.calls.append(("cancel", {"id": id}))


async def record_unified(path, scenario, shop, store=None, **options):
    """Run the plan of `scenario` on the unified engine with `shop`'s tools under recording."""
    execution = Recorder(path, **options).execution(
        scenario.execution_id, scenario.plan, executor="unified"
    )
    opened = store or open_store("memory://")
    machine = WorkflowMachine(
        scenario.execution_id, execution.tools(shop.registry), store=opened, clock=SystemClock()
    )
    machine.set_plan(scenario.plan)
    result = await machine.execute()
    execution.ended(result)
    if store is None:
        await opened.aclose()
    return result


REFUSED = fails("card refused", latency_ms=8)
