"""One case: run, judged, checked. A pure function of the case, so that any executor can map it."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

from chaos.case import Case, CaseResult, Judgement
from chaos.enacting import enact
from chaos.fault_id import parse_case
from chaos.history import History
from chaos.oracle import judge
from chaos.plans import ChaosPlan, find_plan
from chaos.port import PortFactory
from chaos.unified.port import UnifiedPort
from chaos.virtual_time import VirtualClock, run_virtual
from chaos.worlds.fake_server import borrowed_server, server_time
from chaos.worlds.process import ProcessWorld
from chaos.worlds.sim import SimWorld
from chaos.worlds.snapshot import Site, Snapshot

PROCESS = "process"
"""The world of real processes; the other one is simulated."""
STALL_GRACE_S = 0.05
"""Nothing real is waited for in a simulated world: who waits longer waits for ever."""


def simulate(
    case: Case,
    *,
    port_factory: PortFactory = UnifiedPort,
    plan: ChaosPlan | None = None,
    start: Snapshot | None = None,
    at_rest: Callable[[Snapshot], None] | None = None,
    at_point: Callable[[SimWorld, Site], None] | None = None,
) -> SimWorld:
    """Run a case in the simulated world and return the world at rest, with its history.

    `plan` stands in for the one that the case names, for plans that no catalogue has.
    """
    plan = plan or find_plan(case.plan)
    port = port_factory(plan)
    clock = VirtualClock()
    if start is not None:
        clock.fire_next(start.elapsed_ms)
    with borrowed_server() as server, server_time(clock), _silent(port.loggers):
        server.know(_digests(tuple(port.scripts)))
        world = SimWorld(
            case, plan, port, server, clock, start=start, at_rest=at_rest, at_point=at_point
        )
        run_virtual(world.run, clock, stall_grace_s=STALL_GRACE_S)
    return world


@contextmanager
def _silent(names: Sequence[str]) -> Iterator[None]:
    """Let these loggers say nothing meanwhile."""
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addFilter(_nothing)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_nothing)


def _nothing(_: logging.LogRecord) -> bool:
    return False


@cache
def _digests(scripts: tuple[str, ...]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(
        (hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode(), text.encode())
        for text in scripts
    )


@cache
def reference_of(plan: str, port_factory: PortFactory = UnifiedPort) -> History:
    """Return the history of a plan that nothing disturbs."""
    return simulate(Case(plan), port_factory=port_factory).recorder.history


def world_of(case: Case, *, port_factory: PortFactory = UnifiedPort) -> SimWorld | ProcessWorld:
    """Run a case in the world that it names, and return that at rest.

    Raises:
        chaos.worlds.server.ServerError: the process world has no server.
    """
    run = enact if case.world == PROCESS else simulate
    return run(case, port_factory=port_factory)


def verdict_on(
    world: SimWorld | ProcessWorld,
    case: Case,
    *,
    port_factory: PortFactory = UnifiedPort,
    seconds: float = 0.0,
) -> CaseResult:
    """Judge a world at rest."""
    history = world.recorder.history
    violations = judge(history, world.plan, reference_of(case.plan, port_factory))
    judgement = Judgement.VIOLATED if violations else Judgement.HELD
    if world.agenda.left:
        judgement = Judgement.NOT_FIRED
    return CaseResult(
        case,
        judgement,
        violations,
        fired=tuple(world.agenda.fired),
        digest=history.digest(),
        sites=tuple(world.sites),
        seconds=seconds,
        sigkills=world.sigkills if isinstance(world, ProcessWorld) else 0,
    )


def run_case(
    case: Case, *, port_factory: PortFactory = UnifiedPort, replays: int = 0
) -> CaseResult:
    """Run one case and say what came of it; never raises for what the executor does.

    Args:
        case: what to run.
        port_factory: the executor; a function that can be sent to another process.
        replays: how often to run it again and compare the histories.
    """
    began_s = time.process_time()
    workers_s = 0.0
    try:
        world = world_of(case, port_factory=port_factory)
        workers_s = world.workers_s if isinstance(world, ProcessWorld) else 0.0
        result = verdict_on(world, case, port_factory=port_factory)
        for _ in range(replays):
            again = world_of(case, port_factory=port_factory).recorder.history.digest()
            if again != result.digest:
                note = f"a replay has the history {again[:12]}, not {result.digest[:12]}"
                result = replace(result, judgement=Judgement.NONDETERMINISTIC, note=note)
    except Exception as error:  # noqa: BLE001 - a harness that fails says so in its verdict
        note = f"{type(error).__name__}: {error}"
        result = CaseResult(case, Judgement.HARNESS_ERROR, note=note)
    return replace(result, seconds=time.process_time() - began_s + workers_s)


def replay(
    case: Case | str, *, port_factory: PortFactory = UnifiedPort
) -> tuple[CaseResult, History]:
    """Run a case, given by its id or as such, again and return everything about it.

    Raises:
        chaos.fault_id.FaultIdError: the text is no id.
        Exception: the harness fails; a replay does not hide where.
    """
    case = parse_case(case) if isinstance(case, str) else case
    world = world_of(case, port_factory=port_factory)
    return verdict_on(world, case, port_factory=port_factory), world.recorder.history
