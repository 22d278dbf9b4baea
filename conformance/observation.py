"""What one run of a scenario showed, read from its trace through declared maps.

An observation is what executors are compared by. It says nothing that the trace does not say: an
unknown status or a trace without a required field is a fault of the harness, not an outcome.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from conformance.errors import HarnessError
from conformance.normalisation import Normaliser
from conformance.reference_rules import StepPrediction
from conformance.reference_run import Prediction
from conformance.scenario import MAX_RUN_SEGMENTS, Execute, Resume, Run, Scenario


class Terminal(StrEnum):
    """The class of a run's end. `YIELDED`: partial, and nothing shows that it cannot go on."""

    COMPLETED = "completed"
    FAILED = "failed"
    STUCK = "stuck"
    YIELDED = "yielded"
    WAITING = "waiting"
    REFUSED = "refused"
    THREW = "threw"
    NONE = "none"


# What the status of a run means, for each executor that names its statuses in its own way.
STATUS_MEANINGS: Mapping[str, Mapping[str, str]] = {
    "legacy": {
        "COMPLETED": Terminal.COMPLETED,
        "FAILED": Terminal.FAILED,
        "REFLECTING": Terminal.FAILED,
        "EXECUTING": Terminal.YIELDED,
        "PLANNED": Terminal.YIELDED,
    },
    "unified": {
        "COMPLETED": Terminal.COMPLETED,
        "FAILED": Terminal.FAILED,
        "COMPENSATED": Terminal.FAILED,
        "COMPENSATION_FAILED": Terminal.FAILED,
        "EXECUTING": Terminal.YIELDED,
        "PLANNED": Terminal.YIELDED,
        "COMPENSATING": Terminal.YIELDED,
        "AWAITING_CONFIRMATION": Terminal.WAITING,
        "REJECTED": Terminal.REFUSED,
    },
}
STEP_STATUS_MEANINGS: Mapping[str, str] = {
    "pending": "pending",
    "in_progress": "in_progress",
    "in_doubt": "in_progress",
    "awaiting_confirmation": "pending",
    "completed": "completed",
    "failed": "failed",
}
# Names of errors by which an executor refuses a plan before it runs any of it.
REFUSALS = frozenset(
    {
        "ZodError",
        "INVALID_PLAN",
        "InvalidPlanError",
        "SAFETY_VIOLATION",
        "SafetyViolationError",
        "PLAN_MISMATCH",
        "PlanMismatchError",
    }
)
SKIP_RECORD = {"skipped": True, "reason": "Already executed (idempotent)"}

# How the end of a legacy run reads in its messages (semantics of the frozen executor).
_THREW_ENDS = (
    (re.compile(r"Cannot transition from terminal state"), "threw_terminal"),
    (re.compile(r"Invalid transition from 'EXECUTING'"), "stuck"),
    (re.compile(r"No checkpoint found"), "no_checkpoint"),
    (re.compile(r"Failed to (?:create|retrieve|store) "), "threw_memory"),
)
_FAILED_ENDS = (
    (re.compile(r"Execution deadlock: -"), "negative_deadlock"),
    (re.compile(r"Execution deadlock: "), "deadlock"),
    (re.compile(r"^\[object Object\]$"), "memory_error"),
    (re.compile(r"realtime unavailable"), "event_error"),
    (re.compile(r"^Cannot read properties of "), "type_error"),
)


@dataclass(frozen=True)
class StepOutcome:
    """How one step stands at the end; a step that a trace does not name is pending."""

    status: str = "pending"
    output: Any = None
    code: str | None = None
    message: str | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Call:
    """One tool call; `at_ms` is virtual milliseconds since the start."""

    tool: str
    parameters: Any
    segment: int
    at_ms: int


@dataclass(frozen=True)
class Durable:
    """What the store holds at the end beside what the last call returned."""

    held: str | None
    returned: str | None
    steps_held: str | None
    steps_returned: str | None
    is_known: bool

    @property
    def agrees(self) -> bool:
        """Whether a reader of the store learns what the caller was told."""
        return not self.is_known or (
            self.held == self.returned and self.steps_held == self.steps_returned
        )


