"""Once somebody was told that an execution is cancelled, it goes no further than what was under way."""

from collections.abc import Iterator

from chaos.history import StoreOperation
from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield steps begun after a write that could have told of the cancel; the next one may be too late.

    A cancel is heard with the next write of whoever works, which may carry intents already.
    """
    if facts.cuts:
        return
    operations = list(facts.history.of(StoreOperation))
    heard = next(
        (
            one.number
            for one in operations
            if one.site == "cancel" and one.reply_seen and one.refused is None
        ),
        None,
    )
    if heard is None:
        return
    writes = [one.number for one in operations if one.number > heard and one.epoch and one.changed]
    if len(writes) < 2:  # noqa: PLR2004 - see above
        return
    views = facts.before(writes[1] - 1).steps
    begun = {name for name, view in views.items() if view.status != "pending"}
    for attempt in facts.attempts:
        if attempt.number > writes[1] and attempt.step not in begun and not attempt.compensation:
            where = (heard, attempt.number)
            yield f"{attempt.step} is begun although the execution was cancelled", where
