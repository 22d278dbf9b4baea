"""Makes the units of a campaign from its profile: the same ones, in the same order, every time."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from chaos.campaign.coverage import covering_cases
from chaos.campaign.profile import Profile
from chaos.campaign.unit import Reach, Unit, Work
from chaos.case import Case
from chaos.explore.cuts import CUT_MAX
from chaos.explore.sampling import pairwise, swarm
from chaos.explore.schedules import sampled_schedules, schedules
from chaos.explore.singles import CUTTING, singles
from chaos.fault_kinds import BY_KIND, FaultKind, Target
from chaos.plans import find_plan
from chaos.regressions import regressions
from chaos.running import PROCESS

RETRIES = (0, 10)
"""Settings of the Redis client: none, and what redis-py does by default."""
BATCH = 20
"""Cases of a unit: 0.3 s of CPU time, so that sending it to a process costs next to nothing."""
PROCESS_BATCH = 10
CASE_S = 0.016
"""CPU time of a simulated case, roughly; of one with real processes, of a closure, and so on below."""
PROCESS_CASE_S = 0.15
CLOSURE_S = {Reach.CRASHES: 6.0, Reach.KILLS: 60.0, Reach.ALL: 240.0}
SHAPE_STEPS = 3
"""Steps of the shapes whose closures take as long as that."""
CUTS_S = 20.0
MUTANT_S = 4.0
KILLING = (
    FaultKind.KILLED_BEFORE,
    FaultKind.KILLED_AFTER,
    FaultKind.KILLED_BEFORE_EFFECT,
    FaultKind.KILLED_AFTER_EFFECT,
)


def units_of(profile: Profile, seed: int, *, processes: bool = True) -> Iterator[Unit]:
    """Yield the units of a profile: saved bugs first, what can be left out last.

    Args:
        profile: what is run.
        seed: of the samples.
        processes: whether real servers and processes are to be used.
    """
    yield from batches("regressions", (saved.case for saved in regressions()))
    for mutant in profile.mutants:
        yield mutant_unit(mutant, profile.mutant_s)
    if processes and profile.processes:
        kills = process_kills(profile.plans, profile.processes)
        yield from batches("processes", kills, PROCESS_BATCH)
        for plan in _enactable(profile.both_worlds):
            cases = singles(plan, world=PROCESS)
            yield from batches(f"both worlds {plan}", cases, PROCESS_BATCH, part="both worlds")
    for reach, plans in (
        (Reach.ALL, profile.whole_closures),
        (Reach.KILLS, profile.kill_closures),
        (Reach.CRASHES, profile.crash_closures),
    ):
        yield from (closure_unit(plan, reach) for plan in plans)
    yield from batches("coverage", covering_cases(profile.plans))
    for plan in profile.plans:
        yield from singles_units(plan)
    yield from _sampled(profile, seed)
    for plan in profile.more:
        yield from (
            replace(unit, part="more singles", required=False) for unit in singles_units(plan)
        )


def _sampled(profile: Profile, seed: int) -> Iterator[Unit]:
    if profile.samples:
        named = [name for name in profile.plans if not name.startswith("dag")]
        cases = itertools.islice(swarm(named, seed=seed), profile.samples)
        yield from batches("pairs", pairwise(named, seed=seed))
        yield from batches(f"samples {seed}", cases, part="samples")
    for plan in profile.schedules:
        found = itertools.chain(schedules(plan), sampled_schedules(plan))
        yield from batches(f"schedules {plan}", found, part="schedules")
    for plan, kind in itertools.product(profile.cuts, CUTTING):
        name = f"cuts {plan} {kind} {CUT_MAX}"
        yield Unit(name, "cuts", Work.CUTS, plan=plan, kind=kind, weight=CUTS_S)


def singles_units(plan: str) -> Iterator[Unit]:
    """Yield the units of every single fault of a plan, under both settings of the client."""
    yield from batches(f"singles {plan}", singles(plan, retries=RETRIES), part="singles")


def mutant_unit(mutant: str, seconds: float) -> Unit:
    """Return the unit of one mutant."""
    weight = min(seconds, MUTANT_S)
    name = f"mutant {mutant}"
    return Unit(name, "mutants", Work.MUTANT, mutant=mutant, seconds=seconds, weight=weight)


def plan_units(plans: Sequence[str]) -> Iterator[Unit]:
    """Yield what is run when plans are named: their singles and their closure over crashes."""
    for plan in plans:
        yield from singles_units(plan)
        yield closure_unit(plan, Reach.CRASHES)


def closure_unit(plan: str, reach: Reach) -> Unit:
    """Return the unit of one closure."""
    name = f"closure {plan} {reach}"
    return Unit(
        name, "closure", Work.CLOSURE, plan=plan, reach=reach, weight=_closure_s(plan, reach)
    )


def _closure_s(plan: str, reach: Reach) -> float:
    """Return the CPU time of a closure, roughly: it doubles with each step of a shape."""
    steps = int(plan[3]) if plan.startswith("dag") else SHAPE_STEPS
    return CLOSURE_S[reach] * 2.0 ** (steps - SHAPE_STEPS)


def batches(
    name: str, cases: Iterable[Case], size: int = BATCH, *, part: str | None = None
) -> Iterator[Unit]:
    """Yield units of `size` cases."""
    left = iter(cases)
    for number in itertools.count(1):
        batch = tuple(itertools.islice(left, size))
        if not batch:
            return
        cost_s = sum(CASE_S if case.world == "sim" else PROCESS_CASE_S for case in batch)
        yield Unit(f"{name} #{number}", part or name, cases=batch, weight=cost_s)


def _enactable(plans: Sequence[str]) -> Iterator[str]:
    """Yield the plans that the process world can run: it has no replicas that follow all the time."""
    return (plan for plan in plans if not find_plan(plan).waits_for_replicas)


def process_kills(plans: Sequence[str], count: int) -> Iterator[Case]:
    """Yield so many kills of a real process on a real server, plan by plan in turn."""
    each = [
        (
            case
            for case in singles(plan, world=PROCESS)
            if case.faults[0].kind in KILLING
            and BY_KIND[case.faults[0].kind].target != Target.SERVER
        )
        for plan in _enactable(plans)
    ]
    rounds = itertools.chain.from_iterable(itertools.zip_longest(*each))
    yield from itertools.islice((case for case in rounds if case is not None), count)