@dataclass(frozen=True)
class Observation:
    """One run, normalised. `end` is finer than `terminal`; the ledger's predicates use it."""

    executor: str
    terminal: Terminal
    end: str
    success: bool | None
    refusal: str | None
    steps: Mapping[str, StepOutcome]
    calls: tuple[Call, ...]
    durable: Durable
    segments: tuple[Mapping[str, Any], ...] = ()
    events: tuple[str, ...] = ()
    updates: tuple[tuple[Any, ...], ...] = ()
    touched: Mapping[str, int] = field(default_factory=dict)


def observe(trace: Mapping[str, Any], scenario: Scenario) -> Observation:
    """Read the observation out of a trace/v1 record.

    Raises:
        HarnessError: the trace lacks a required field or has a status that no map declares.
    """
    name = str(trace.get("executor", "?"))
    place = f"trace of {trace.get('scenario', '?')} by {name}"
    missing = {"executor", "calls", "segments", "status", "steps"} - set(trace)
    if missing:
        raise HarnessError(f"the trace lacks {', '.join(sorted(missing))}", place=place)
    meanings = STATUS_MEANINGS.get(name, _all())
    reader = _Reader(trace, Normaliser(scenario), meanings, place, scenario.execution_id)
    terminal, end, refusal = reader.end()
    steps = reader.steps()
    normaliser = reader.normaliser
    normaliser.order(call["at_ms"] for call in trace["calls"])
    return Observation(
        executor=name,
        terminal=terminal,
        end=end,
        success=reader.success(),
        refusal=refusal,
        steps=steps,
        calls=tuple(
            Call(call["tool"], normaliser.ids(call["parameters"]), call["segment"], call["at_ms"])
            for call in trace["calls"]
        ),
        durable=reader.durable(),
        segments=tuple(trace["segments"]),
        events=tuple(event["name"] for event in trace.get("events", [])),
        updates=tuple(
            (update.get("step_index"), update.get("status"), update.get("message"))
            for update in trace.get("step_updates", [])
        ),
        touched=dict(normaliser.touched),
    )


def expected(prediction: Prediction, scenario: Scenario) -> Observation:
    """Return the observation that the reference model says a correct run gives."""
    normaliser = Normaliser(scenario)
    meanings = {
        "compensated": Terminal.FAILED,
        "compensation_failed": Terminal.FAILED,
        "crashed": Terminal.NONE,
    }
    return Observation(
        executor="reference",
        terminal=meanings.get(prediction.end) or Terminal(prediction.end),
        end=prediction.end,
        success=prediction.success,
        refusal=None,
        steps={
            normaliser.binding.name(step): _predicted(outcome, normaliser)
            for step, outcome in prediction.steps.items()
        },
        calls=tuple(
            Call(call.tool, normaliser.ids(call.parameters), 0, 0) for call in prediction.calls
        ),
        durable=Durable(None, None, None, None, is_known=False),
    )


def crash_times(scenario: Scenario, trace: Mapping[str, Any]) -> dict[int, int]:
    """Return which driver operations crashed: position -> milliseconds after it began."""
    segments = iter(trace["segments"])
    found: dict[int, int] = {}
    for position, op in enumerate(scenario.driver):
        if not isinstance(op, Execute | Resume | Run):
            continue
        segment = next(segments, None)
        if segment is None:
            return found
        began_ms = segment.get("started_at_ms", 0)
        for _ in range(MAX_RUN_SEGMENTS - 1 if isinstance(op, Run) else 0):
            if not segment.get("is_partial"):
                break
            segment = next(segments)
        if segment.get("crashed"):
            found[position] = segment["ended_at_ms"] - began_ms
    return found


def _predicted(step: StepPrediction, normaliser: Normaliser) -> StepOutcome:
    return StepOutcome(
        status=step.status,
        output=normaliser.ids(step.output),
        code=step.code,
        message=normaliser.ids(step.message),
        attempts=step.attempts,
    )


