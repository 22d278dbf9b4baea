"""A case that did not hold as a timeline that somebody can read who has never seen one."""

from typing import Literal

from chaos.case import Case, CaseResult
from chaos.fault_id import format_case
from chaos.fault_kinds import BY_KIND
from chaos.history import (
    Checkpoint,
    Effect,
    EventWritten,
    FaultFired,
    History,
    Record,
    StoreCut,
    StoreOperation,
)
from chaos.oracle import ASSUMPTIONS, PREDICATES
from chaos.timeline import entries
from conformance.report_model_chaos import BrokenPredicate, CaseTimeline, TimelineRow

_STORE = (StoreOperation, Checkpoint, EventWritten, StoreCut)


def case_timeline(result: CaseResult, history: History, replay: str) -> CaseTimeline:
    """Return everything that happened in a case."""
    meanings = {one.id: one.meaning for one in (*ASSUMPTIONS, *PREDICATES)}
    return CaseTimeline(
        case=format_case(result.case),
        story=story(result.case),
        replay=replay,
        broken=tuple(
            BrokenPredicate(
                id=one.predicate, meaning=meanings.get(one.predicate, ""), message=one.message
            )
            for one in result.violations
        ),
        rows=tuple(
            TimelineRow(
                number=entry.record.number,
                at_ms=entry.record.at_ms,
                life=entry.record.life,
                lane=_lane(entry.record),
                text=_in_lane(entry.record, entry.said),
                fault=isinstance(entry.record, FaultFired | StoreCut),
                witness_of=entry.witness_of,
            )
            for entry in entries(result, history)
        ),
    )


def _in_lane(record: Record, said: str) -> str:
    """Return the words of a record without what its column says already."""
    if isinstance(record, StoreOperation):
        return f"asked: {said.removeprefix('store').strip()}"
    if isinstance(record, Checkpoint):
        durable = "nothing of the execution" if record.status is None else said.removeprefix("= ")
        return f"now durable: {durable}"
    return said


def story(case: Case) -> str:
    """Return in plain sentences what was done to a case."""
    done = [
        f"in life {point.life}, at {point.site!r} for the {_nth(point.nth)} time: "
        f"{BY_KIND[point.kind].meaning}"
        for point in case.faults
    ]
    what = f"Plan {case.plan!r} was run by the {case.subject} executor from its begin to its end"
    if not done:
        return f"{what}, and nothing was done to it."
    return f"{what}, and this was done to it: {'; '.join(done)}."


def _nth(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number in (11, 12, 13) else endings.get(number % 10, 'th')}"


def _lane(record: Record) -> Literal["worker", "store", "ledger"]:
    if isinstance(record, _STORE):
        return "store"
    if isinstance(record, Effect):
        return "ledger"
    return "worker"
