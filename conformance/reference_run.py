"""The reference model's run of one scenario: a list of events ordered by time, and no more.

It knows no store, no asyncio and nothing of either executor. What it says about durability is one
sentence: the intent of a call and the result of a call are durable, each at its own instant.
"""

import heapq
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from conformance import reference_rules as rules
from conformance.reference_rules import StepPrediction
from conformance.scenario import (
    MAX_RUN_SEGMENTS,
    RESUME_DELAY_MS,
    CallOperation,
    Outcome,
    Resume,
    Run,
    Scenario,
)

ABORT_MS = 8500  # a call is cancelled this long after it began
BUDGET_MS = 6000  # a segment starts nothing new once it is this old
COMPENSATION_CALLS = 3  # an undo is called at most this often
COMPENSATION_BACKOFF_MS = 200  # before its second call; doubled before its third
LEASE_MS = 30_000  # a dead process keeps others out this long after its last sign of life
RENEWAL_MS = 10_000  # between two signs of life while calls are under way
NEVER = float("inf")


@dataclass(frozen=True)
class CallPrediction:
    """One tool call of `step`, or one that undoes it; `at_ms` is virtual."""

    step: str
    tool: str
    parameters: Mapping[str, Any]
    at_ms: int
    undoes: bool = False


@dataclass(frozen=True)
class Prediction:
    """What the scenario must show; with `at_least_once`, calls and attempts are lower bounds."""

    end: str
    success: bool | None
    steps: Mapping[str, StepPrediction]
    calls: tuple[CallPrediction, ...]
    at_least_once: bool = False


class Moment(StrEnum):
    """What of the instant of a death has happened before it."""

    CLAIMED = "the execution is known to the store, and nothing else"
    BEFORE = "nothing that was due"
    INTENDED = "all that was due, up to the intents of the calls that follow"
    AFTER = "all that was due, and the calls that follow"


@dataclass(frozen=True)
class Death:
    """The process of an operation dies so many milliseconds after the operation began."""

    after_ms: int
    moment: Moment = Moment.BEFORE


_Process: TypeAlias = Generator[int, None, Any]  # yields how many ms it waits, returns its result


class _Crash(Exception):  # noqa: N818 - an event of the model, not an error
    """The process died: nothing that was not durable by then is left of it."""


@dataclass
class _Execution:
    """What is durable. `begun`: parameters of calls that have begun and have no result yet.

    `advised`: parameters of calls that a recovery asked for after the step's own had failed.
    """

    plan: Mapping[str, Any]
    steps: dict[str, StepPrediction]
    begun: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    advised: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    retry_at: dict[str, int] = field(default_factory=dict)
    undone: dict[str, bool] = field(default_factory=dict)
    lease_ends: int = 0
    end: str = "yielded"

    @property
    def is_open(self) -> bool:
        return self.end in {"yielded", "waiting"}

    def ready(self) -> list[Mapping[str, Any]]:
        done = {step for step, record in self.steps.items() if record.status == "completed"}
        left = [step for step in self.plan["steps"] if step["id"] not in done]
        return [step for step in left if done.issuperset(step.get("dependencies", []))]

    def wave(self) -> list[str]:
        """Return what to undo now, the plan's last first: no step left to undo builds upon it."""
        steps = [step["id"] for step in reversed(self.plan["steps"])]
        left = [s for s in steps if self.steps[s].compensation and s not in self.undone]
        built_upon = {base for step in left for base in rules.ancestors(self.plan, step)}
        return [step for step in left if step not in built_upon]


