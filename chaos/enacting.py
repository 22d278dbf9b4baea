"""Cases in the process world."""

import asyncio

from chaos.case import Case, Violation
from chaos.history import History
from chaos.oracle import judge
from chaos.plans import find_plan
from chaos.port import PortFactory
from chaos.unified.port import UnifiedPort
from chaos.worlds.premises import premises
from chaos.worlds.process import ProcessWorld, RealTime

VIRTUAL_TIME_ONLY = frozenset(
    {"results-written-at-once", "budget-kept", "lease-kept", "pauses-kept"}
)
"""Predicates that compare durations: on real time those are the machine's as much as the executor's."""


def enact(
    case: Case, *, port_factory: PortFactory = UnifiedPort, real_time: RealTime | None = None
) -> ProcessWorld:
    """Run a case with real processes and return the world at rest, with its history.

    Raises:
        chaos.worlds.server.ServerError: no server can be used.
    """

    async def run() -> ProcessWorld:
        world = ProcessWorld(
            case, find_plan(case.plan), port_factory, premises(), real_time=real_time
        )
        await world.run()
        return world

    with asyncio.Runner() as runner:
        return runner.run(run())


def judge_on_real_time(world: ProcessWorld, reference: History) -> tuple[Violation, ...]:
    """Return what does not hold of a case that was run on real time; see `chaos.oracle.judge`."""
    found = judge(world.recorder.history, world.plan, reference)
    return tuple(one for one in found if one.predicate not in VIRTUAL_TIME_ONLY)
