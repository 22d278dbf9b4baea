"""Nobody takes a lease that still runs."""

from collections.abc import Iterator

from chaos.oracle.facts import Facts, Finding


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield grants of a lease before the other holder's term was over."""
    for before, after in facts.neighbours():
        taken = after.epoch > before.epoch and after.life != before.life
        end_ms = facts.lease_end_ms(before)
        if not taken or end_ms is None:
            continue
        holder = next(
            (
                one.life
                for one in reversed(facts.checkpoints)
                if one.number <= before.number and one.epoch == before.epoch and one.life
            ),
            before.life,
        )
        if after.at_ms < end_ms and holder != after.life:
            yield (
                f"a lease was taken {end_ms - after.at_ms} ms before its end",
                (before.number, after.number),
            )
