"""What is said to remain is exactly what remains, or may remain."""

from collections.abc import Iterator

from chaos.fault_kinds import FaultKind
from chaos.oracle.facts import Facts, Finding, is_terminal
from chaos.oracle.saga_balanced import is_excused


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield steps that remain unlisted, or are listed and do not remain."""
    status, listed = facts.settled.status, set(facts.last.remaining)
    for name, view in facts.last.steps.items():
        if view.status == "in_doubt" and is_terminal(status) and name not in listed:
            yield f"{name} is in doubt, may remain, and is not listed", (facts.last.number,)
    if status not in {"COMPENSATED", "COMPENSATION_FAILED"}:
        return
    if (status == "COMPENSATION_FAILED") != bool(listed):
        yield f"the execution is {status}, and lists {sorted(listed)}", (facts.last.number,)
    for name, step in facts.steps.items():
        own = facts.last.steps.get(name)
        doubt = own is not None and own.status == "in_doubt"
        back = facts.effects_of(name, compensation=True)
        remains = bool(facts.effects_of(name)) and "compensation" in step and not back
        if remains and name not in listed and not is_excused(facts, name):
            yield f"{name} remains, and is not listed", (facts.last.number,)
        lost = facts.fired([FaultKind.TIMEOUT_AFTER_EFFECT], name)
        if name in listed and not (remains or doubt or lost):
            yield f"{name} is listed, and does not remain", (facts.last.number,)
