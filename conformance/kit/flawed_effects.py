"""Executors whose effects or rollbacks are wrong (C2): the exemplar, one method done wrongly."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from conformance.kit.exemplar import Exemplar
from conformance.kit.exemplar_records import Record
from conformance.kit.flaw import Flaws, breaker

FLAWS: Flaws = {}
_breaks = breaker(FLAWS)


@_breaks("names-every-call")
class _NamesNothing(Exemplar):
    @override
    def key(self, record: Record, step: Record, suffix: str = "") -> str | None:
        return None


@_breaks("tells-equal-calls-apart")
class _NamesByContent(Exemplar):
    @override
    def key(self, record: Record, step: Record, suffix: str = "") -> str | None:
        tool = next(s for s in record["plan"]["steps"] if s["id"] == step["id"])["tool_name"]
        return f"{record['id']}/{tool}/{step['parameters']}{suffix}"


@_breaks("tells-executions-apart")
class _NamesByStep(Exemplar):
    @override
    def key(self, record: Record, step: Record, suffix: str = "") -> str | None:
        return f"{step['id']}{suffix}"


@_breaks("repeats-under-the-same-key", "repeats-the-undo-under-its-key")
class _NamesByOwner(Exemplar):
    @override
    def key(self, record: Record, step: Record, suffix: str = "") -> str | None:
        return f"{super().key(record, step, suffix)}/{record['token']}"


@_breaks("undoes-what-was-done")
class _UndoesNothing(Exemplar):
    @override
    def to_undo(self, record: Record) -> list[Record]:
        return []


@_breaks("undoes-the-last-first")
class _UndoesTheFirstFirst(Exemplar):
    @override
    def to_undo(self, record: Record) -> list[Record]:
        return super().to_undo(record)[::-1]


@_breaks("undoes-each-step-once")
class _UndoesTwice(Exemplar):
    @override
    def to_undo(self, record: Record) -> list[Record]:
        return super().to_undo(record) * 2


@_breaks("hands-the-undo-its-parameters")
class _UndoesWithoutParameters(Exemplar):
    @override
    def undo_parameters(self, undo: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}


@_breaks("names-the-undo")
class _NamesTheUndoByItsStep(Exemplar):
    @override
    def key(self, record: Record, step: Record, suffix: str = "") -> str | None:
        return super().key(record, step)


@_breaks("fails-after-the-rollback")
class _TakesUndoneForDone(Exemplar):
    @override
    async def roll_back(self, record: Record) -> None:
        await super().roll_back(record)
        record["status"] = "COMPLETED"


@_breaks("keeps-what-succeeded")
class _UndoesSuccesses(Exemplar):
    @override
    async def work(self, record: Record) -> None:
        await super().work(record)
        if record["status"] == "COMPLETED":
            await self.roll_back(record)


@_breaks("finishes-the-rollback")
class _ForgetsTheRollback(Exemplar):
    @override
    def prepare(self, record: Record) -> None:
        if any(step["status"] == "failed" for step in record["steps"]):
            for step in record["steps"]:
                step["undone"] = step["undo"] is not None
