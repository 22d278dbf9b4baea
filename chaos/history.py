"""What is recorded of a case, and nothing else: the oracle judges a history, not an engine.

Every record has its place in one total order (`number`), the virtual time (`at_ms`) and the life
of a worker that it belongs to (1, 2, ...; 0 is the harness itself). Effects are written by the
tools to a ledger that no fault touches; `Checkpoint` is read from the store behind everybody's back.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from chaos.fault_kinds import FaultKind

SCHEMA = "chaos-history/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What all records share."""

    number: int
    at_ms: int
    life: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeBegan(Record):
    """A worker starts or resumes the execution."""

    worker: str
    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeEnded(Record):
    """It is over: `returned` (with the status that the caller was told), `raised` or `killed`."""

    how: str
    status: str | None = None
    error_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOperation(Record):
    """One operation of the store.

    Attributes:
        site: what it is for, by step: "begin", "s1.commit+s2.intent", "claim".
        nth: which operation of this site in this life, from 1.
        applied: whether the store carried it out (a refusal by the script counts as carried out).
        reply_seen: whether the worker was told.
        changed: whether the store's content is another one afterwards.
        epoch: the fencing token that it carried, where it carried one.
        refused: the script refused it as stale, held or undone: its own word for it.
        slots: of a cluster, in which the keys lie that one script names; 0: it is no script.
    """

    site: str
    nth: int
    applied: bool
    reply_seen: bool
    changed: bool = False
    epoch: int | None = None
    refused: str | None = None
    slots: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(Record):
    """A tool is called.

    Attributes:
        step: id of the step.
        key: idempotency key of the call.
        arguments_hash: of the resolved parameters.
        compensation: whether the call undoes the step.
    """

    step: str
    tool: str
    key: str
    attempt: int
    arguments_hash: str
    compensation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect(Record):
    """The outside world after a call: `applied`, `deduplicated` (the callee knew the key), or `refused`."""

    step: str
    tool: str
    key: str
    outcome: str
    compensation: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True)
class StepView:
    """A step in the store: status, hash of its result, status of its compensation."""

    status: str
    result_hash: str | None = None
    compensation_status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint(Record):
    """What is durable after an operation that changed something; None as status: no execution."""

    status: str | None
    version: int
    epoch: int
    leased: bool
    due_at_ms: int | None
    waiting_for: str | None
    steps: Mapping[str, StepView]
    remaining: tuple[str, ...] = ()
    """Steps that the execution itself lists as not undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWritten(Record):
    """An event of the outbox, as it stands there; `seq` counts per execution."""

    seq: int
    name: str
    step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultFired(Record):
    """A planned fault happened."""

    kind: FaultKind
    site: str
    nth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCut(Record):
    """The store lost its last `operations` operations that had changed it."""

    operations: int
    kind: FaultKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Record):
    """The end of the case: no fault is left, and nobody has anything to do, or time is up.

    Attributes:
        status: of the execution; None: the store does not know it.
        state_hash: of everything in the final state that must not depend on faults.
        left_behind: keys, queue entries, leases that should not be there.
        virtual_ms: how long it took since the last fault.
    """

    status: str | None
    state_hash: str
    left_behind: tuple[str, ...] = ()
    virtual_ms: int = 0
    in_time: bool = True


_Kind = TypeVar("_Kind", bound=Record)
_TYPES: Mapping[str, type[Record]] = {
    kind.__name__: kind
    for kind in (
        LifeBegan,
        LifeEnded,
        StoreOperation,
        Attempt,
        Effect,
        Checkpoint,
        EventWritten,
        FaultFired,
        StoreCut,
        Settled,
    )
}


@dataclass(slots=True)
class History:
    """All records of one case, in order."""

    records: list[Record] = field(default_factory=list)

    def of(self, kind: type[_Kind]) -> Iterator[_Kind]:
        """Yield the records of one kind, in order."""
        return (record for record in self.records if isinstance(record, kind))

    def next_number(self) -> int:
        """Return the number of the record to come."""
        return len(self.records)

    def lines(self) -> Iterator[str]:
        """Yield the JSON lines of the history, its schema first."""
        yield json.dumps({"schema": SCHEMA})
        for record in self.records:
            yield _ENCODER.encode(_document(record))

    def digest(self) -> str:
        """Return a hash of everything: two replays of one case have the same."""
        whole = hashlib.sha256()
        for line in self.lines():
            whole.update(line.encode())
        return whole.hexdigest()


_ENCODER = json.JSONEncoder(sort_keys=True)


def _document(record: Record) -> dict[str, Any]:
    """Return the fields of a record; `dataclasses.asdict` would copy everything deeply."""
    document: dict[str, Any] = {"record": type(record).__name__}
    for one in fields(record):
        document[one.name] = getattr(record, one.name)
    if isinstance(record, Checkpoint):
        document["steps"] = {name: _step_document(view) for name, view in record.steps.items()}
    return document


def _step_document(view: StepView) -> dict[str, str | None]:
    return {
        "status": view.status,
        "result_hash": view.result_hash,
        "compensation_status": view.compensation_status,
    }


def read_history(lines: Sequence[str]) -> History:
    """Return the history that `History.lines` wrote.

    Raises:
        ValueError: it is of another schema, or a line is not a record of it.
    """
    if not lines or json.loads(lines[0]).get("schema") != SCHEMA:
        raise ValueError(f"not a history of {SCHEMA}")
    return History([_record(json.loads(line)) for line in lines[1:]])


def _record(document: dict[str, Any]) -> Record:
    kind = _TYPES.get(document.pop("record", ""))
    if kind is None:
        raise ValueError("a line is no record of a history")
    if "steps" in document:
        document["steps"] = {name: StepView(**view) for name, view in document["steps"].items()}
    for name in ("remaining", "left_behind"):
        if name in document:
            document[name] = tuple(document[name])
    if "kind" in document:
        document["kind"] = FaultKind(document["kind"])
    try:
        return kind(**document)
    except TypeError as error:
        raise ValueError(f"a line is no {kind.__name__}: {error}") from None
