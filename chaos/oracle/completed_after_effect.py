"""A step is recorded as completed only after its tool was called and had its effect."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding
from engine import EffectSemantics


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield each step that is completed in the store before anything happened outside."""
    seen: set[str] = set()
    for checkpoint in facts.checkpoints:
        for name, view in checkpoint.steps.items():
            if view.status != "completed" or name in seen or name not in facts.steps:
                continue
            seen.add(name)
            called = [one for one in facts.attempts_of(name) if one.number < checkpoint.number]
            if not called:
                yield f"{name} is completed, but was never called", (checkpoint.number,)
            elif facts.script(called[-1].tool).effects is not EffectSemantics.READ_ONLY and not any(
                one.step == name and not one.compensation and one.number < checkpoint.number
                for one in facts.effects
            ):
                yield f"{name} is completed without an effect", (checkpoint.number,)
