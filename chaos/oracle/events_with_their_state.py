"""Each event is durable in the same write as the change that it tells of, and each change has one."""

from collections import Counter
from collections.abc import Iterator, Mapping

from chaos.history import Checkpoint, EventWritten, StoreCut
from chaos.oracle.facts import Facts, Finding

_TELLS: Mapping[str, tuple[str, str]] = {
    "STEP_COMPLETED": ("status", "completed"),
    "STEP_FAILED": ("status", "failed"),
    "SAGA_STEP_COMPENSATED": ("compensation_status", "compensated"),
    "SAGA_STEP_FAILED": ("compensation_status", "failed"),
}


def violations(facts: Facts) -> Iterator[Finding]:
    """Yield the first write after which events and state tell different stories."""
    told: Counter[tuple[str, str]] = Counter()
    durable: Checkpoint | None = None
    for record in [*facts.history.records, None]:
        if isinstance(record, StoreCut) and record.operations:
            return
        if isinstance(record, EventWritten):
            told[record.name, record.step or ""] += 1
        elif isinstance(record, Checkpoint):
            durable = record
        elif durable is not None:
            found = list(_differences(durable, told))
            yield from found
            if found:
                return


def _differences(durable: Checkpoint, told: Mapping[tuple[str, str], int]) -> Iterator[Finding]:
    for name, (aspect, value) in _TELLS.items():
        for step, view in durable.steps.items():
            is_so = getattr(view, aspect) == value
            count = told.get((name, step), 0)
            decided = name == "STEP_FAILED" and told.get(("CONFIRMATION_DECIDED", step), 0)
            if count > int(is_so) or (is_so and not count and not decided):
                yield (
                    f"{step}: {count} events {name}, and its {aspect} is {getattr(view, aspect)}",
                    (durable.number,),
                )
