"""A store that fails never makes a step fail."""

from collections.abc import Iterator

from chaos.history import Checkpoint
from chaos.oracle.facts import TOOL_FAULTS, Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield failed steps which no tool and no person made fail."""
    for name in facts.steps:
        if facts.fired(TOOL_FAULTS, name) or facts.ever_in_doubt(name) or _fails(facts, name):
            continue
        for checkpoint in facts.checkpoints:
            view = checkpoint.steps.get(name)
            if view is not None and view.status == "failed":
                yield f"{name} failed, and its tool did not", (checkpoint.number,)
                break


def _fails(facts: Facts, name: str) -> bool:
    """Whether the step fails undisturbed, or its tool answers with failures."""
    ends = [one for one in facts.reference.of(Checkpoint) if name in one.steps]
    undisturbed = bool(ends) and ends[-1].steps[name].status == "failed"
    return undisturbed or "ok" not in facts.script(facts.tool_of(name)).outcomes
