"""Statuses follow the table of transitions, what has ended stays ended, versions never go back."""

from collections.abc import Iterator, Mapping

from chaos.history import Checkpoint
from chaos.oracle.facts import Facts, Finding
from engine.states import TRANSITIONS, ExecutionStatus

_OPEN = frozenset({"pending", "in_progress", "in_doubt", "awaiting_confirmation"})
_STEPS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_OPEN, _OPEN | {"completed", "failed"}),
    "completed": frozenset({"completed"}),
    "failed": frozenset({"failed"}),
}


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield each change of the store that the tables do not allow."""
    for before, after in facts.neighbours():
        if before.status is None or after.status is None:
            continue
        where = (before.number, after.number)
        if after.version < before.version:
            yield f"version {before.version} became {after.version}", where
        source, target = ExecutionStatus(before.status), ExecutionStatus(after.status)
        if source is not target and target not in _reachable(source):
            yield f"the execution went from {source} to {target}", where
        yield from _steps(before, after)


def _reachable(source: ExecutionStatus) -> set[ExecutionStatus]:
    """Return what may follow; one write may carry several transitions."""
    found: set[ExecutionStatus] = set()
    left = [source]
    while left:
        fresh = TRANSITIONS[left.pop()] - found
        found |= fresh
        left += fresh
    return found


def _steps(before: Checkpoint, after: Checkpoint) -> Iterator[Finding]:
    where = (before.number, after.number)
    for name, was in before.steps.items():
        now = after.steps.get(name)
        if now is None:
            if was.status != "pending":
                yield f"step {name} was {was.status} and is not recorded any more", where
            continue
        if now.status not in _STEPS[was.status]:
            yield f"step {name} went from {was.status} to {now.status}", where
        ended = was.compensation_status
        if ended is not None and now.compensation_status != ended:
            yield f"compensation of {name} went from {ended} to {now.compensation_status}", where
