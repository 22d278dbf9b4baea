"""A crash costs no more than the calls that were under way: at most as many as can run at once."""

from collections.abc import Iterator
from itertools import combinations

from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield lives that repeated more steps than the plan is wide."""
    width = _width(facts)
    seen: dict[str, int] = {}
    repeated: dict[int, set[str]] = {}
    for attempt in facts.attempts:
        if attempt.compensation:
            continue
        if seen.setdefault(attempt.step, attempt.life) < attempt.life:
            repeated.setdefault(attempt.life, set()).add(attempt.step)
    for life, steps in repeated.items():
        if len(steps) > width and not facts.cuts:
            where = tuple(one.number for one in facts.attempts if one.life == life)
            yield f"life {life} repeats {sorted(steps)}; {width} can be under way at once", where


def _width(facts: Facts) -> int:
    """Return the size of the largest set of steps none of which depends on another."""
    above = {name: facts.ancestors(name) for name in facts.steps}
    for size in range(len(above), 0, -1):
        for chosen in combinations(above, size):
            if all(a not in above[b] and b not in above[a] for a, b in combinations(chosen, 2)):
                return size
    return 0
