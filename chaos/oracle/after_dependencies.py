"""A step is called only when every step that it depends on has a durable result."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield calls that came before the results that they build on."""
    done: dict[str, int] = {}
    for checkpoint in facts.checkpoints:
        for name, view in checkpoint.steps.items():
            if view.status == "completed":
                done.setdefault(name, checkpoint.number)
    for attempt in facts.attempts:
        if attempt.compensation:
            continue
        for parent in facts.steps[attempt.step].get("dependencies", ()):
            if done.get(parent, attempt.number) >= attempt.number:
                where = (attempt.number,)
                yield f"{attempt.step} is called before {parent} has completed", where
