"""Does one unit of work: a pure function, but for the CPU time that it reports."""

import time
from collections.abc import Iterable
from dataclasses import replace

from chaos.campaign.result import Closure, UnitResult
from chaos.campaign.tallying import Tallying, failure_of
from chaos.campaign.unit import Unit, Work
from chaos.case import Case, CaseResult, Judgement
from chaos.explore.closure import Bounds, closure
from chaos.explore.cuts import cuts
from chaos.explore.singles import sites_of
from chaos.fault_kinds import FaultKind
from chaos.history import History
from chaos.mutants.running import try_in_process
from chaos.running import reference_of, run_case, simulate, verdict_on

REPLAYED_SHARE = 25
"""One in so many cases is run twice, and its histories are compared to the last bit."""


def work(unit: Unit) -> UnitResult:
    """Do a unit and say what came of it. What the executor under test does is never raised."""
    match unit.work:
        case Work.CASES:
            return _work_cases(unit, unit.cases)
        case Work.CLOSURE:
            return _work_closure(unit)
        case Work.CUTS:
            return _work_cuts(unit)
        case Work.MUTANT:
            return _work_mutant(unit)


def examine(case: Case) -> tuple[CaseResult, History | None]:
    """Run and judge one case; a harness that fails says so in the verdict, without a history."""
    if case.world != "sim":
        return run_case(case), None
    began_s = time.process_time()
    history = None
    try:
        world = simulate(case)
        result, history = verdict_on(world, case), world.recorder.history
    except Exception as error:  # noqa: BLE001 - a harness that fails says so in its verdict
        note = f"{type(error).__name__}: {error}"
        result = CaseResult(case, Judgement.HARNESS_ERROR, note=note)
    return replace(result, seconds=time.process_time() - began_s), history


def _work_cases(unit: Unit, cases: Iterable[Case]) -> UnitResult:
    tally = Tallying()
    for number, case in enumerate(cases):
        result, history = examine(case)
        if history is not None:
            if number % REPLAYED_SHARE == 0 and result.judgement is Judgement.HELD:
                result = _twice(result)
                tally.replayed += 1
            tally.measure(result, history, reference_of(case.plan))
        tally.kills += _real_kills(result)
        tally.add(result, unit.part)
        if case.plan not in tally.points and case.world == "sim":
            tally.points[case.plan] = len(sites_of(case.plan))
    return _result(unit, tally)


def _twice(result: CaseResult) -> CaseResult:
    again, _ = examine(result.case)
    if again.digest == result.digest:
        return replace(result, seconds=result.seconds + again.seconds)
    note = f"a replay has the history {again.digest[:12]}, not {result.digest[:12]}"
    return replace(result, judgement=Judgement.NONDETERMINISTIC, note=note)


def _real_kills(result: CaseResult) -> int:
    if result.case.world != "process":
        return 0
    dying = (FaultKind.KILLED_BEFORE, FaultKind.KILLED_AFTER)
    calls = (FaultKind.KILLED_BEFORE_EFFECT, FaultKind.KILLED_AFTER_EFFECT)
    return sum(point.kind in (*dying, *calls) for point in result.fired)


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
        cells=tuple(tally.cells.values()),
        sites=tuple(sorted(tally.sites)),
        tallies=tuple(tally.tallies.values()),
        measured=tuple(tally.measured.values()),
        failures=tuple(tally.failures),
        points=tally.points,
    )
