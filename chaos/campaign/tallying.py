"""Counts what cases came to, within one unit and over all units of a campaign."""

from dataclasses import dataclass, field

from chaos.campaign.result import Broken, Cell, Failure, Measured, Tally, UnitResult
from chaos.case import Case, CaseResult, Judgement
from chaos.explore.sampling import cell_of, site_class
from chaos.fault_id import format_case
from chaos.history import History
from chaos.oracle.facts import Facts
from chaos.plans import find_plan

EFFECT_PREDICATES = frozenset(
    {"effects-as-promised", "at-most-once-not-repeated", "doubt-is-said", "completed-after-effect"}
)
"""Predicates that a cell of the guarantee table rests on."""


def kinds_of(case: Case) -> str:
    """Return the kinds of a case's faults, as one word."""
    kinds = dict.fromkeys(str(point.kind) for point in case.faults)
    return "+".join(kinds) or "none"


@dataclass(slots=True)
class Tallying:
    """Adds up; the order in which things are added does not matter but for the first failure."""

    cases: int = 0
    replayed: int = 0
    seconds: float = 0.0
    kills: int = 0
    compared: int = 0
    disagreed: list[str] = field(default_factory=list)
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    sites: set[str] = field(default_factory=set)
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    measured: dict[tuple[str, str, str], Measured] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    points: dict[str, int] = field(default_factory=dict)

    def add(self, result: CaseResult, part: str) -> None:
        """Count one case."""
        held = result.judgement is Judgement.HELD
        case = result.case
        self.cases += 1
        self.seconds += result.seconds
        self.sites.update(site_class(site) for _, site, *_ in result.sites)
        for point in case.faults:
            site, kind = cell_of(point)
            cell = self.cells.setdefault((site, kind), Cell(site=site, kind=kind))
            cell.runs += 1
            cell.fired += point in result.fired
            cell.violations += result.judgement is Judgement.VIOLATED
        kind = kinds_of(case)
        tally = self.tallies.setdefault((case.plan, kind), Tally(plan=case.plan, kind=kind))
        tally.cases += 1
        if not held:
            tally.failed += 1
            tally.first = tally.first or format_case(case)
            self.failures.append(failure_of(result, part))

    def measure(self, result: CaseResult, history: History, reference: History) -> None:
        """Note what a case shows of the guarantees."""
        plan = find_plan(result.case.plan)
        facts = Facts(history, plan, reference)
        broken = [one for one in result.violations if one.predicate in EFFECT_PREDICATES]
        for name in facts.steps:
            attempts = facts.attempts_of(name)
            if not attempts:
                continue
            tool_class = str(facts.script(attempts[-1].tool).effects)
            key = (tool_class, facts.disturbance(name).name, str(result.case.policy))
            cell = self.measured.setdefault(
                key, Measured(tool_class=key[0], disturbance=key[1], policy=key[2])
            )
            view = facts.last.steps.get(name)
            effects = sum(effect.tool == attempts[-1].tool for effect in facts.effects_of(name))
            status = None if view is None else view.status
            cell.steps += 1
            cell.most_ever = max(cell.most_ever, effects)
            cell.in_doubt += status == "in_doubt"
            cell.broken += any(one.message.startswith(f"{name} ") for one in broken)
            if status == "completed":
                cell.completed += 1
                cell.least = effects if cell.least is None else min(cell.least, effects)
                cell.most = effects if cell.most is None else max(cell.most, effects)

    def merge(self, result: UnitResult) -> None:
        """Add what a unit came to."""
        self.cases += result.cases
        self.replayed += result.replayed
        self.seconds += result.seconds
        self.kills += result.kills
        self.compared += result.compared
        self.disagreed += result.disagreed
        self.sites.update(result.sites)
        self.points.update(result.points)
        self.failures += result.failures
        for cell in result.cells:
            own = self.cells.setdefault(
                (cell.site, cell.kind), Cell(site=cell.site, kind=cell.kind)
            )
            own.runs += cell.runs
            own.fired += cell.fired
            own.violations += cell.violations
        for tally in result.tallies:
            mine = self.tallies.setdefault(
                (tally.plan, tally.kind), Tally(plan=tally.plan, kind=tally.kind)
            )
            mine.cases += tally.cases
            mine.failed += tally.failed
            mine.first = mine.first or tally.first
        for one in result.measured:
            self._merge_measured(one)

    def _merge_measured(self, one: Measured) -> None:
        key = (one.tool_class, one.disturbance, one.policy)
        own = self.measured.setdefault(
            key, Measured(tool_class=key[0], disturbance=key[1], policy=key[2])
        )
        own.steps += one.steps
        own.completed += one.completed
        own.in_doubt += one.in_doubt
        own.broken += one.broken
        own.most_ever = max(own.most_ever, one.most_ever)
        least = [value for value in (own.least, one.least) if value is not None]
        most = [value for value in (own.most, one.most) if value is not None]
        own.least, own.most = min(least, default=None), max(most, default=None)


def failure_of(result: CaseResult, part: str) -> Failure:
    """Return a case that did not hold as a record."""
    return Failure(
        case=format_case(result.case),
        judgement=str(result.judgement),
        part=part,
        digest=result.digest,
        note=result.note,
        violations=tuple(
            Broken(predicate=one.predicate, message=one.message, witnesses=one.witnesses)
            for one in result.violations
        ),
    )
