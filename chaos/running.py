"""One case: run, judged, checked. A pure function of the case, so that any executor can map it."""

import hashlib
import time
from collections.abc import Callable
from functools import cache

from chaos.case import Case, CaseResult, Judgement
from chaos.plans import find_plan
from chaos.port import PortFactory
from chaos.unified.port import UnifiedPort
from chaos.virtual_time import VirtualClock, run_virtual
from chaos.worlds.fake_server import borrowed_server, server_time
from chaos.worlds.sim import SimWorld
from chaos.worlds.snapshot import Snapshot

STALL_GRACE_S = 0.05
"""Nothing real is waited for in a simulated world: who waits longer waits for ever."""


def simulate(
    case: Case,
    *,
    port_factory: PortFactory = UnifiedPort,
    start: Snapshot | None = None,
    at_rest: Callable[[Snapshot], None] | None = None,
) -> SimWorld:
    """Run a case in the simulated world and return the world at rest, with its history."""
    plan = find_plan(case.plan)
    port = port_factory(plan)
    clock = VirtualClock()
    if start is not None:
        clock.fire_next(start.elapsed_ms)
    with borrowed_server() as server, server_time(clock):
        server.know(_digests(tuple(port.scripts)))
        world = SimWorld(case, plan, port, server, clock, start=start, at_rest=at_rest)
        run_virtual(world.run, clock, stall_grace_s=STALL_GRACE_S)
    return world


@cache
def _digests(scripts: tuple[str, ...]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(
        (hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode(), text.encode())
        for text in scripts
    )


def run_case(case: Case, *, port_factory: PortFactory = UnifiedPort) -> CaseResult:
    """Run one case and say what came of it; never raises for what the executor does."""
    began_s = time.process_time()
    try:
        world = simulate(case, port_factory=port_factory)
    except Exception as error:  # noqa: BLE001 - a harness that fails says so in its verdict
        note = f"{type(error).__name__}: {error}"
        seconds = time.process_time() - began_s
        return CaseResult(case, Judgement.HARNESS_ERROR, seconds=seconds, note=note)
    return CaseResult(
        case,
        Judgement.NOT_FIRED if world.agenda.left else Judgement.HELD,
        fired=tuple(world.agenda.fired),
        digest=world.recorder.history.digest(),
        sites=tuple(world.sites),
        seconds=time.process_time() - began_s,
    )
