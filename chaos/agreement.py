"""Whether the simulated world and the process world agree: the same fault ids, run in both."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from chaos.case import Case, Judgement
from chaos.enacting import enact
from chaos.fault_id import format_case
from chaos.fault_kinds import BY_KIND
from chaos.history import Settled
from chaos.port import PortFactory
from chaos.running import PROCESS, simulate, verdict_on
from chaos.unified.port import UnifiedPort
from chaos.worlds.process import ProcessWorld
from chaos.worlds.sim import SimWorld


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case comes to in one world."""

    judgement: Judgement
    state_hash: str
    digest: str


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A case that comes to something else in another world."""

    fault_id: str
    simulated: Outcome
    real: Outcome


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """What came of all cases that both worlds can run.

    Attributes:
        cases: how many there were.
        held: cases in which every predicate held in both worlds.
        sigkills: processes that ended by SIGKILL.
        same_history: cases whose histories are equal bit for bit, which is more than is asked for.
        disagreements: another judgement, or another final state.
        left_out: ids of cases that only one world can run.
    """

    cases: int
    held: int
    sigkills: int
    same_history: int
    disagreements: tuple[Disagreement, ...]
    left_out: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether there was a case, and no disagreement."""
        return self.cases > 0 and not self.disagreements


def is_shared(case: Case) -> bool:
    """Whether both worlds can make all faults of a case happen."""
    return all(BY_KIND[point.kind].available(PROCESS) for point in case.faults)


def agreement(cases: Iterable[Case], *, port_factory: PortFactory = UnifiedPort) -> AgreementReport:
    """Run each case in both worlds and compare what it comes to.

    Raises:
        chaos.worlds.server.ServerError: the process world has no server.
    """
    count = held = sigkills = same = 0
    disagreements, left_out = [], []
    for case in cases:
        if not is_shared(case):
            left_out.append(format_case(case))
            continue
        real_case = replace(case, world=PROCESS)
        world = enact(real_case, port_factory=port_factory)
        real = _outcome(world, real_case, port_factory)
        simulated_case = replace(case, world="sim")
        simulated = _outcome(
            simulate(simulated_case, port_factory=port_factory), simulated_case, port_factory
        )
        count += 1
        sigkills += world.sigkills
        held += real.judgement is simulated.judgement is Judgement.HELD
        same += real.digest == simulated.digest
        if (real.judgement, real.state_hash) != (simulated.judgement, simulated.state_hash):
            disagreements.append(Disagreement(format_case(real_case), simulated, real))
    return AgreementReport(count, held, sigkills, same, tuple(disagreements), tuple(left_out))


def _outcome(world: SimWorld | ProcessWorld, case: Case, port_factory: PortFactory) -> Outcome:
    result = verdict_on(world, case, port_factory=port_factory)
    settled = next(world.recorder.history.of(Settled))
    return Outcome(result.judgement, settled.state_hash, result.digest)