def _all() -> Mapping[str, str]:
    """Return the statuses of any executor without a map of its own: all that are declared."""
    return {status: means for table in STATUS_MEANINGS.values() for status, means in table.items()}


@dataclass(frozen=True)
class _Reader:
    trace: Mapping[str, Any]
    normaliser: Normaliser
    meanings: Mapping[str, str]
    place: str
    execution_id: str

    @property
    def last(self) -> Mapping[str, Any]:
        segments: Sequence[Mapping[str, Any]] = self.trace["segments"]
        return segments[-1] if segments else {"crashed": True}

    def end(self) -> tuple[Terminal, str, str | None]:
        if self.last.get("crashed"):
            return Terminal.NONE, "crashed" if self.trace["segments"] else "nothing", None
        if "threw" in self.last:
            return self._threw()
        terminal = self._meaning(self.trace["status"])
        if self.last.get("error_code") in REFUSALS:
            terminal = Terminal.REFUSED
        if terminal is Terminal.REFUSED:
            return terminal, "refused", self.last.get("error_code")
        return terminal, self._fine(terminal), None

    def success(self) -> bool | None:
        if "success" not in self.last or self.last.get("error_code") in REFUSALS:
            return None
        return bool(self.last["success"])

    def steps(self) -> dict[str, StepOutcome]:
        found = {}
        for step in self.trace["steps"]:
            status = self.normaliser.status(step["status"], STEP_STATUS_MEANINGS)
            if status is None:
                raise HarnessError(f"unknown step status {step['status']!r}", place=self.place)
            found[self.normaliser.ids(step["id"])] = StepOutcome(
                status=status,
                output=self.normaliser.ids(step.get("output")),
                code=step.get("error_code"),
                message=self.normaliser.ids(step.get("error_message")),
                attempts=step.get("attempts") or 0,
            )
        return found

    def durable(self) -> Durable:
        """Known only if the last operation returned a state that can be held against the store."""
        held, letters = self.trace.get("persisted_status"), self.trace.get("persisted_steps")
        returned = self.trace["status"]
        return Durable(
            held=self.meanings.get(held, held) if held is not None else None,
            returned=self.meanings.get(returned, returned),
            steps_held=letters,
            steps_returned="".join(step["status"][0] for step in self.trace["steps"]),
            is_known="success" in self.last and "persisted_status" in self.trace,
        )

    def _threw(self) -> tuple[Terminal, str, str | None]:
        message, name = str(self.last["threw"]), self.last.get("threw_name")
        if name in REFUSALS or self.last.get("error_code") in REFUSALS:
            self.normaliser.refusal(message)
            return Terminal.REFUSED, "refused", self.last.get("error_code") or name
        end = next((end for pattern, end in _THREW_ENDS if pattern.search(message)), "threw")
        # Without a checkpoint an execution that is under way can never be continued either.
        is_stuck = end == "stuck" or (
            end == "no_checkpoint"
            and self.trace["status"] == "EXECUTING"
            and self.execution_id in message
        )
        return Terminal.STUCK if is_stuck else Terminal.THREW, end, None

    def _meaning(self, status: Any) -> Terminal:
        meaning = self.normaliser.status(status, self.meanings)
        if meaning is None:
            raise HarnessError(f"no map declares the status {status!r}", place=self.place)
        return Terminal(meaning)

    def _fine(self, terminal: Terminal) -> str:
        if terminal is Terminal.COMPLETED:
            is_whole = all(step["status"] == "completed" for step in self.trace["steps"])
            return "completed" if is_whole else "false_success"
        if terminal is Terminal.FAILED:
            status = str(self.trace["status"])
            if status in {"REFLECTING", "COMPENSATED", "COMPENSATION_FAILED"}:
                return {"REFLECTING": "step_failure"}.get(status, status.lower())
            message = str(self.last.get("error_message") or "")
            return next((end for pattern, end in _FAILED_ENDS if pattern.search(message)), "failed")
        return str(terminal)
