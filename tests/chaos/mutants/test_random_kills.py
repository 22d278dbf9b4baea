"""Without these the comparison with random kills could be unfair to them."""

from collections import Counter
from itertools import islice

from chaos.fault_kinds import FaultKind
from chaos.mutants.random_kills import LIVES, random_kills

KILLS = {
    FaultKind.KILLED_BEFORE,
    FaultKind.KILLED_AFTER,
    FaultKind.KILLED_BEFORE_EFFECT,
    FaultKind.KILLED_AFTER_EFFECT,
}


def test_a_seed_gives_the_same_cases() -> None:
    first = list(islice(random_kills(["chain2", "yields"], 1), 20))
    assert first == list(islice(random_kills(["chain2", "yields"], 1), 20))
    assert first != list(islice(random_kills(["chain2", "yields"], 2), 20))
    assert {case.plan for case in first} == {"chain2", "yields"}


def test_they_kill_everywhere_and_again_and_again() -> None:
    cases = list(islice(random_kills(["chain2"], 1), 300))
    points = [point for case in cases for point in case.faults]
    assert {point.kind for point in points} == KILLS
    assert {len(case.faults) for case in cases} == set(range(1, LIVES + 1))


def test_most_moments_are_within_calls_because_those_take_longest() -> None:
    cases = islice(random_kills(["yields"], 1), 300)
    kinds = Counter(case.faults[0].kind for case in cases)
    assert kinds[FaultKind.KILLED_BEFORE_EFFECT] > 250
