"""Every in-flight cutover: the legacy executor killed everywhere, and whoever takes over killed everywhere.

The legacy executor is killed at every operation of the store and every call that it makes undisturbed.
From each place that this leaves, an adopter goes on to the end; every operation and call of that way is
a place to kill it, and whoever comes then goes on to the end as well.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from chaos.campaign.result import Tally, UnitResult
from chaos.campaign.tallying import failure_of
from chaos.campaign.unit import Unit, Work
from chaos.case import Case, CaseResult, FaultPoint, Judgement, Violation
from chaos.explore.closure import CRASHES
from chaos.explore.node import node_of
from chaos.explore.singles import points, sites_of
from chaos.fault_id import format_case
from chaos.history import Attempt, Checkpoint, Effect, History, LifeEnded
from chaos.oracle import ASSUMPTIONS, PREDICATES
from chaos.oracle.facts import Facts, Finding, is_terminal
from chaos.plans import find_plan
from chaos.running import reference_of, simulate
from chaos.worlds.sim import SimWorld
from chaos.worlds.snapshot import Snapshot
from conformance.chaos_cutover import CutoverPort
from conformance.errors import UsageError
from engine.errors import (
    AdoptionRefusedError,
    CheckpointCorruptError,
    PlanMismatchError,
    SafetyViolationError,
    UnknownVersionError,
)

PLANS = (
    "chain1",
    "chain2",
    "chain3",
    "diamond",
    "yields",
    "chain3+comp",
    "at-most-once",
    "queryable",
    "unkeyed",
)
"""Plans that the legacy executor can begin: no person is asked, nothing is tried again, nobody cancels."""
PART = "cutover"
PROFILES = ("nightly", "release")
"""Profiles of `planproof chaos` that have these as a part."""
UNIT_S = 8.0
"""CPU time of a plan, roughly."""
REFUSALS = frozenset(
    error.code
    for error in (
        AdoptionRefusedError,
        CheckpointCorruptError,
        PlanMismatchError,
        SafetyViolationError,
        UnknownVersionError,
    )
)
"""Codes with which an adoption is refused for good."""
EXCUSED = frozenset(
    {
        "events-with-their-state",
        "one-terminal-event",
        "told-is-durable",
        "same-call-repeated",
        "effects-as-promised",
        "budget-kept",
        "keys-of-one-slot",
    }
)
"""Rules that an execution begun by the legacy executor cannot keep: that one writes no events, calls an
execution that failed `REFLECTING`, has segments of its own length, and calls tools under no key; both executors' keys lie on one server,
no cluster.
`_repeated` bounds what comes of the last. All other rules of campaigns hold."""


class Outcome(StrEnum):
    """How an execution that has changed hands ends."""

    FINISHED = "finished"
    """As undisturbed, with no call made twice."""
    REPEATED = "finished, and a call under way was made again"
    """The legacy executor gives its tools no key; where its call died, only the tool can know."""
    ASKS = "asks a person"
    """Whether a call under way had its effect cannot be known, and is said to be in doubt."""
    REFUSED = "refused"
    """Nobody goes on; the error's code says why."""
    BROKEN = "broken"
    """A rule does not hold."""


@dataclass(slots=True)
class Sweep:
    """What came of one plan.

    Attributes:
        legacy_points: operations and calls at which the legacy executor was killed.
        places: what its deaths left, as far as it makes a difference.
        adopter_points: operations and calls at which those who took over from there were killed.
        outcomes: executions by how they ended.
        failures: cases in which a rule does not hold.
    """

    plan: str
    legacy_points: int = 0
    places: int = 0
    adopter_points: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    failures: list[CaseResult] = field(default_factory=list)
    first: dict[Outcome, str] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """How many executions there were."""
        return self.outcomes.total()

    def add(self, result: CaseResult, outcome: Outcome) -> None:
        """Count one execution."""
        self.outcomes[outcome] += 1
        self.first.setdefault(outcome, format_case(result.case))
        if result.judgement is not Judgement.HELD:
            self.failures.append(result)


def first_deaths(plan: str) -> tuple[FaultPoint, ...]:
    """Return every way in which the legacy executor dies at a point of an undisturbed run."""
    begun = [site for site in sites_of(plan, CutoverPort) if site[0] == 1]
    return tuple(point for point in points(begun) if point.kind in CRASHES)


def sweep(plan: str) -> Sweep:
    """Run a plan's executions."""
    found = Sweep(plan)
    deaths = first_deaths(plan)
    found.legacy_points = len({(one.site, one.nth) for one in deaths})
    seen: set[str] = set()
    for death in deaths:
        rests: list[Snapshot] = []
        case = Case(plan, (death,), subject=CutoverPort.name)
        world = simulate(case, port_factory=CutoverPort, at_rest=rests.append)
        found.add(*verdict(world, case))
        start = next((rest for rest in rests if rest.lives == 1), None)
        if start is None or start.over:
            continue
        node = node_of(start, world.plan, world.port)
        if node in seen:
            continue
        seen.add(node)
        _kill_adopters(found, start, world)
    found.places = len(seen)
    return found


def _kill_adopters(found: Sweep, start: Snapshot, world: SimWorld) -> None:
    """Kill at each point that was passed since `start`."""
    later = [site for site in world.sites if site[0] > start.lives]
    found.adopter_points += len(later)
    for point in points(later):
        if point.kind in CRASHES:
            case = Case(found.plan, (*start.fired, point), subject=CutoverPort.name)
            found.add(*verdict(simulate(case, port_factory=CutoverPort, start=start), case))


