"""Take an execution over from the legacy segment executor, wherever that one stopped.

See "Cutover" in `engine/README.md` for what a legacy worker that still lives can do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from engine import codec, limits
from engine.adopted_state import AdoptedState, Begun, ended_result
from engine.adoption_scripts import ADOPT, LOOK
from engine.errors import (
    AdoptionRefusedError,
    CheckpointCorruptError,
    ExecutionNotFoundError,
    LegacyActiveError,
    PlanMismatchError,
)
from engine.identity import IdSource, SystemIdSource
from engine.legacy_records import (
    TTL_S,
    LegacyRecords,
    fenced_state,
    fenced_task,
    keys_of,
    read_records,
)
from engine.plan import Plan, parse_plan
from engine.safety import SafetyPolicy
from engine.tools import ToolCatalog
from engine.types.execution import ExecutionResult

if TYPE_CHECKING:
    from engine.redis_store import RedisStore

CUTOVER: str = "cutover"


@dataclass(frozen=True, slots=True)
class Adoption:
    """What came of `adopt`.

    Attributes:
        outcome: `adopted` now; `known` already to the unified engine; `ended` in the legacy
            executor, which keeps it.
        result: of an execution that has ended in the legacy executor; else None.
        due_at_ms: when it is to be resumed here (epoch milliseconds); whoever asks the store what
            is due finds it.
        begun: steps whose calls may have been under way.
    """

    execution_id: str
    outcome: Literal["adopted", "known", "ended"]
    result: ExecutionResult | None = None
    due_at_ms: int | None = None
    begun: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Look:
    """What the store showed of one execution at one moment."""

    now_ms: int
    head: Mapping[str, str]
    plan: str
    steps: Mapping[str, str]
    task: str
    state: str
    records: LegacyRecords


async def look(store: "RedisStore", execution_id: str) -> _Look:
    """Read everything that both executors know of an execution, in one moment.

    Raises:
        CheckpointCorruptError: the legacy records cannot be read.
        StoreUnavailableError: the store failed.
    """
    from engine.redis_wire import as_mapping  # noqa: PLC0415 - beside the client, which is slow

    now, head, plan, steps, task, state, item, scheduled = await store.run_script(
        execution_id, LOOK, [], kinds=[CUTOVER], foreign=keys_of(execution_id)
    )
    return _Look(
        now_ms=int(now),
        head=as_mapping(head),
        plan=plan,
        steps=as_mapping(steps),
        task=task,
        state=state,
        records=read_records(execution_id, task, state, item, str(scheduled)),
    )


async def adopt(
    execution_id: str,
    *,
    store: "RedisStore | None" = None,
    redis: Any = None,
    plan: Plan | Mapping[str, Any] | None = None,
    intent: Mapping[str, Any] | None = None,
    trace_id: str | None = None,
    catalog: ToolCatalog | None = None,
    safety: SafetyPolicy | None = None,
    begun: Begun = "by_effect",
    quiet_ms: int = limits.LEGACY_QUIET_MS,
    ids: IdSource | None = None,
) -> Adoption:
    """Take `execution_id` over; nothing is called. Resume it with `WorkflowMachine.resume`.

    One script writes the engine's record and the marker in the legacy records, so that neither a
    second adopter nor a legacy call can go on with it too. Called again, it answers `known`.

    Args:
        execution_id: which one.
        store: the engine's store, on the server that has the legacy records.
        redis: a client instead of a store.
        plan: needed if the process died before its plan was stored; else it must do the same as
            the stored one, and takes its place (it may say how to undo steps).
        intent: taken if the legacy records have none.
        trace_id: the same.
        catalog: definitions of the tools: how to undo what has been done, and aliases.
        safety: rules that the plan must keep; the default policy's by default.
        begun: what becomes of calls under way: what their tools declare, or in doubt, all of them.
        quiet_ms: how long the legacy executor must not have written, unless it has yielded.
        ids: ids of operations; by default the system's.

    Raises:
        engine.errors.ExecutionNotFoundError: neither executor knows it.
        engine.errors.LegacyActiveError: the legacy executor may still work on it.
        engine.errors.AdoptionRefusedError: what it left cannot be gone on from.
        engine.errors.InvalidPlanError: the plan is none for this engine.
        engine.errors.SafetyViolationError: the safety policy forbids it.
        engine.errors.PlanMismatchError: `plan` is another one than the stored one.
        engine.errors.CheckpointCorruptError: the records cannot be read.
        engine.errors.UnknownVersionError: a newer engine has it.
        engine.errors.StoreUnavailableError: the store failed; call again.
    """
    source = ids or SystemIdSource()
    shared = store or _store_on(redis, source)
    build = _Builder(plan, intent, trace_id, catalog, safety or SafetyPolicy(), begun, quiet_ms)
    # One id for all tries: a script that is sent twice is applied once.
    operation = source.new_id()
    for _ in range(limits.CLAIM_LOOKS):
        seen = await look(shared, execution_id)
        if _is_known(execution_id, seen):
            return Adoption(execution_id, "known", due_at_ms=_due_in(seen))
        if seen.records.has_ended:
            return Adoption(execution_id, "ended", result=ended_result(seen.records))
        taken = build.build(seen.records, seen.now_ms)
        if await _write(shared, operation, seen, taken):
            names = tuple(sorted(taken.begun))
            return Adoption(execution_id, "adopted", due_at_ms=taken.due_ms, begun=names)
    raise LegacyActiveError(f"execution {execution_id} keeps changing", retry_after_ms=quiet_ms)


@dataclass(frozen=True, slots=True)
class _Builder:
    """What `adopt` was told, and how a record is made of it and of what is found."""

    plan: Plan | Mapping[str, Any] | None
    intent: Mapping[str, Any] | None
    trace_id: str | None
    catalog: ToolCatalog | None
    safety: SafetyPolicy
    begun: Begun
    quiet_ms: int

    def build(self, found: LegacyRecords, now_ms: int) -> AdoptedState:
        """Return the engine's record; raises as `adopt` does."""
        _check_quiet(found, now_ms, self.quiet_ms)
        chosen = _plan(found, self.plan)
        self.safety.check_plan(chosen)
        return AdoptedState(
            found,
            chosen,
            intent=self.intent,
            trace_id=self.trace_id,
            catalog=self.catalog,
            begun=self.begun,
            now_ms=now_ms,
        )


