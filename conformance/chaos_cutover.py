"""Executions in flight, taken over: begun by the legacy executor, ended by the unified engine.

Whoever begins an execution begins it with the legacy executor. Whoever resumes it adopts it and goes on
with the unified engine. Nothing is remembered from one life to the next but what the server holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from typing_extensions import override

from chaos.history import StepView
from chaos.plans import ChaosPlan
from chaos.port import (
    EXECUTION,
    CallAnswer,
    Callee,
    CallRequest,
    Command,
    DurableView,
    Image,
    LifeResult,
    Operation,
    StoredKey,
    Surroundings,
)
from chaos.unified import sites
from chaos.unified.canonical import canonical_form
from chaos.unified.port import REFUSALS, CalledTools
from chaos.unified.staleness import is_stale
from chaos.unified.view import left_behind, queued_at_ms, read_view, stored
from conformance.chaos_legacy import LegacyPort, hash_of
from conformance.scenario_builder import step_id
from engine import WorkflowMachine, limits
from engine.adoption import adopt
from engine.adoption_scripts import ADOPT, LOOK
from engine.errors import EngineError
from engine.legacy_records import LegacyRecords, keys_of, read_records
from engine.redis_store import RedisStore

_ADOPTING = {ADOPT: "adopt", LOOK: "adopt-look"}
_TASK_ALONE = "RECEIVED"
"""Status of an execution of which the legacy executor has stored nothing but its task."""
_OPEN = {"STARTED": "EXECUTING", "REFLECTING": "EXECUTING"}
"""Statuses of the legacy executor that the engine has no name for: nothing has ended yet."""


class CutoverPort(LegacyPort):
    """One plan that changes hands."""

    name = "legacy-adopted"
    scripts: Sequence[str] = (*sites.SCRIPTS, *_ADOPTING)
    loggers: Sequence[str] = ("planproof.engine",)

    def __init__(self, plan: ChaosPlan) -> None:
        """Run `plan`; whoever adopts it hands it over with the way to undo its steps."""
        super().__init__(plan)
        self._source = plan
        self._step_names = list(plan.steps())
        self._handed = _with_undo(self._plan, plan)

    @override
    async def run(self, life: Surroundings, *, begin: bool) -> LifeResult:
        if begin:
            return await super().run(life, begin=True)
        tools = self._tools(life)
        adopted = await adopt(
            self._execution_id,
            store=self._store(life),
            plan=self._handed,
            catalog=tools,
            ids=life.ids,
        )
        if adopted.result is not None:
            return LifeResult(str(adopted.result.status))
        result = await self._machine(life, tools).execute()
        return LifeResult(str(result.status), result.error.code if result.error else None)

    @override
    async def decide(self, life: Surroundings, view: DurableView, *, approved: bool) -> LifeResult:
        step = step_id(view.waiting_for or "")
        await self._machine(life, self._tools(life)).confirm(step, view.token or "", approved)
        return LifeResult()

    @override
    def error_code(self, error: BaseException) -> str:
        return error.code if isinstance(error, EngineError) else super().error_code(error)

    @override
    def operation(self, commands: Sequence[Command]) -> Operation | None:
        command = commands[0]
        if command[0].upper() in (b"EVALSHA", b"EVAL") and command[1] in _sent_as():
            return Operation(_sent_as()[command[1]])
        named = sites.name_operation(commands, self._step_names)
        if named is None:
            return super().operation(commands)
        site = named.site
        for identity, name in self._names.items():
            site = site.replace(identity, name)
        return replace(named, site=site)

    @override
    def refusal(self, reply: Any) -> str | None:
        first = reply[0] if isinstance(reply, list) and reply else None
        word = first.decode(errors="replace") if isinstance(first, bytes) else first
        return word if isinstance(word, str) and word in REFUSALS else None

    @override
    def view(self, image: Image) -> DurableView:
        own = _renamed(image, self._execution_id)
        if stored(own, "run"):
            view = read_view(own, self._step_names)
            waiting = view.waiting_for
            return replace(view, waiting_for=None if waiting is None else self._names[waiting])
        found = self._records(image)
        if found.is_empty:
            return DurableView()
        due_ms = found.scheduled_ms
        if due_ms is None:
            due_ms = found.written_ms + limits.LEGACY_QUIET_MS
        if found.state is None:
            return DurableView(status=_TASK_ALONE, due_at_ms=due_ms)
        steps = {
            self._names[step.step_id]: StepView(step.status, hash_of(step.output))
            for step in found.state.step_states
        }
        ended = found.has_ended
        return DurableView(
            status=_OPEN.get(found.state.status, found.state.status),
            ended=ended,
            due_at_ms=None if ended else due_ms,
            steps=steps,
        )

    @override
    def final_hash(self, image: Image) -> str:
        view = self.view(image)
        steps = {
            name: (one.status, one.result_hash)
            for name in self._step_names
            if (one := view.steps.get(name)) is not None
        }
        return str(hash_of([view.status, steps]))

    @override
    def left_behind(self, image: Image) -> tuple[str, ...]:
        own = _renamed(image, self._execution_id)
        return left_behind(own) if stored(own, "run") else ()

    @override
    def canonical(self, image: Image, now_ms: int) -> Any:
        """What is the legacy executor's is compared as it lies: it stands for no other content."""
        own = _renamed(image, self._execution_id)
        if stored(own, "run"):
            return canonical_form(own, now_ms, self._source)
        foreign = (_text(image, key) for key in keys_of(self._execution_id)[:3])
        return ("legacy", tuple(foreign), self._scheduled(image), now_ms, queued_at_ms(own))

    @override
    def is_stale(self, commands: Sequence[Command], image: Image) -> bool:
        return is_stale(commands[0], _renamed(image, self._execution_id))

    def _records(self, image: Image) -> LegacyRecords:
        task, state, item = (_text(image, key) for key in keys_of(self._execution_id)[:3])
        return read_records(self._execution_id, task, state, item, self._scheduled(image))

    def _scheduled(self, image: Image) -> str:
        schedule = image.get(keys_of(self._execution_id)[3].encode())
        due = None if schedule is None else schedule.value.get(self._execution_id.encode())
        return "" if due is None else str(due)

    def _store(self, life: Surroundings) -> RedisStore:
        return RedisStore(life.client, prefix=life.key_prefix, clock=life.lease_clock, ids=life.ids)

    def _tools(self, life: Surroundings) -> CalledTools:
        return CalledTools(_NamedCallee(life.callee, self._names), self._source)

    def _machine(self, life: Surroundings, tools: CalledTools) -> WorkflowMachine:
        return WorkflowMachine(
            self._execution_id,
            tools,
            store=self._store(life),
            clock=life.clock,
            ids=life.ids,
            settings=self._source.settings,
        )


