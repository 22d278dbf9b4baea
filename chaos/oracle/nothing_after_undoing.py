"""Once something is undone, neither it nor anything that depends on it is done again."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield forward effects after a compensation; late ones are for the tool to refuse."""
    undone: dict[str, int] = {}
    for effect in facts.effects:
        if effect.outcome != "applied":
            continue
        if effect.compensation:
            undone.setdefault(effect.step, effect.number)
            continue
        cone = {effect.step, *facts.ancestors(effect.step)} & set(undone)
        if cone and not effect.late and not facts.is_stale(effect) and not facts.cuts:
            where = (min(undone[name] for name in cone), effect.number)
            yield f"{effect.step} took effect after {min(cone)} was undone", where
