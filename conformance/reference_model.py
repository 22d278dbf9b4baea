"""The reference model: what a plan's run means, as plainly as it can be said.

It is the third oracle of the comparison. It knows no store, no asyncio and nothing of either
executor: a plan, scripted tools, and a list of events ordered by time. Where the rules leave the
outcome open it answers `Unpredictable`, which is counted and never taken for agreement.
"""

import heapq
import json
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from conformance import reference_rules as rules
from conformance.reference_rules import StepPrediction
from conformance.scenario import (
    MAX_RUN_SEGMENTS,
    RESUME_DELAY_MS,
    CallOperation,
    Execute,
    Outcome,
    Resume,
    Run,
    Scenario,
)

ABORT_MS = 8500  # a call is cancelled this long after it began
BUDGET_MS = 6000  # a segment starts no batch once it is this old
COMPENSATION_CALLS = 3  # an undo is called at most this often


@dataclass(frozen=True)
class CallPrediction:
    """One tool call; `step` is None for a compensation."""

    step: str | None
    tool: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Prediction:
    """What the scenario must show. After a crash, calls are a lower bound (`at_least_once`)."""

    end: str
    success: bool | None
    steps: Mapping[str, StepPrediction]
    calls: tuple[CallPrediction, ...]
    at_least_once: bool = False


@dataclass(frozen=True)
class Unpredictable:
    """The rules leave the outcome open, for this reason."""

    reason: str


_Process: TypeAlias = Generator[int, None, Any]  # yields how many ms it waits, returns its result


@dataclass
class _Execution:
    plan: Mapping[str, Any]
    steps: dict[str, StepPrediction]
    batches: list[list[str]] = field(default_factory=list)
    end: str = "yielded"

    @property
    def is_open(self) -> bool:
        return self.end in {"yielded", "waiting"}


def predict(scenario: Scenario) -> Prediction | Unpredictable:
    """Say how `scenario` must end, or why that cannot be said."""
    if scenario.redis_autoparse or "js" in scenario.tags:
        return Unpredictable("depends on the JavaScript runtime")
    operations = [op for op in scenario.driver if isinstance(op, Execute | Resume | Run)]
    if not any(_crashes(op) for op in operations):
        return _Model(scenario).run()
    last = {op.execution_id or scenario.execution_id: op for op in operations}
    if any(_crashes(op) for op in last.values()):
        return Unpredictable("nothing follows the crash")
    # Wherever a crash falls, it falls between "before the first effect" and "after the last".
    early = _Model(scenario, crash_early=True).run()
    late = _Model(scenario).run()
    if replace(early, calls=()) != replace(late, calls=()) or _multiset(early) != _multiset(late):
        return Unpredictable("the outcome depends on where the crash falls")
    if any(_is_varied(scenario, call.tool) for call in late.calls):
        return Unpredictable("a repeated call takes another scripted outcome")
    return replace(late, at_least_once=True)


def _crashes(operation: CallOperation) -> bool:
    return operation.crash_after_ms is not None or operation.crash_after_write is not None


def _multiset(prediction: Prediction) -> Counter[str]:
    return Counter(json.dumps([c.tool, c.parameters], sort_keys=True) for c in prediction.calls)


def _is_varied(scenario: Scenario, tool: str) -> bool:
    script = scenario.outcomes.get(tool, [])
    return any(outcome != script[0] for outcome in script)