def verdict(world: SimWorld, case: Case) -> tuple[CaseResult, Outcome]:
    """Judge an execution at rest."""
    history = world.recorder.history
    reference = reference_of(case.plan, CutoverPort)
    facts = Facts(history, find_plan(case.plan), reference)
    outcome = _outcome(facts)
    violations = _violations(facts, outcome)
    judgement = Judgement.VIOLATED if violations else Judgement.HELD
    if world.agenda.left:
        judgement = Judgement.NOT_FIRED
    result = CaseResult(
        case,
        judgement,
        violations,
        fired=tuple(world.agenda.fired),
        digest=history.digest(),
        sites=tuple(world.sites),
    )
    return result, outcome if judgement is Judgement.HELD else Outcome.BROKEN


def replay_cutover(case: Case) -> tuple[CaseResult, History]:
    """Run a case again and return everything about it."""
    world = simulate(case, port_factory=CutoverPort)
    return verdict(world, case)[0], world.recorder.history


def _outcome(facts: Facts) -> Outcome:
    if _refusal(facts.history) in REFUSALS and not is_terminal(facts.settled.status):
        return Outcome.REFUSED
    if not is_terminal(facts.settled.status):
        return Outcome.ASKS
    again = any(len(facts.effects_of(name)) > 1 for name in facts.steps)
    return Outcome.REPEATED if again else Outcome.FINISHED


def _refusal(history: History) -> str | None:
    """Return the code with which the last life ended that was not killed."""
    ended = [one for one in history.of(LifeEnded) if one.how != "killed"]
    return ended[-1].error_code if ended and ended[-1].how == "raised" else None


def _violations(facts: Facts, outcome: Outcome) -> tuple[Violation, ...]:
    excused = EXCUSED
    if outcome is Outcome.REFUSED:
        excused |= {"ends-in-time", "final-as-undisturbed", "store-faults-are-told"}
    kept = [
        Violation(predicate.id, message, witnesses)
        for predicate in (*ASSUMPTIONS, *PREDICATES)
        if predicate.id not in excused
        for message, witnesses in predicate.check(facts)
    ]
    doubled = (Violation("repeated-only-under-way", *finding) for finding in _repeated(facts))
    again = (Violation("never-called-again", *finding) for finding in _called_again(facts))
    return (*kept, *doubled, *again)


def _called_again(facts: Facts) -> Iterator[Finding]:
    """Yield calls of steps that were completed at any time, whoever may have forgotten it since."""
    completed: dict[str, int] = {}
    for record in facts.history.records:
        if isinstance(record, Checkpoint):
            for name, view in record.steps.items():
                if view.status == "completed":
                    completed.setdefault(name, record.number)
        elif isinstance(record, Attempt) and not record.compensation and record.step in completed:
            where = (completed[record.step], record.number)
            yield f"{record.step} was completed once and is called again", where


def _repeated(facts: Facts) -> Iterator[Finding]:
    """Yield effects that happened again although no death lies between the call and its record."""
    deaths = [one.number for one in facts.history.of(LifeEnded) if one.how == "killed"]
    for name in facts.steps:
        effects = facts.effects_of(name)
        for first, second in pairwise(effects):
            if not any(first.number < death < second.number for death in deaths):
                yield (
                    f"{name} had its effect twice, and nobody died between",
                    _numbers(first, second),
                )
        calls = facts.attempts_of(name)
        engine = [one for one in effects if not _is_legacy(one)]
        if len(engine) > 1 and _keyed(facts, calls):
            yield f"{name}: one key had two effects", _numbers(*engine)


def _is_legacy(effect: Effect) -> bool:
    return effect.key.startswith("call-")


def _keyed(facts: Facts, calls: list[Attempt]) -> bool:
    return str(facts.script(calls[-1].tool).effects) in ("keyed", "queryable")


def _numbers(*effects: Effect) -> tuple[int, ...]:
    return tuple(effect.number for effect in effects)


def cutover_units(plans: Iterable[str] = ()) -> Iterator[Unit]:
    """Yield the units of these plans, all of them by default.

    Raises:
        UsageError: the legacy executor can do nothing with one of them.
    """
    for plan in tuple(plans) or PLANS:
        if plan not in PLANS:
            raise UsageError(
                f"the legacy executor cannot begin plan {plan}", advice=f"known: {', '.join(PLANS)}"
            )
        yield Unit(
            id=f"{PART} {plan}",
            part=PART,
            work=Work.GIVEN,
            plan=plan,
            given=run_unit,
            weight=UNIT_S,
        )


def run_unit(unit: Unit) -> UnitResult:
    """Run the executions of one plan."""
    began_s = time.process_time()
    found = sweep(unit.plan)
    return UnitResult(
        unit=unit.id,
        part=unit.part,
        cases=found.cases,
        seconds=time.process_time() - began_s,
        tallies=tuple(
            Tally(
                plan=unit.plan,
                kind=f"{PART}: {outcome}",
                cases=count,
                failed=count if outcome is Outcome.BROKEN else 0,
                first=found.first[outcome] if outcome is Outcome.BROKEN else "",
            )
            for outcome, count in sorted(found.outcomes.items())
        ),
        failures=tuple(failure_of(result, unit.part) for result in found.failures),
    )


def cutover_facts(tallies: Iterable[Tally]) -> Iterator[tuple[str, str]]:
    """Yield how many executions that changed hands ended in each way."""
    counts: Counter[str] = Counter()
    for tally in tallies:
        if tally.kind.startswith(f"{PART}: "):
            counts[tally.kind] += tally.cases
    for outcome in Outcome:
        if counts:
            yield f"{PART}: {outcome}", f"{counts[f'{PART}: {outcome}']} of {counts.total()}"
