"""Does one unit of work: a pure function, but for the CPU time that it reports."""

import time
from dataclasses import dataclass, replace

from chaos.campaign.result import Closure, UnitResult
from chaos.campaign.tallying import Tallying, failure_of
from chaos.campaign.unit import Unit, Work
from chaos.case import Case, CaseResult, Judgement
from chaos.explore.closure import Bounds, closure
from chaos.explore.cuts import cuts
from chaos.explore.singles import sites_of
from chaos.fault_id import format_case
from chaos.history import History, Settled
from chaos.mutants.running import try_in_process
from chaos.running import PROCESS, reference_of, simulate, verdict_on, world_of
from chaos.worlds.process import ProcessWorld

REPLAYED_SHARE = 25
"""One in so many cases is run twice, and its histories are compared to the last bit."""


def work(unit: Unit) -> UnitResult:
    """Do a unit and say what came of it. What the executor under test does is never raised."""
    match unit.work:
        case Work.CASES:
            return _work_cases(unit)
        case Work.CLOSURE:
            return _work_closure(unit)
        case Work.CUTS:
            return _work_cuts(unit)
        case Work.MUTANT:
            return _work_mutant(unit)
        case Work.GIVEN:
            assert unit.given is not None  # noqa: S101 - whoever makes such a unit gives it its work
            return unit.given(unit)


@dataclass(frozen=True, slots=True)
class Examined:
    """A case that was run and judged.

    Attributes:
        history: None: the harness failed, and the result says how.
        sigkills: real processes that ended by SIGKILL.
        disagreement: how another world differs; None: it was not asked, or agrees.
    """

    result: CaseResult
    history: History | None = None
    sigkills: int = 0
    disagreement: str | None = None


def examine(case: Case) -> Examined:
    """Run and judge one case; one with real processes is simulated as well, and compared."""
    began_s = time.process_time()
    try:
        world = world_of(case)
        result, history = verdict_on(world, case), world.recorder.history
        kills, other = 0, None
        if isinstance(world, ProcessWorld):
            kills, other = world.sigkills, _disagreement(result, history)
    except Exception as error:  # noqa: BLE001 - a harness that fails says so in its verdict
        note = f"{type(error).__name__}: {error}"
        return Examined(CaseResult(case, Judgement.HARNESS_ERROR, note=note))
    result = replace(result, seconds=time.process_time() - began_s)
    return Examined(result, history, kills, other)


def _disagreement(result: CaseResult, history: History) -> str | None:
    case = replace(result.case, world="sim")
    world = simulate(case)
    simulated = verdict_on(world, case)
    ends = [next(one.of(Settled)).state_hash for one in (history, world.recorder.history)]
    if result.judgement is simulated.judgement and ends[0] == ends[1]:
        return None
    said = f"{result.judgement} with real processes, {simulated.judgement} when simulated"
    return f"{format_case(result.case)}: {said}, final state {ends[0][:8]} and {ends[1][:8]}"


def _work_cases(unit: Unit) -> UnitResult:
    tally = Tallying()
    for number, case in enumerate(unit.cases):
        examined = examine(case)
        result, history = examined.result, examined.history
        if history is not None:
            if number % REPLAYED_SHARE == 0 and result.judgement is Judgement.HELD:
                result = _twice(result)
                tally.replayed += 1
            tally.measure(result, history, reference_of(case.plan))
        if case.world == PROCESS:
            tally.kills += examined.sigkills
            tally.compared += 1
            tally.disagreed += [examined.disagreement] if examined.disagreement else []
        tally.add(result, unit.part)
        if case.plan not in tally.points:
            tally.points[case.plan] = len(sites_of(case.plan))
    return _result(unit, tally)


def _twice(result: CaseResult) -> CaseResult:
    again = examine(result.case).result
    if again.digest == result.digest:
        return replace(result, seconds=result.seconds + again.seconds)
    note = f"a replay has the history {again.digest[:12]}, not {result.digest[:12]}"
    return replace(result, judgement=Judgement.NONDETERMINISTIC, note=note)


def _work_closure(unit: Unit) -> UnitResult:
    report = closure(unit.plan, Bounds(kinds=unit.reach.kinds))
    return UnitResult(
        unit=unit.id,
        part=unit.part,
        cases=report.edges,
        seconds=report.seconds,
        points={unit.plan: report.points},
        failures=tuple(failure_of(result, unit.part) for result in report.failed),
        closure=Closure(
            plan=unit.plan,
            reach=str(unit.reach),
            points=report.points,
            states=report.states,
            edges=report.edges,
            complete=report.complete,
            audited=report.audited,
            disagreed=tuple(report.disagreed),
        ),
    )


def _work_cuts(unit: Unit) -> UnitResult:
    tally = Tallying()
    for result in cuts(unit.plan, kind=unit.kind):
        tally.add(result, unit.part)
    return _result(unit, tally)


def _work_mutant(unit: Unit) -> UnitResult:
    trial = try_in_process(unit.mutant, unit.seconds, random=True, whole=False)
    return UnitResult(
        unit=unit.id,
        part=unit.part,
        cases=trial.enumerated.cases + trial.random.cases,
        seconds=trial.enumerated.seconds + trial.random.seconds,
        trial=trial.document(),
    )


def _result(unit: Unit, tally: Tallying) -> UnitResult:
    return UnitResult(
        unit=unit.id,
        part=unit.part,
        cases=tally.cases,
        replayed=tally.replayed,
        seconds=tally.seconds,
        kills=tally.kills,
        compared=tally.compared,
        disagreed=tuple(tally.disagreed),
        cells=tuple(tally.cells.values()),
        sites=tuple(sorted(tally.sites)),
        tallies=tuple(tally.tallies.values()),
        measured=tuple(tally.measured.values()),
        failures=tuple(tally.failures),
        points=tally.points,
    )