class _Model:
    def __init__(self, scenario: Scenario, *, crash_early: bool = False) -> None:
        self.scenario, self.crash_early, self.now = scenario, crash_early, 0
        self.calls: list[CallPrediction] = []
        self.calls_of: Counter[str] = Counter()
        self.llm_calls = self.timers = 0
        self.executions: dict[str, _Execution] = {}
        self.shown: _Execution | None = None  # the last one that an operation returned

    def run(self) -> Prediction:
        end = "none"
        for op in self.scenario.driver:
            if op.op == "advance":
                self.now += op.ms
            elif op.op != "patch_state":
                end = self._operation(op)
        shown = self.shown or self.executions.get(self.scenario.execution_id)
        success = None if end in {"none", "refused", "threw"} else end == "completed"
        return Prediction(end, success, shown.steps if shown else {}, tuple(self.calls))

    def _operation(self, op: CallOperation) -> str:
        name = op.execution_id or self.scenario.execution_id
        execution = self.executions.get(name)
        if not isinstance(op, Resume):
            plan = op.plan or self.scenario.plan
            is_other = execution and rules.essence(plan) != rules.essence(execution.plan)
            if rules.is_refused(plan) or is_other:
                return "refused"
            steps = {step["id"]: StepPrediction() for step in plan["steps"]}
            execution = execution or _Execution(plan, steps)
        if execution is None:
            return "threw"
        if self.crash_early and _crashes(op):
            if op.crash_after_ms:  # the start itself takes no time, so it is durable by then
                self.executions[name] = execution
            return "none"
        self.executions[name] = self.shown = execution
        self._segment(execution)
        for _ in range(MAX_RUN_SEGMENTS - 1 if isinstance(op, Run) else 0):
            if execution.is_open:
                self.now += RESUME_DELAY_MS
                self._segment(execution)
        return execution.end

    def _segment(self, ex: _Execution) -> None:
        began = self.now
        while ex.is_open:
            done = {step for step, record in ex.steps.items() if record.status == "completed"}
            if len(done) == len(ex.steps):
                ex.end = "completed"
                return
            if self.now - began >= BUDGET_MS:
                ex.end = "yielded"
                return
            waiting = [step for step in ex.plan["steps"] if step["id"] not in done]
            ready = [step for step in waiting if done.issuperset(step.get("dependencies", []))]
            batch = [step for step in ready if not rules.needs_confirmation(ex.plan, step)]
            results = self._together(self._step(ex, step) for step in batch)
            ex.steps.update(zip((step["id"] for step in batch), results, strict=True))
            ex.batches.append([step["id"] for step in batch])
            if any(result.status == "failed" for result in results):
                ex.end = self._compensate(ex)
            elif len(batch) < len(ready):
                ex.end = "waiting"
                return

    def _together(self, processes: Iterable[_Process]) -> list[Any]:
        queue: list[tuple[int, int, int, _Process]] = []
        results: dict[int, Any] = {}

        def proceed(index: int, process: _Process) -> None:
            self.timers += 1  # timers of one instant fire in the order they were armed
            try:
                due = self.now + next(process)
                heapq.heappush(queue, (due, self.timers, index, process))
            except StopIteration as done:
                results[index] = done.value

        for index, process in enumerate(processes):
            proceed(index, process)
        while queue:
            self.now, _, index, process = heapq.heappop(queue)
            proceed(index, process)
        return [results[index] for index in sorted(results)]

    def _call(
        self, step: str | None, tool: str, parameters: Mapping[str, Any], *, clock: bool = True
    ) -> _Process:
        script = self.scenario.outcomes.get(tool) or [Outcome(success=True, output={})]
        outcome = script[min(self.calls_of[tool], len(script) - 1)]
        self.calls_of[tool] += 1
        self.calls.append(CallPrediction(step, tool, parameters))
        if clock and outcome.latency_ms >= ABORT_MS and not outcome.ignore_abort:
            yield ABORT_MS
            return Outcome.model_validate({"raise": "AbortError: cancelled"})
        yield outcome.latency_ms
        return outcome

    def _step(self, ex: _Execution, step: Mapping[str, Any]) -> _Process:
        tool, policy, attempts = step["tool_name"], step.get("retry_policy") or {}, 1
        parameters = self._resolved(ex, tool, step["parameters"])
        if message := rules.invalid(self.scenario, tool, parameters):
            return StepPrediction("failed", None, "VALIDATION_FAILED", message, attempts)
        outcome = yield from self._call(step["id"], tool, parameters)
        while not outcome.success and attempts < policy.get("max_attempts", 1):
            yield policy.get("backoff_ms", 0) * 2 ** (attempts - 1)
            attempts += 1
            outcome = yield from self._call(step["id"], tool, parameters)
        if rules.is_recoverable(outcome):
            advised = rules.advised(self._ask(), parameters)
            if advised is not None:
                advised = self._resolved(ex, tool, advised)
                if message := rules.invalid(self.scenario, tool, advised):
                    return StepPrediction("failed", None, "VALIDATION_FAILED", message, attempts)
                outcome = yield from self._call(step["id"], tool, advised, clock=False)
        return rules.ended(outcome, attempts)

    def _ask(self) -> str | None:
        self.llm_calls += 1
        llm = self.scenario.llm
        return llm[min(self.llm_calls, len(llm)) - 1].content if llm else None

    def _resolved(self, ex: _Execution, tool: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        resolved = {name: rules.reference(value, ex.steps) for name, value in parameters.items()}
        script = self.scenario.tools.get(tool)
        for alias, primary in (script.aliases if script else {}).items():
            if alias in resolved:
                resolved.setdefault(primary, resolved[alias])
        return resolved

    def _compensate(self, ex: _Execution) -> str:
        results: list[bool] = []
        for batch in reversed(ex.batches):
            undo = [ex.steps[step].compensation for step in reversed(batch)]
            results += self._together(self._undo(*item) for item in undo if item)
        if not results:
            return "failed"
        return "compensated" if all(results) else "compensation_failed"

    def _undo(self, tool: str, parameters: Mapping[str, Any]) -> _Process:
        for _ in range(COMPENSATION_CALLS):
            outcome = yield from self._call(None, tool, parameters)
            if outcome.success:
                return True
        return False
