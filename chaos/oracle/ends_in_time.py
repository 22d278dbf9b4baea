"""Once faults stop, the execution ends, or waits for a person who has something to decide."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding, is_terminal


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield an execution that is stuck."""
    settled = facts.settled
    if is_terminal(settled.status) or settled.status is None:
        return
    doubt = [name for name, view in facts.last.steps.items() if view.status == "in_doubt"]
    waits = settled.status == "AWAITING_CONFIRMATION" and facts.last.waiting_for is not None
    if waits and doubt and facts.plan.settles_doubt is None:
        return
    late = "" if settled.in_time else ", and time was up"
    yield f"nobody has anything to do, and it is {settled.status}{late}", (settled.number,)
