"""Cases in the process world."""

import asyncio

from chaos.case import Case
from chaos.plans import find_plan
from chaos.port import PortFactory
from chaos.unified.port import UnifiedPort
from chaos.worlds.premises import premises
from chaos.worlds.process import ProcessWorld, RealTime


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
