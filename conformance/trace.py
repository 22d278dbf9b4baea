"""trace/v1: what one run of a scenario showed, put together from what was observed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Trace: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StateView:
    """An execution's state in the words of trace/v1.

    `steps` holds one entry a step state, in stored order, with the keys `id`, `status`, `output`,
    `has_output`, `error_code`, `error_message`, `attempts`, `latency_ms`, `has_input`,
    `has_started_at`, `completed_at_ms`. `error` is `{"code", "message"}` or None.
    """

    status: str | None = None
    steps: Sequence[Mapping[str, Any]] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None

    @property
    def step_letters(self) -> str:
        """First letters of the step states: p, i, c, f."""
        return "".join(step["status"][0] for step in self.steps)


@dataclass(frozen=True, slots=True)
class PersistedView:
    """What the store holds of an execution; None where it holds nothing."""

    state: StateView | None = None
    task: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Observations:
    """What was seen of one run, in the order it happened. Every entry is a trace/v1 entry."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    segments: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    step_updates: list[dict[str, Any]] = field(default_factory=list)
    scheduled: list[dict[str, Any]] = field(default_factory=list)
    validations: list[dict[str, Any]] = field(default_factory=list)
    llm_calls: list[str] = field(default_factory=list)
    trace_entries: list[dict[str, Any]] = field(default_factory=list)
    writes: list[dict[str, Any]] = field(default_factory=list)


def assemble(
    scenario: str,
    executor: str,
    seen: Observations,
    *,
    returned: StateView | None,
    persisted: PersistedView,
) -> Trace:
    """Return the trace of a run.

    Status, steps, context and error are those of the last state that a call returned; if no call
    returned one, those of the persisted state.
    """
    state = returned or persisted.state or StateView()
    stored = persisted.state
    return {
        "schema": "trace/v1",
        "executor": executor,
        "scenario": scenario,
        "calls": seen.calls,
        "segments": seen.segments,
        "status": state.status,
        "persisted_status": None if stored is None else stored.status,
        "steps": [dict(step) for step in state.steps],
        "persisted_steps": None if stored is None else stored.step_letters,
        "error": None if state.error is None else dict(state.error),
        "events": seen.events,
        "step_updates": seen.step_updates,
        "task": None if persisted.task is None else dict(persisted.task),
        "scheduled": seen.scheduled,
        "context": dict(state.context),
        "validations": seen.validations,
        "llm_calls": seen.llm_calls,
        "trace_entries": seen.trace_entries,
        "writes": seen.writes,
    }


def trace_line(trace: Trace) -> str:
    """Return the one line, without its end, that a trace file holds for `trace`."""
    line = json.dumps(trace, separators=(",", ":"), ensure_ascii=False)
    # A lone surrogate, legal in JSON, has no UTF-8 form: such a line is written with escapes.
    return line if line.isascii() or _is_unicode(line) else json.dumps(trace, separators=(",", ":"))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
