"""The legacy executor behind the port of campaigns: the same faults at the same kind of operation.

It has no lease and no queue of its own that would bring a dead execution back. So that it is not judged
for what its surroundings do, a worker here tries to resume whatever has not ended, again and again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from typing_extensions import override

from chaos.history import StepView
from chaos.plans import ChaosPlan
from chaos.port import (
    CallRequest,
    Command,
    DurableView,
    ExecutorPort,
    Image,
    LifeResult,
    Operation,
    Surroundings,
)
from chaos.virtual_time import EPOCH_MS
from conformance.scenario_builder import ScenarioBuilder, step_id
from conformance.subjects.legacy import LegacyLife
from conformance.subjects.legacy_records import QUEUE_KEY, SCHEDULE_KEY, STATE_PREFIX, TASK_PREFIX

ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "REFLECTING"})
"""Statuses after which nobody goes on. `REFLECTING` is where a failed step leaves an execution."""
_STEP_SITES = {"in_progress": "intent", "completed": "commit", "failed": "commit"}


class LegacyPort(ExecutorPort):
    """One plan on the legacy executor."""

    name = "legacy"
    scripts: Sequence[str] = ()
    loggers: Sequence[str] = ()

    def __init__(self, plan: ChaosPlan) -> None:
        """Run `plan`, in the form that the legacy executor demands."""
        self._names = {step_id(name): name for name in plan.steps()}
        self._plan, self._execution_id = _legacy_plan(plan)
        self._known: dict[str, str] = {}
        self._calls = 0

    @override
    async def run(self, life: Surroundings, *, begin: bool) -> LifeResult:
        async def call(tool: str, parameters: Any) -> tuple[bool, Any, str | None]:
            self._calls += 1
            answer = await life.callee.call(
                CallRequest(
                    step=str(parameters["of"]),
                    tool=tool,
                    key=f"call-{self._calls}",  # it gives its tools nothing to know a repetition by
                    attempt=1,
                    arguments=parameters,
                )
            )
            return answer.success, answer.output, answer.error

        process = LegacyLife(_Decoding(life.client), life.clock, call)
        if begin:
            status, code = await process.start(self._execution_id, self._plan)
        else:
            status, code = await self._resume(process, life)
        return LifeResult(status, code)

    async def _resume(self, process: LegacyLife, life: Surroundings) -> tuple[str, str | None]:
        del life
        return await process.resume(self._execution_id)

    @override
    async def decide(self, life: Surroundings, view: DurableView, *, approved: bool) -> LifeResult:
        raise NotImplementedError("the legacy executor asks nobody")

    @override
    async def cancel(self, life: Surroundings) -> bool:
        raise NotImplementedError("the legacy executor cannot be cancelled")

    @override
    def error_code(self, error: BaseException) -> str:
        return str(getattr(error, "name", type(error).__name__))

    @override
    def operation(self, commands: Sequence[Command]) -> Operation | None:
        name, *arguments = commands[0]
        key = arguments[0].decode() if arguments else ""
        if key.startswith(STATE_PREFIX) and name.upper() == b"SET":
            return Operation("by-hand")
        if key.startswith(STATE_PREFIX):
            return Operation("load" if name.upper() == b"GET" else self._saving(arguments[2]))
        if key.startswith(TASK_PREFIX):
            return Operation("task-load" if name.upper() == b"GET" else "task")
        if key == SCHEDULE_KEY:
            return Operation("schedule")
        if key.startswith(QUEUE_KEY):
            return Operation("queue")
        return None

    def _saving(self, text: bytes) -> str:
        """Return what a saved state changes, by step."""
        data = json.loads(text)["data"]
        statuses = {step["step_id"]: step["status"] for step in data["step_states"]}
        words = [
            f"{self._names[name]}.{_STEP_SITES[status]}"
            for name, status in statuses.items()
            if self._known.get(name) != status and status in _STEP_SITES
        ]
        self._known = statuses
        if data["status"] in ENDED:
            words.append("finish")
        return "+".join(words) or "save"

    @override
    def refusal(self, reply: Any) -> str | None:
        return None

    @override
    def view(self, image: Image) -> DurableView:
        data = self._state(image)
        if data is None:
            return DurableView()
        status = str(data["status"])
        ended = status in ENDED
        steps = {
            self._names[step["step_id"]]: StepView(str(step["status"]), hash_of(step.get("output")))
            for step in data["step_states"]
        }
        schedule = image.get(SCHEDULE_KEY.encode())
        due = None if schedule is None else schedule.value.get(self._execution_id.encode())
        return DurableView(
            status=status,
            ended=ended,
            due_at_ms=None if ended else int(due if due is not None else EPOCH_MS),
            steps=steps,
        )

    @override
    def final_hash(self, image: Image) -> str:
        view = self.view(image)
        return str(hash_of([view.status, {name: one.status for name, one in view.steps.items()}]))

    @override
    def left_behind(self, image: Image) -> tuple[str, ...]:
        return ()

    @override
    def canonical(self, image: Image, now_ms: int) -> Any:
        raise NotImplementedError("no closure is made of the legacy executor")

    @override
    def is_stale(self, commands: Sequence[Command], image: Image) -> bool:
        return False

    def _state(self, image: Image) -> Mapping[str, Any] | None:
        stored = image.get((STATE_PREFIX + self._execution_id).encode())
        if stored is None:
            return None
        data: Mapping[str, Any] = json.loads(stored.value)["data"]
        return data


class RestartedLegacyPort(LegacyPort):
    """The same, with somebody who helps where it cannot resume: what was under way is started again."""

    name = "legacy-restarted"

    @override
    async def _resume(self, process: LegacyLife, life: Surroundings) -> tuple[str, str | None]:
        try:
            return await process.resume(self._execution_id)
        except Exception:  # noqa: BLE001 - whatever it is, a person starts it again
            await self._reset(life.client)
            return await process.start(self._execution_id, self._plan)

    async def _reset(self, client: Redis) -> None:
        """Turn steps that were under way into pending ones, as a person would by hand."""
        key = STATE_PREFIX + self._execution_id
        stored = await client.get(key)
        if stored is None:
            return
        envelope = json.loads(stored)
        envelope["data"]["status"] = "PLANNED"
        for step in envelope["data"]["step_states"]:
            if step["status"] == "in_progress":
                step["status"] = "pending"
        await client.set(key, json.dumps(envelope), keepttl=True)


class _Decoding:
    """The client of a campaign, answering in text as the legacy executor expects it."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def get(self, key: str) -> str | None:
        stored = await self._client.get(key)
        return stored.decode() if isinstance(stored, bytes) else stored

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _legacy_plan(plan: ChaosPlan) -> tuple[Mapping[str, Any], str]:
    """Return the plan as scenario/v1 has it, and the execution's id."""
    builder = ScenarioBuilder(plan.name)
    for name, step in plan.steps().items():
        parameters = {"of": name} | {
            earlier: f"${step_id(earlier)}.receipt" for earlier in step["dependencies"]
        }
        builder = builder.step(
            name, tool=step["tool_name"], after=step["dependencies"], parameters=parameters
        )
    document = builder.document()
    return document["plan"], str(document["execution_id"])


def hash_of(value: Any) -> str | None:
    """Return a short hash of a JSON value; of none, none."""
    if value is None:
        return None
    text = json.dumps(value, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
