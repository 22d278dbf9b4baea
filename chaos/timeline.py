"""A history as text that can be read from top to bottom: when, who, what, and what was wrong there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from chaos.case import CaseResult
from chaos.fault_id import format_case
from chaos.fault_kinds import BY_KIND
from chaos.history import (
    Attempt,
    Checkpoint,
    Effect,
    EventWritten,
    FaultFired,
    History,
    LifeBegan,
    LifeEnded,
    Record,
    Settled,
    StoreCut,
    StoreOperation,
)

_SECOND_MS = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One record in words, and the predicates that it is a witness against."""

    record: Record
    said: str
    witness_of: tuple[str, ...]


def entries(result: CaseResult, history: History) -> Iterator[Entry]:
    """Yield all records of a case in words, for those who draw them otherwise."""
    before: Checkpoint | None = None
    for record in history.records:
        wrong = dict.fromkeys(
            one.predicate for one in result.violations if record.number in one.witnesses
        )
        yield Entry(record, _say(record, before).strip(), tuple(wrong))
        before = record if isinstance(record, Checkpoint) else before


def timeline(result: CaseResult, history: History) -> Iterator[str]:
    """Yield the lines: the case, its faults, everything that happened, and the verdict."""
    yield format_case(result.case)
    for point in result.case.faults:
        yield f"  planned: {point.kind} at {point.site}, life {point.life}: {_meaning(point.kind)}"
    yield ""
    wrong: dict[int, list[str]] = {}
    for violation in result.violations:
        for number in violation.witnesses:
            wrong.setdefault(number, []).append(violation.predicate)
    before: Checkpoint | None = None
    for record in history.records:
        yield _line(record, before)
        for predicate in wrong.get(record.number, ()):
            yield f"{'':>19} ^ {predicate}"
        before = record if isinstance(record, Checkpoint) else before
    yield ""
    yield f"{result.judgement}{f': {result.note}' if result.note else ''}"
    for violation in result.violations:
        yield f"  {violation.predicate}: {violation.message}"


def _line(record: Record, before: Checkpoint | None) -> str:
    who = f"life {record.life}" if record.life else "-"
    seconds, ms = divmod(record.at_ms, _SECOND_MS)
    return f"{record.number:>4} {seconds:>6}.{ms:03d} s  {who:<8} {_say(record, before)}"


def _say(record: Record, before: Checkpoint | None) -> str:
    match record:
        case LifeBegan():
            return f"BEGIN  {record.worker} {'resumes' if record.resumed else 'starts'} it"
        case LifeEnded():
            told = " ".join(filter(None, (record.status, record.error_code)))
            return f"END    {record.how} {told}".rstrip()
        case StoreOperation() | Checkpoint() | EventWritten() | StoreCut():
            return _say_store(record, before)
        case Attempt():
            what = "undo" if record.compensation else "call"
            return (
                f"{what:<6} {record.step} -> {record.tool}, attempt {record.attempt}, {record.key}"
            )
        case Effect():
            late = ", late" if record.late else ""
            return f"effect {record.step} -> {record.tool}: {record.outcome}{late}"
        case FaultFired():
            return f"FAULT  {record.kind} at {record.site}: {_meaning(record.kind)}"
        case Settled():
            rest = f", left behind: {', '.join(record.left_behind)}" if record.left_behind else ""
            return f"rest   {record.status}{'' if record.in_time else ', not in time'}{rest}"
        case _:
            return type(record).__name__


def _say_store(
    record: StoreOperation | Checkpoint | EventWritten | StoreCut, before: Checkpoint | None
) -> str:
    match record:
        case StoreOperation():
            facts = [
                "" if record.applied else "not applied",
                "" if record.reply_seen else "reply not seen",
                f"refused: {record.refused}" if record.refused else "",
                f"token {record.epoch}" if record.epoch is not None else "",
            ]
            said = ", ".join(filter(None, facts))
            again = f", time {record.nth}" if record.nth > 1 else ""
            return f"store  {record.site}{again}{f' ({said})' if said else ''}"
        case Checkpoint():
            return f"       = {_changes(record, before)}"
        case EventWritten():
            return f"       + event {record.seq} {record.name} {record.step or ''}".rstrip()
        case StoreCut():
            return f"CUT    {record.kind}: the last {record.operations} writes are lost"
        case _:
            assert_never(record)


def _changes(record: Checkpoint, before: Checkpoint | None) -> str:
    """Return what is durable now: the execution, and the steps that are not as they were."""
    known: Mapping[str, object] = {} if before is None else before.steps
    steps = [
        f"{name} {view.status}{f'/{view.compensation_status}' if view.compensation_status else ''}"
        for name, view in record.steps.items()
        if known.get(name) != view
    ]
    lease = f"token {record.epoch}{', leased' if record.leased else ''}"
    return "; ".join([f"{record.status} v{record.version}, {lease}", *steps])


def _meaning(kind: object) -> str:
    return next(fault.meaning for known, fault in BY_KIND.items() if known == kind)
