"""A smaller case that shows the same: fewer faults, smaller amounts, plainer surroundings and plans."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from chaos.case import Case, FaultPoint, Judgement, StorePolicy
from chaos.plans import UnknownPlanError, find_plan
from chaos.port import PortFactory
from chaos.running import run_case
from chaos.unified.port import UnifiedPort

TRIES_MAX = 400
"""Cases that a shrink runs at most: some seconds."""
_PLAIN = "keyed"


def shrink(case: Case, *, port_factory: PortFactory = UnifiedPort) -> Case:
    """Return the smallest case found of which the same predicate does not hold.

    A case that holds is returned as it is.
    """
    broken = _broken(case, port_factory)
    if not broken:
        return case
    return shrink_by(case, lambda one: bool(_broken(one, port_factory) & broken))


def shrink_by(case: Case, shows: Callable[[Case], bool]) -> Case:
    """Return the smallest case found for which `shows` is true; it is for `case`."""
    tries = 0
    seen = {case}
    again = True
    while again:
        again = False
        for smaller in _smaller(case):
            if smaller in seen or tries >= TRIES_MAX:
                continue
            seen.add(smaller)
            tries += 1
            if shows(smaller):
                case, again = smaller, True
                break
    return case


def _broken(case: Case, port_factory: PortFactory) -> set[str]:
    result = run_case(case, port_factory=port_factory)
    if result.judgement is not Judgement.VIOLATED:
        return set()
    return {violation.predicate for violation in result.violations}


def _smaller(case: Case) -> Iterator[Case]:
    """Yield what is simpler than a case by one step, the greatest steps first."""
    for at in range(len(case.faults)):
        left = (*case.faults[:at], *case.faults[at + 1 :])
        yield replace(case, faults=_closed_up(left))
        yield replace(case, faults=left)
    for plan in _smaller_plans(case.plan):
        yield replace(case, plan=plan)
    if case.schedule:
        yield replace(case, schedule="")
        head, _, last = case.schedule.rpartition(".")
        if head:
            yield replace(case, schedule=head)
        if last.isdigit() and int(last) > 0:
            yield replace(case, schedule=f"{head}{'.' if head else ''}{int(last) - 1}")
    if case.retries:
        yield replace(case, retries=0)
    if case.policy is not StorePolicy.ALWAYS:
        yield replace(case, policy=StorePolicy.ALWAYS)
    for at, point in enumerate(case.faults):
        for less in _less(point):
            yield replace(case, faults=(*case.faults[:at], less, *case.faults[at + 1 :]))


def _closed_up(faults: tuple[FaultPoint, ...]) -> tuple[FaultPoint, ...]:
    """Return the faults with the lives numbered without a gap."""
    lives = sorted({point.life for point in faults})
    return tuple(replace(point, life=lives.index(point.life) + 1) for point in faults)


def _less(point: FaultPoint) -> Iterator[FaultPoint]:
    if point.amount is not None:
        yield replace(point, amount=None)
        if point.amount > 1:
            yield replace(point, amount=point.amount - 1)
    if point.nth > 1:
        yield replace(point, nth=point.nth - 1)


def _smaller_plans(name: str) -> Iterator[str]:
    """Yield names of plans with a step less, or with a plain step in place of a special one."""
    for candidate in _candidates(name):
        try:
            find_plan(candidate)
        except UnknownPlanError:
            continue
        yield candidate


def _candidates(name: str) -> Iterator[str]:
    shape, plus, listed = name.partition("+")
    head = shape.rstrip("0123456789")
    if not plus and head != shape:
        yield f"{head}{int(shape[len(head) :]) - 1}"
    if not (plus and shape.startswith("dag")):
        return
    kinds = listed.split(".")
    count, *edges = shape.removeprefix("dag").split(".")
    last = chr(ord("a") + int(count) - 1)
    kept = [edge for edge in edges if last not in edge]
    yield f"dag{'.'.join([str(int(count) - 1), *kept])}+{'.'.join(kinds[:-1])}"
    for at, kind in enumerate(kinds):
        if kind != _PLAIN:
            yield f"{shape}+{'.'.join([*kinds[:at], _PLAIN, *kinds[at + 1 :]])}"
