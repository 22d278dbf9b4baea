"""A small executor that keeps every clause: the measure of the kit, and an example to read.

It keeps each run as one JSON file in the scratch folder of its world. It runs one step at a time,
writes before each call what it is about to do, and after it what came of it. A run belongs to one
process for the term of a lease; every write renews it, and none is made without it.

Its methods are small so that each flaw in `conformance.kit.flaws` is one method done wrongly.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.kit.exemplar_records import Alarm, Record, planned, segment_result, view
from conformance.kit.pipe import resolve
from conformance.kit.progress import PROGRESS_SCHEMA
from conformance.scenario import PatchState
from conformance.subject import ResumeRequest, SegmentResult, StartRequest, Threw
from conformance.tool_scripts import Effect, ScriptedError, ToolReply
from conformance.trace import PersistedView
from conformance.world import World

LEASE_MS = 40_000  # longer than any call may take, so that a living owner is never overtaken
BUSY_MS = 1_000  # how long a process waits before it looks again at a run of another one
ENDED = ("COMPLETED", "FAILED", "COMPENSATED", "COMPENSATION_FAILED")


class LostError(Exception):
    """Another process has taken the run over."""


class Exemplar:
    """The executor; one object is one process."""

    def __init__(self, world: World) -> None:
        """Work in `world`, whose scratch folder is the store."""
        if world.scratch is None:
            raise ValueError("the world has no scratch folder")
        self.world = world
        self.folder: Path = world.scratch

    async def capabilities(self) -> frozenset[str]:
        """Declare all levels."""
        return frozenset({"C0", "C1", "C2", "C3", "C4", "C5"})

    async def start(self, request: StartRequest) -> SegmentResult:
        """Store the plan, unless it is known, and work on it."""
        plan = json.loads(json.dumps(request.plan))
        if fault := self.plan_fault(plan):
            raise Threw(fault, "INVALID_PLAN")
        record = self.load(request.execution_id)
        if record is None:
            record = self.new_record(request.execution_id, plan)
            self.write(record)
        elif record["plan"]["steps"] != plan["steps"]:
            self.meet_another_plan(record)
        return await self.own(request.execution_id)

    async def resume(self, request: ResumeRequest) -> SegmentResult:
        """Go on with a stored run."""
        if self.load(request.execution_id) is None:
            return self.meet_unknown(request.execution_id)
        return await self.own(request.execution_id)

    async def state(self, execution_id: str) -> PersistedView:
        """Read what the store holds."""
        record = self.load(execution_id)
        return PersistedView() if record is None else PersistedView(state=view(record))

    async def effects(self) -> Sequence[Effect]:
        """Return the ledger of the scripted tools."""
        return self.world.tools.effects

    async def patch_state(self, operation: PatchState) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Nothing is held."""

    async def hand_out(self, execution_id: str) -> Mapping[str, Any]:
        """Give the run away: the record says so, and what is done is told."""
        record = self.load(execution_id)
        if record is None:
            raise Threw("no such execution", "EXECUTION_NOT_FOUND")
        self.mark_handed_out(record)
        return {
            "schema": PROGRESS_SCHEMA,
            "execution_id": execution_id,
            "plan": record["plan"],
            "intent": None,
            "steps": [self.told(step) for step in record["steps"]],
        }

    async def take_in(self, progress: Mapping[str, Any]) -> None:
        """Store a foreign run as one of ours."""
        record = self.new_record(progress["execution_id"], progress["plan"])
        for step, told in zip(record["steps"], progress["steps"], strict=True):
            self.believe(step, told)
        self.write(record)

    # The store.

    def path(self, execution_id: str) -> Path:
        """Return the file of a run."""
        return self.folder / f"{execution_id}.json"

    def load(self, execution_id: str) -> Record | None:
        """Read a run; None if there is none."""
        path = self.path(execution_id)
        if not path.exists():
            return None
        record: Record = json.loads(path.read_bytes())
        return record

    def write(self, record: Record) -> None:
        """Make a record durable."""
        self.path(record["id"]).write_text(json.dumps(record), "utf-8")

    def save(self, record: Record) -> None:
        """Write what has changed, if the run still belongs to this process, and renew the lease.

        Raises:
            LostError: it does not.
        """
        self.check_owner(record)
        record["lease_ends"] = self.world.clock.now_ms() + LEASE_MS
        self.write(record)

    def check_owner(self, record: Record) -> None:
        """Refuse to write to a run that has a newer owner."""
        held = self.load(record["id"])
        if held is None or held["token"] != record["token"]:
            raise LostError

    def new_record(self, execution_id: str, plan: Mapping[str, Any]) -> Record:
        """Return the record of a run of which nothing has been done."""
        steps = [self.new_step(step) for step in plan["steps"]]
        return {"id": execution_id, "plan": plan, "status": "PLANNED", "steps": steps,
                "token": 0, "lease_ends": 0, "handed_out": False}  # fmt: skip

    def new_step(self, step: Mapping[str, Any]) -> Record:
        """Return the record of a step that was not called yet."""
        return {"id": step["id"], "status": "pending", "output": None, "error": None,
                "attempts": 0, "parameters": None, "undo": None, "undone": False}  # fmt: skip

    # The run.

    async def own(self, execution_id: str) -> SegmentResult:
        """Take the lease as soon as it is free, and work."""
        while True:
            record = self.load(execution_id)
            if record is None or record["handed_out"]:
                raise Threw("the run is not here any more", "EXECUTION_NOT_FOUND")
            if record["status"] in ENDED:
                return await self.meet_ended(record)
            if self.is_free(record):
                break
            await self.world.clock.sleep_ms(BUSY_MS)
        record["token"] += 1
        record["lease_ends"] = self.world.clock.now_ms() + LEASE_MS
        self.write(record)
        try:
            self.prepare(record)
            await self.work(record)
            self.finish(record)
        except LostError:
            return await self.own(execution_id)
        return segment_result(record)

    def is_free(self, record: Record) -> bool:
        """Whether no living process owns the run."""
        return bool(record["lease_ends"] <= self.world.clock.now_ms())

    async def work(self, record: Record) -> None:
        """Call the steps that are ready, one after another, until none is or one has failed."""
        while (step := self.next_step(record)) is not None:
            if self.needs_confirmation(record, step):
                record["status"] = "AWAITING_CONFIRMATION"
                return
            await self.run_step(record, step)
        if any(step["status"] == "failed" for step in record["steps"]):
            await self.roll_back(record)
        else:
            record["status"] = "COMPLETED"

    def finish(self, record: Record) -> None:
        """Give the run back with its last write."""
        self.check_owner(record)
        record["lease_ends"] = 0
        self.write(record)

    def next_step(self, record: Record) -> Record | None:
        """Return the step to call next; None when nothing is to be called any more."""
        if any(step["status"] == "failed" for step in record["steps"]):
            return None
        steps: list[Record] = record["steps"]
        by_id = {step["id"]: step for step in steps}
        for step in steps:
            needs = self.dependencies(record, step)
            if step["status"] != "completed" and all(
                by_id[need]["status"] == "completed" for need in needs
            ):
                return step
        return None

    def dependencies(self, record: Record, step: Record) -> Sequence[str]:
        """Return the ids of the steps that must be completed before `step`."""
        found: Sequence[str] = planned(record, step).get("dependencies", [])
        return found

    def needs_confirmation(self, record: Record, step: Record) -> bool:
        """Whether a person must agree first."""
        return bool(planned(record, step).get("requires_confirmation"))

    async def run_step(self, record: Record, step: Record) -> None:
        """Call one step, again as its policy allows, and store what came of it."""
        plan = planned(record, step)
        policy = plan.get("retry_policy") or {}
        if step["parameters"] is None:
            step["parameters"] = self.resolve(record, plan["parameters"])
        while True:
            step["status"], step["attempts"] = "in_progress", step["attempts"] + 1
            self.save(record)
            reply = await self.call(
                plan["tool_name"],
                self.sent(step),
                key=self.key(record, step),
                timeout_ms=self.timeout_ms(plan),
            )
            if reply.success or step["attempts"] >= self.attempts(policy):
                break
            self.save(record)
            await self.world.clock.sleep_ms(self.pause_ms(policy, step["attempts"]))
        self.settle(step, reply)
        self.save(record)

    def sent(self, step: Record) -> Mapping[str, Any]:
        """Return the parameters of the call."""
        parameters: Mapping[str, Any] = step["parameters"]
        return parameters

    def attempts(self, policy: Mapping[str, Any]) -> int:
        """Return how often a step is called at most."""
        return int(policy.get("max_attempts", 1))

    def pause_ms(self, policy: Mapping[str, Any], attempts: int) -> int:
        """Return the pause after so many attempts: doubled each time."""
        return int(policy.get("backoff_ms", 0)) << (attempts - 1)

    def timeout_ms(self, plan: Mapping[str, Any]) -> int:
        """Return how long a call of the step may take."""
        return int(plan.get("timeout_ms", 30_000))

    def key(self, record: Record, step: Record, suffix: str = "") -> str | None:
        """Return the idempotency key of a step: the same for every call of it."""
        return f"{record['id']}/{step['id']}{suffix}"

    async def call(
        self, tool: str, parameters: Mapping[str, Any], *, key: str | None, timeout_ms: int
    ) -> ToolReply:
        """Call a tool; what it raises, or a call that takes too long, is a failure."""
        give_up = Alarm(self.world, timeout_ms)
        try:
            return await self.world.tools.call(
                tool, parameters, timeout_ms=timeout_ms, signal=give_up, idempotency_key=key
            )
        except ScriptedError as error:
            return self.meet_raise(error)
        finally:
            give_up.stop()

    def meet_raise(self, error: ScriptedError) -> ToolReply:
        """Return what a raise of a tool counts as."""
        return ToolReply(success=False, error=str(error))

    def settle(self, step: Record, reply: ToolReply) -> None:
        """Put the result of the last call into the step."""
        if reply.success:
            step["status"], step["output"] = "completed", reply.output
            step["undo"] = None if reply.compensation is None else dict(reply.compensation)
        else:
            step["status"], step["error"] = "failed", reply.error

    def resolve(self, record: Record, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Put earlier outputs in the place of references to them."""
        outputs = {step["id"]: step["output"] for step in record["steps"]}
        return resolve(parameters, outputs)

    # The rollback: the steps of a chain in reverse, which no other order of a plan contradicts.

    async def roll_back(self, record: Record) -> None:
        """Undo what was done, and say how the run has ended."""
        for step in self.to_undo(record):
            undo = step["undo"]
            self.save(record)
            reply = await self.call(
                undo["toolName"],
                self.undo_parameters(undo),
                key=self.key(record, step, ":undo"),
                timeout_ms=30_000,
            )
            step["undone"] = True
            if not reply.success:
                record["status"] = "COMPENSATION_FAILED"
                return
            self.save(record)
        any_undone = any(step["undone"] for step in record["steps"])
        record["status"] = "COMPENSATED" if any_undone else "FAILED"

    def to_undo(self, record: Record) -> list[Record]:
        """Return the steps that are still to be undone, in the order to do it in."""
        numbers = {step["id"]: step["step_number"] for step in record["plan"]["steps"]}
        steps = [step for step in record["steps"] if step["undo"] and not step["undone"]]
        return sorted(steps, key=lambda step: -numbers[step["id"]])

    def undo_parameters(self, undo: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the parameters of an undo."""
        return undo.get("parameters") or {}

    # What happens at the edges.

    def plan_fault(self, plan: Mapping[str, Any]) -> str | None:
        """Return why a plan is refused, or None."""
        allowed = plan.get("constraints", {}).get("allowed_tools")
        if allowed is not None and any(s["tool_name"] not in allowed for s in plan["steps"]):
            return "the plan uses a tool that it may not"
        done: set[str] = set()
        left = list(plan["steps"])
        while ready := [step for step in left if done.issuperset(step.get("dependencies", []))]:
            done.update(step["id"] for step in ready)
            left = [step for step in left if step["id"] not in done]
        return "the steps of the plan wait for one another" if left else None

    def meet_another_plan(self, record: Record) -> None:
        """Refuse a plan that is not the one of the run."""
        raise Threw(f"execution {record['id']} has another plan", "PLAN_MISMATCH")

    def meet_unknown(self, execution_id: str) -> SegmentResult:
        """Refuse to resume what does not exist."""
        raise Threw(f"no execution {execution_id}", "EXECUTION_NOT_FOUND")

    async def meet_ended(self, record: Record) -> SegmentResult:
        """Tell the result of a run that has ended; call nothing."""
        return segment_result(record)

    def prepare(self, record: Record) -> None:
        """Look at a run that was just taken over; what it holds is enough."""

    def mark_handed_out(self, record: Record) -> None:
        """Note that the run is another executor's."""
        record["handed_out"] = True
        record["token"] += 1
        self.write(record)

    def told(self, step: Record) -> Mapping[str, Any]:
        """Return what another executor learns of a step."""
        if step["status"] == "completed":
            return {"id": step["id"], "status": "completed", "output": step["output"]}
        return {"id": step["id"], "status": "pending", "output": None}

    def believe(self, step: Record, told: Mapping[str, Any]) -> None:
        """Take over what another executor says of a step."""
        step["status"], step["output"] = told["status"], told["output"]