def _store_on(redis: Any, ids: IdSource) -> "RedisStore":
    from engine.redis_store import RedisStore  # noqa: PLC0415 - the client is slow to import

    if redis is None:
        raise ValueError("adopt needs a store or a redis client")
    return RedisStore(redis, ids=ids)


async def _write(store: "RedisStore", operation: str, seen: _Look, taken: AdoptedState) -> bool:
    """Write the engine's record and the markers; False: something has changed since the look.

    Raises:
        CheckpointCorruptError: the engine has remains of the execution without its head.
    """
    execution_id = taken.found.execution_id
    reply = await store.run_script(
        execution_id,
        ADOPT,
        _arguments(operation, seen, taken),
        kinds=[CUTOVER],
        foreign=keys_of(execution_id),
    )
    if reply[0] == "CORRUPT":
        raise CheckpointCorruptError(f"execution {execution_id}: its head is missing")
    return bool(reply[0] == "ADOPTED")


def _is_known(execution_id: str, seen: _Look) -> bool:
    """Whether the unified engine has the execution.

    Raises:
        ExecutionNotFoundError: nobody has it any more.
    """
    if seen.head and seen.head.get("schema") != codec.HANDED_BACK:
        codec.check_version(execution_id, seen.head.get("schema"))
        return True
    if seen.records.is_empty:
        raise ExecutionNotFoundError(f"the legacy executor knows no execution {execution_id}")
    if seen.records.is_marked:
        raise ExecutionNotFoundError(
            f"execution {execution_id} was adopted; the unified engine's record has expired"
        )
    return False


def _due_in(seen: _Look) -> int | None:
    due = seen.head.get("due_at_ms")
    return int(due) if due and due.isdecimal() else None


def _check_quiet(found: LegacyRecords, now_ms: int, quiet_ms: int) -> None:
    left_ms = found.written_ms + quiet_ms - now_ms
    if found.yielded_ms is None and left_ms > 0:
        raise LegacyActiveError(
            f"execution {found.execution_id}: the legacy executor wrote "
            f"{now_ms - found.written_ms} ms ago",
            retry_after_ms=left_ms,
        )


def _plan(found: LegacyRecords, handed: Plan | Mapping[str, Any] | None) -> Plan:
    """Return the plan to go on with, checked."""
    stored = None if found.state is None else found.state.plan
    if stored is None and handed is None:
        settled = "" if found.task is None else found.task.get("status")
        if settled in {"completed", "failed", "cancelled", "compensated"}:
            raise ExecutionNotFoundError(
                f"execution {found.execution_id} is {settled}; its legacy state has expired"
            )
        raise AdoptionRefusedError(
            f"execution {found.execution_id}: the process died before its plan was stored; hand "
            "the plan over (plan=...)"
        )
    known = None if stored is None else parse_plan(stored)
    if handed is None:
        assert known is not None  # noqa: S101 - one of the two is there
        return known
    given = parse_plan(handed)
    if known is not None and known.digest() != given.digest():
        raise PlanMismatchError(f"execution {found.execution_id} was begun with another plan")
    return given


def _arguments(operation: str, seen: _Look, taken: AdoptedState) -> list[str]:
    head = taken.head()
    fields = [part for pair in head.items() for part in pair]
    steps = [
        part
        for index, state in sorted(taken.steps.items())
        for part in (str(index), codec.encode_step(state))
    ]
    return [
        operation,
        codec.SCHEMA_VERSION,
        codec.HANDED_BACK,
        taken.plan.digest(),
        codec.encode_plan(taken.plan),
        seen.task,
        seen.state,
        fenced_task(seen.records, seen.now_ms),
        fenced_state(seen.records, seen.now_ms),
        str(TTL_S),
        str(taken.due_ms),
        str(limits.ROUTE_TTL_S),
        codec.encode_event(taken.event()),
        str(len(head)),
        *fields,
        *steps,
    ]
