"""Cases as others make them: the process is killed at a random moment of virtual time, again and again.

A moment is drawn uniformly from a life's duration, in which each operation of the store takes a
millisecond and each call of a tool its latency. Within an operation a kill comes before or after it is
applied, by a toss; within a call it comes before the effect, but for the last millisecond. Every life
is killed with an even chance; the next one is drawn from what this one would have passed.
"""

import random
from collections.abc import Iterator, Sequence

from chaos.case import Case, FaultPoint
from chaos.explore.singles import UndisturbedError, sites_of
from chaos.fault_kinds import FaultKind, Target
from chaos.plans import ChaosPlan, find_plan

OPERATION_MS = 1
"""How long an operation of the store takes: a round trip within a data centre."""
LIVES = 3
"""Lives that may be killed in one case."""

Site = tuple[int, str, int, str]


def random_kills(plans: Sequence[str], seed: int) -> Iterator[Case]:
    """Yield cases for ever, plan by plan in turn."""
    chance = random.Random(seed)  # noqa: S311 - replay is the purpose
    while True:
        for name in plans:
            try:
                yield Case(name, tuple(_kills(name, chance)))
            except UndisturbedError:  # it gets stuck by itself: nobody needs to kill it
                yield Case(name)


def _kills(name: str, chance: random.Random) -> Iterator[FaultPoint]:
    plan, sites = find_plan(name), sites_of(name)
    for life in range(1, LIVES + 1):
        passed = [site for site in sites if site[0] == life] or [
            site for site in sites if site[0] == 1
        ]
        weights = [_duration_ms(plan, site) for site in passed]
        (_, site, nth, target), *_ = chance.choices(passed, weights)
        yield FaultPoint(life, site, nth, _moment(plan, site, target, chance))
        if chance.random() < 1 / 2:
            return


def _duration_ms(plan: ChaosPlan, site: Site) -> int:
    _, name, _, target = site
    if target != Target.TOOL:
        return OPERATION_MS
    step, _, what = name.partition(".")
    tool = str(plan.steps()[step]["tool_name"])
    script = plan.tools.get(f"{tool}.undo" if what == "undo" else tool)
    return OPERATION_MS if script is None else script.latency_ms


def _moment(plan: ChaosPlan, site: str, target: str, chance: random.Random) -> FaultKind:
    if target != Target.TOOL:
        return chance.choice((FaultKind.KILLED_BEFORE, FaultKind.KILLED_AFTER))
    duration_ms = _duration_ms(plan, (1, site, 1, target))
    late = chance.random() * duration_ms >= duration_ms - OPERATION_MS
    return FaultKind.KILLED_AFTER_EFFECT if late else FaultKind.KILLED_BEFORE_EFFECT
