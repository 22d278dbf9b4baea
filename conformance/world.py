"""Everything that a scenario gives to the executor under test.

A subject builds its executor from the parts of a world and from nothing else: the clock, the
store client, the scripted tools, model, validator and channel. Whatever the executor does to them
is recorded in `seen`, in the words of trace/v1. A world serves one run of one scenario.
"""

from dataclasses import dataclass
from pathlib import Path

from chaos.virtual_time import VirtualClock
from conformance.fault_script import FaultScript
from conformance.observed_redis import ObservedRedis
from conformance.scenario import Scenario
from conformance.tool_scripts import (
    ScriptedChannel,
    ScriptedModel,
    ScriptedTools,
    ScriptedValidator,
)
from conformance.trace import Observations


@dataclass(frozen=True, slots=True)
class World:
    """The surroundings of one run.

    Attributes:
        scenario: what is run.
        clock: virtual time; `clock.elapsed_ms` is the `at_ms` of a trace.
        store: a `redis.asyncio` client under observation (text replies). Set
            `store.observer.lens` to say what keys and values mean; read without being seen
            inside `with store.offstage():`.
        tools: `await tools.call(tool, parameters, timeout_ms=, signal=, idempotency_key=)`;
            `tools.aliases(tool)`; `tools.effects` is the ledger that the tools keep.
        model: `await model.generate(model_type, prompt)`.
        validator: `validator.validate(tool, parameters)`.
        channel: `await channel.sign(event)`, `await channel.publish(event)`; both may fail.
        faults: the scenario's faults, counted.
        seen: where observations go. A subject adds `events`, `step_updates`, `scheduled` and
            `trace_entries` itself, since only it knows what its executor's messages mean; the
            other lists are filled by the world.
        scratch: an empty folder of this run, where an executor with a store of its own keeps it;
            None where no such executor runs.
    """

    scenario: Scenario
    clock: VirtualClock
    store: ObservedRedis
    tools: ScriptedTools
    model: ScriptedModel
    validator: ScriptedValidator
    channel: ScriptedChannel
    faults: FaultScript
    seen: Observations
    scratch: Path | None = None


def build_world(
    scenario: Scenario, clock: VirtualClock, store: ObservedRedis, scratch: Path | None = None
) -> World:
    """Put up the world of `scenario` around a store client that is already observed."""
    observer = store.observer
    return World(
        scenario=scenario,
        clock=clock,
        store=store,
        tools=ScriptedTools(scenario, clock, observer.seen),
        model=ScriptedModel(scenario, observer.seen),
        validator=ScriptedValidator(scenario, observer.seen),
        channel=ScriptedChannel(observer.faults),
        faults=observer.faults,
        seen=observer.seen,
        scratch=scratch,
    )
