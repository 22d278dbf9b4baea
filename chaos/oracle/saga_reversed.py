"""A step is undone only after everything that was built on it."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding
from chaos.oracle.saga_balanced import is_excused


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield steps that were undone before a dependant that had its effect."""
    for name in facts.steps:
        undone = facts.effects_of(name, compensation=True)
        if not undone:
            continue
        for later, step in facts.steps.items():
            if name not in facts.ancestors(later) or "compensation" not in step:
                continue
            if not facts.effects_of(later) or is_excused(facts, later):
                continue
            back = facts.effects_of(later, compensation=True)
            view = facts.before(undone[0].number).steps.get(later)
            given_up = view is not None and view.compensation_status == "failed"
            in_doubt = view is not None and view.status == "in_doubt"
            if given_up or in_doubt or (back and back[0].number < undone[0].number):
                continue
            where = (undone[0].number, *(effect.number for effect in back[:1]))
            yield f"{name} is undone before {later}, which depends on it", where