class Simulation:
    """One run of a scenario; `deaths` tells, by position in the driver, which operations die."""

    def __init__(self, scenario: Scenario, deaths: Mapping[int, Death]) -> None:
        """Prepare the run: virtual time is zero and nothing has been called."""
        self.scenario, self.deaths, self.now = scenario, deaths, 0
        self.dies_at = self.silent_from = NEVER
        self.calls: list[CallPrediction] = []
        self.calls_of: Counter[str] = Counter()
        self.llm_calls = self.timers = 0
        self.executions: dict[str, _Execution] = {}
        self.shown: _Execution | None = None  # the last one that an operation returned

    def run(self) -> Prediction:
        """Carry the driver out and return what was seen."""
        end = "nothing"
        for position, op in enumerate(self.scenario.driver):
            if op.op == "advance":
                self.now += op.ms
            elif op.op != "patch_state":
                end = self._operation(op, self.deaths.get(position))
        shown = self.shown or self.executions.get(self.scenario.execution_id)
        success = None if end in {"nothing", "crashed", "refused", "threw"} else end == "completed"
        return Prediction(end, success, shown.steps if shown else {}, tuple(self.calls))

    def _operation(self, op: CallOperation, death: Death | None) -> str:
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
        self.executions[name] = execution
        try:
            self._arm(death)
            self._sleep(max(0, execution.lease_ends - self.now))
            if death is not None and death.moment is Moment.CLAIMED:
                execution.lease_ends = self.now + LEASE_MS
                return "crashed"
            self._segment(execution)
            for _ in range(MAX_RUN_SEGMENTS - 1 if isinstance(op, Run) else 0):
                if execution.end == "yielded":
                    self._sleep(RESUME_DELAY_MS)
                    self._segment(execution)
        except _Crash:
            return "crashed"
        self.shown = execution
        return execution.end

    def _arm(self, death: Death | None) -> None:
        self.dies_at = self.silent_from = NEVER
        if death is not None and death.moment is not Moment.CLAIMED:
            is_early = death.moment is Moment.BEFORE
            self.dies_at = self.now + death.after_ms + (0 if is_early else 1)
            if death.moment is Moment.INTENDED:
                self.silent_from = self.now + death.after_ms

    def _segment(self, ex: _Execution) -> None:
        budget_ends = self.now + BUDGET_MS
        ex.lease_ends = self.now + LEASE_MS
        self._work(ex, budget_ends)
        ex.lease_ends = 0

    def _work(self, ex: _Execution, budget_ends: int) -> None:
        while ex.is_open:
            ready = ex.ready()
            if any(record.status == "failed" for record in ex.steps.values()):
                # What a dead process had begun may have happened: its result must be known first.
                begun = [s for s in ready if ex.steps[s["id"]].status == "in_progress"]
                if begun:
                    self._batch(ex, begun, budget_ends)
                    continue
                ex.end = self._compensate(ex, budget_ends)
                return
            if not ready:
                ex.end = "completed"
                return
            if self.now >= budget_ends:
                ex.end = "yielded"
                return
            confirmed = [step for step in ready if not rules.needs_confirmation(ex.plan, step)]
            batch = [s for s in confirmed if ex.retry_at.get(s["id"], 0) <= self.now]
            retries = [at for step in ready if (at := ex.retry_at.get(step["id"])) is not None]
            if batch:
                self._batch(ex, batch, budget_ends)
            elif not retries:
                ex.end = "waiting"
                return
            elif min(retries) > budget_ends:
                ex.end = "yielded"
                return
            else:
                self._sleep(min(retries) - self.now)

    def _batch(self, ex: _Execution, batch: Iterable[Mapping[str, Any]], budget_ends: int) -> None:
        began = self.now
        if ex.lease_ends - began < LEASE_MS / 2:  # a write prolongs a lease that runs out soon
            ex.lease_ends = began + LEASE_MS
        try:
            self._together(self._step(ex, step, budget_ends) for step in batch)
        except _Crash:
            renewed = (self.now - began) // RENEWAL_MS * RENEWAL_MS
            if renewed:
                ex.lease_ends = began + renewed + LEASE_MS
            raise

    def _sleep(self, delay_ms: int) -> None:
        def process() -> _Process:
            yield delay_ms

        self._together([process()])

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
            due, _, index, process = heapq.heappop(queue)
            if due >= self.dies_at:
                self.now = int(self.dies_at)
                raise _Crash
            self.now = due
            proceed(index, process)
        return [results[index] for index in sorted(results)]

    def _call(
        self,
        step: str,
        tool: str,
        parameters: Mapping[str, Any],
        *,
        clock: bool = True,
        undoes: bool = False,
    ) -> _Process:
        if self.now >= self.silent_from:
            yield LEASE_MS  # never reached: the process dies before
        script = self.scenario.outcomes.get(tool) or [Outcome(success=True, output={})]
        outcome = script[min(self.calls_of[tool], len(script) - 1)]
        self.calls_of[tool] += 1
        self.calls.append(CallPrediction(step, tool, parameters, self.now, undoes))
        if clock and outcome.latency_ms >= ABORT_MS and not outcome.ignore_abort:
            yield ABORT_MS
            return Outcome.model_validate({"raise": "AbortError: cancelled"})
        yield outcome.latency_ms
        return outcome

    def _step(self, ex: _Execution, step: Mapping[str, Any], budget_ends: int) -> _Process:
        name, tool, policy = step["id"], step["tool_name"], step.get("retry_policy") or {}
        known, attempts = dict(ex.steps), ex.steps[name].attempts + 1
        parameters = ex.begun.get(name) or self._resolved(known, tool, step["parameters"])
        if message := rules.invalid(self.scenario, tool, parameters):
            ex.steps[name] = rules.rejected(message, attempts)
            return
        ex.begun[name] = parameters
        ex.retry_at.pop(name, None)
        ex.steps[name] = StepPrediction("in_progress", attempts=attempts)
        if name in ex.advised:  # the step's own call is over; the one that followed it is repeated
            outcome = yield from self._call(name, tool, ex.advised[name], clock=False)
            self._settle(ex, name, rules.ended(outcome, attempts))
            return
        outcome = yield from self._call(name, tool, parameters)
        while not outcome.success and attempts < policy.get("max_attempts", 1):
            pause_ms = rules.backoff_ms(policy, attempts)
            if self.now + pause_ms > budget_ends:
                ex.retry_at[name] = self.now + pause_ms
                ex.steps[name] = StepPrediction("pending", attempts=attempts)
                return
            yield pause_ms
            attempts += 1
            outcome = yield from self._call(name, tool, parameters)
        ended = rules.ended(outcome, attempts)
        if rules.is_recoverable(outcome):
            advised = rules.advised(self._ask(), parameters)
            if advised is not None:
                advised = self._resolved(known, tool, advised)
                if message := rules.invalid(self.scenario, tool, advised):
                    ended = rules.rejected(message, attempts)
                else:
                    ex.advised[name] = advised
                    outcome = yield from self._call(name, tool, advised, clock=False)
                    ended = rules.ended(outcome, attempts)
        self._settle(ex, name, ended)

    def _settle(self, ex: _Execution, step: str, ended: StepPrediction) -> None:
        ex.steps[step] = ended
        del ex.begun[step]
        ex.advised.pop(step, None)

    def _ask(self) -> str | None:
        self.llm_calls += 1
        llm = self.scenario.llm
        return llm[min(self.llm_calls, len(llm)) - 1].content if llm else None

    def _resolved(
        self, steps: Mapping[str, StepPrediction], tool: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        resolved = {name: rules.reference(value, steps) for name, value in parameters.items()}
        script = self.scenario.tools.get(tool)
        for alias, primary in (script.aliases if script else {}).items():
            if alias in resolved:
                resolved.setdefault(primary, resolved[alias])
        return resolved

    def _compensate(self, ex: _Execution, budget_ends: int) -> str:
        while wave := ex.wave():
            if self.now >= budget_ends:
                return "yielded"
            undone = self._together(self._undo(step, ex.steps[step]) for step in wave)
            ex.undone.update(zip(wave, undone, strict=True))
        if not ex.undone:
            return "failed"
        return "compensated" if all(ex.undone.values()) else "compensation_failed"

    def _undo(self, name: str, step: StepPrediction) -> _Process:
        tool, parameters = step.compensation or ("", {})
        for attempt in range(COMPENSATION_CALLS):
            if attempt:
                yield COMPENSATION_BACKOFF_MS * 2 ** (attempt - 1)
            outcome = yield from self._call(name, tool, parameters, undoes=True)
            if outcome.success:
                return True
        return False