class _NamedCallee(Callee):
    """The outside of the tools, told of steps by the names that the plan gives them."""

    def __init__(self, callee: Callee, names: Mapping[str, str]) -> None:
        self._callee = callee
        self._names = names

    @override
    async def call(self, request: CallRequest, /) -> CallAnswer:
        return await self._callee.call(replace(request, step=self._names[request.step]))

    @override
    async def look_up(self, step: str, key: str, /) -> CallAnswer | None:
        return await self._callee.look_up(self._names[step], key)


@cache
def _sent_as() -> Mapping[bytes, str]:
    """Return the names of the adopting scripts, by each way to send one."""
    digests = {sites.digest_of(text): name for text, name in _ADOPTING.items()}
    return {**digests, **{text.encode(): name for text, name in _ADOPTING.items()}}


def _with_undo(planned: Mapping[str, Any], plan: ChaosPlan) -> Mapping[str, Any]:
    """Return the legacy plan, and how each of its steps is undone, which that one cannot say."""
    undos = {
        step_id(name): {
            "tool_name": step["compensation"]["tool_name"],
            "parameters": {"of": name, "receipt": f"${step_id(name)}.receipt"},
        }
        for name, step in plan.steps().items()
        if "compensation" in step
    }
    steps = [
        step | {"compensation": undos[step["id"]]} if step["id"] in undos else step
        for step in planned["steps"]
    ]
    return {**planned, "steps": steps}


def _renamed(image: Image, execution_id: str) -> Image:
    """Return an image as if the execution had the id that all others of campaigns have."""
    old, new = execution_id.encode(), EXECUTION.encode()
    found = {}
    for key, held in image.items():
        value = held.value
        if key.endswith(b":due") and old in value:
            value = {(new if member == old else member): score for member, score in value.items()}
        found[key.replace(old, new)] = StoredKey(held.kind, value, held.expires_ms)
    return found


def _text(image: Image, key: str) -> str:
    held = image.get(key.encode())
    return "" if held is None else held.value.decode()
