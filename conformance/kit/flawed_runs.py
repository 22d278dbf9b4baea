"""Executors that run or resume plans wrongly (C0, C1): the exemplar, one method done wrongly."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from conformance.kit.exemplar import Exemplar
from conformance.kit.exemplar_records import Record, segment_result
from conformance.kit.flaw import Flaws, breaker
from conformance.subject import ResumeRequest, SegmentResult, StartRequest, Threw
from conformance.tool_scripts import ScriptedError, ToolReply

FLAWS: Flaws = {}
_breaks = breaker(FLAWS)


@_breaks("runs-a-chain")
class _StopsShort(Exemplar):
    @override
    def next_step(self, record: Record) -> Record | None:
        step = super().next_step(record)
        if step is record["steps"][-1]:
            step["status"] = "completed"
            return None
        return step


@_breaks("calls-nothing-twice")
class _CallsTwice(Exemplar):
    @override
    async def run_step(self, record: Record, step: Record) -> None:
        await super().run_step(record, step)
        if len(self.dependencies(record, step)) > 1:
            await super().run_step(record, step)


@_breaks("waits-for-dependencies")
class _GoesByTheList(Exemplar):
    @override
    def dependencies(self, record: Record, step: Record) -> Sequence[str]:
        return ()


@_breaks("resolves-references")
class _HandsReferencesOn(Exemplar):
    @override
    def resolve(self, record: Record, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return dict(parameters)


@_breaks("keeps-outputs-exactly")
class _DropsFalsyOutputs(Exemplar):
    @override
    def settle(self, step: Record, reply: ToolReply) -> None:
        super().settle(step, reply)
        step["output"] = step["output"] or None


@_breaks("fails-when-a-step-fails")
class _PassesOverFailures(Exemplar):
    @override
    def finish(self, record: Record) -> None:
        record["status"] = "COMPLETED"
        super().finish(record)


@_breaks("starts-nothing-after-a-failure")
class _GoesOnAfterFailures(Exemplar):
    @override
    def next_step(self, record: Record) -> Record | None:
        return next((step for step in record["steps"] if step["status"] == "pending"), None)


@_breaks("takes-a-raise-as-a-failure")
class _LetsRaisesThrough(Exemplar):
    @override
    def meet_raise(self, error: ScriptedError) -> ToolReply:
        raise error


@_breaks("marks-every-step")
class _ForgetsToMark(Exemplar):
    @override
    async def roll_back(self, record: Record) -> None:
        await super().roll_back(record)
        for step in record["steps"]:
            if step["status"] == "failed":
                step["status"] = "pending"


@_breaks("refuses-a-cycle", "keeps-to-the-allowed-tools")
class _TakesAnyPlan(Exemplar):
    @override
    def plan_fault(self, plan: Mapping[str, Any]) -> str | None:
        return None


@_breaks("keeps-executions-apart")
class _KeepsOneRun(Exemplar):
    @override
    def path(self, execution_id: str) -> Any:
        return self.folder / "run.json"

    @override
    def meet_another_plan(self, record: Record) -> None:
        """Take the run that is there for the one that was asked for."""


@_breaks("resumes-after-a-crash")
class _CannotResume(Exemplar):
    @override
    async def resume(self, request: ResumeRequest) -> SegmentResult:
        raise Threw("resuming is not supported", "NOT_SUPPORTED")


@_breaks("keeps-finished-steps", "one-effect-for-each-step")
class _StartsOver(Exemplar):
    @override
    def prepare(self, record: Record) -> None:
        record["steps"] = [self.new_step(step) for step in record["plan"]["steps"]]

    @override
    def key(self, record: Record, step: Record, suffix: str = "") -> str | None:
        return f"{super().key(record, step, suffix)}/{record['token']}"


@_breaks("keeps-results-for-references")
class _LosesOutputs(Exemplar):
    @override
    def prepare(self, record: Record) -> None:
        for step in record["steps"]:
            step["output"] = {} if step["status"] == "completed" else None


@_breaks("finishes-the-interrupted-step")
class _TakesBegunForDone(Exemplar):
    @override
    def prepare(self, record: Record) -> None:
        for step in record["steps"]:
            if step["status"] == "in_progress":
                step["status"] = "completed"


@_breaks("repeats-with-the-same-parameters")
class _AddsTheAttempt(Exemplar):
    @override
    def sent(self, step: Record) -> Mapping[str, Any]:
        again = {"attempt": step["attempts"]} if step["attempts"] > 1 else {}
        return {**super().sent(step), **again}


@_breaks("survives-crash-after-crash")
class _GivesUpAfterTwo(Exemplar):
    @override
    async def work(self, record: Record) -> None:
        if record["token"] > 2:  # noqa: PLR2004 - the flaw
            record["status"] = "FAILED"
            return
        await super().work(record)


@_breaks("leaves-a-finished-run-alone", "leaves-a-failed-run-failed")
class _RunsEndedRunsAgain(Exemplar):
    @override
    async def meet_ended(self, record: Record) -> SegmentResult:
        again = self.new_record(record["id"], record["plan"]) | {"token": record["token"]}
        await self.work(again)
        return segment_result(again)


@_breaks("refuses-an-unknown-execution")
class _KnowsEverything(Exemplar):
    @override
    def meet_unknown(self, execution_id: str) -> SegmentResult:
        return segment_result(
            self.new_record(execution_id, {"steps": []}) | {"status": "COMPLETED"}
        )


@_breaks("state-outlives-the-process")
class _KeepsTheEndInMemory(Exemplar):
    @override
    def finish(self, record: Record) -> None:
        """Do not write the last state."""


@_breaks("finishes-a-long-plan")
class _YieldsWithoutSaving(Exemplar):
    @override
    async def start(self, request: StartRequest) -> SegmentResult:
        self.began_ms = self.world.clock.elapsed_ms
        return await super().start(request)

    @override
    async def work(self, record: Record) -> None:
        saved = copy.deepcopy(record["steps"])
        await super().work(record)
        if self.world.clock.elapsed_ms > 10_000 and record["token"] == 1:  # noqa: PLR2004 - the flaw
            record["steps"], record["status"] = saved, "EXECUTING"
