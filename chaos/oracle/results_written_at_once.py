"""A result is durable before time goes on: a crash repeats no call that had ended earlier."""

from collections.abc import Iterator

from chaos.history import Attempt, Effect
from chaos.oracle.facts import TOOL_FAULTS, Facts, Finding

_OPEN = frozenset({"in_progress", "pending"})


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield calls that had ended, and whose result was still not durable when others went on."""
    disturbed = {fault.life for fault in facts.faults if fault.kind not in TOOL_FAULTS}
    for effect in facts.effects:
        if effect.compensation or effect.late or effect.life in disturbed or facts.cuts:
            continue
        if facts.fired(TOOL_FAULTS, effect.step):
            continue
        following = next(
            (
                record
                for record in facts.history.records[effect.number + 1 :]
                if isinstance(record, Attempt | Effect)
                and record.life == effect.life
                and record.at_ms > effect.at_ms
            ),
            None,
        )
        if following is None or facts.is_stale(effect):
            continue
        view = facts.before(following.number).steps.get(effect.step)
        if view is None or view.status in _OPEN:
            where = (effect.number, following.number)
            waited_ms = following.at_ms - effect.at_ms
            yield f"{effect.step} has ended, and is not durable {waited_ms} ms later", where
