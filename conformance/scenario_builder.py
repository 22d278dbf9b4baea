"""A small notation for scenarios: steps by short key, scripted tools, driver operations.

Ids are derived from names (UUID version 5), never drawn, so that a scenario is the same bytes
wherever it is built. `format_document` is the one layout of scenario files.
"""

import functools
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from conformance.scenario import Scenario, parse_scenario

Document: TypeAlias = dict[str, Any]

SCENARIO_SCHEMA = "scenario/v1"
START_TIMESTAMP = "2026-01-01T00:00:00.000Z"  # where virtual time starts, from the format
DEFAULT_TIMEOUT_MS = 30_000  # what the plan schema puts in when a step names none
FILE_WIDTH = 100  # columns; the width of the source, so that both read alike

_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "scenario/v1")
_CONSTRAINTS: Mapping[str, int] = {
    "max_steps": 100,
    "max_total_tokens": 100_000,
    "max_execution_time_ms": 600_000,
}


@functools.lru_cache(maxsize=65_536)
def derived_id(kind: str, name: str) -> str:
    """Return the id of the `kind` ("step", "plan", "intent", "execution") called `name`."""
    return str(uuid.uuid5(_IDS, f"{kind}/{name}"))


def step_id(key: str) -> str:
    """Return the id of the step with the short key `key`; the same in every scenario."""
    return derived_id("step", key)


def reference(key: str, path: str) -> str:
    """Return the parameter value that stands for a field of an earlier step's output."""
    return f"${step_id(key)}.{path}"


def succeeds(
    output: Any = None,
    *,
    latency_ms: int = 10,
    undo: str | None = None,
    undo_parameters: Mapping[str, Any] | None = None,
    ignore_abort: bool = False,
    has_output: bool = True,
) -> Document:
    """Return an outcome with `output` (default `{}`) and, when `undo` is given, a compensation."""
    outcome: Document = {"success": True}
    if has_output:
        outcome["output"] = {} if output is None else output
    outcome["latency_ms"] = latency_ms
    if undo is not None:
        outcome["compensation"] = {"toolName": undo}
        if undo_parameters is not None:
            outcome["compensation"]["parameters"] = dict(undo_parameters)
    if ignore_abort:
        outcome["ignore_abort"] = True
    return outcome


def fails(error: str, *, latency_ms: int = 10) -> Document:
    """Return an outcome in which the tool reports a failure."""
    return {"success": False, "error": error, "latency_ms": latency_ms}


def raises(message: str, *, latency_ms: int = 10) -> Document:
    """Return an outcome in which the tool raises."""
    return {"raise": message, "latency_ms": latency_ms}


def run(**options: Any) -> Document:
    """Start, and resume while the result is partial. Options as in `conformance.scenario.Run`."""
    return {"op": "run", **options}


def execute(**options: Any) -> Document:
    """Start once."""
    return {"op": "execute", **options}


def resume(**options: Any) -> Document:
    """Resume once."""
    return {"op": "resume", **options}


def advance(ms: int) -> Document:
    """Move the clock by `ms` milliseconds."""
    return {"op": "advance", "ms": ms}


def patch_state(**options: Any) -> Document:
    """Edit the state that the legacy executor persisted."""
    return {"op": "patch_state", **options}


def intent_document(identity: str) -> Document:
    """Return an intent with the id `identity`."""
    return {
        "id": identity,
        "type": "ACTION",
        "confidence": 0.9,
        "parameters": {},
        "rawText": "do it",
        "metadata": {"version": "1.0.0", "timestamp": START_TIMESTAMP, "source": "user_input"},
        "requires_clarification": False,
    }


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A step and the number it claims; the number is the position unless one was given."""

    key: str
    document: Document


class PlanBuilder:
    """A plan as production writes it: every field present, ids derived from `name` and the keys."""

    def __init__(self, name: str, *, intent: str | None = None) -> None:
        """Start an empty plan; `intent` names the intent it belongs to (default: `name`)."""
        self.name = name
        self.intent_id = derived_id("intent", intent or name)
        self._steps: list[_Numbered] = []
        self._constraints: Document = dict(_CONSTRAINTS)

    def step(
        self,
        key: str,
        *,
        tool: str | None = None,
        after: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,
        number: int | None = None,
        without: Sequence[str] = (),
        **fields: Any,
    ) -> Self:
        """Append a step.

        Args:
            key: short name; gives the id, and the tool's name unless `tool` does.
            tool: name of the tool.
            after: keys of the steps it depends on.
            parameters: as the plan has them; see `reference`.
            number: its step_number; the position in the list unless given.
            without: fields to leave out, for plans that rely on (or lack) a default.
            fields: further fields of the step, or other values for the ones above
                (`timeout_ms`, `description`, `requires_confirmation`, `retry_policy`, `id`, ...).
        """
        name = key if tool is None else tool
        document: Document = {
            "id": step_id(key),
            "step_number": len(self._steps) if number is None else number,
            "tool_name": name,
            "parameters": dict(parameters or {}),
            "dependencies": [step_id(other) for other in after],
            "description": f"Run {name}",
            "requires_confirmation": False,
            "timeout_ms": DEFAULT_TIMEOUT_MS,
        } | fields
        for field in without:
            del document[field]
        self._steps.append(_Numbered(key, document))
        return self

    def listed(self, *keys: str) -> Self:
        """Put the steps in this list order; their numbers stay."""
        by_key = {step.key: step for step in self._steps}
        if sorted(keys) != sorted(by_key):
            raise ValueError(f"the order must name each of {sorted(by_key)} once")
        self._steps = [by_key[key] for key in keys]
        return self

    def constrained(self, **constraints: Any) -> Self:
        """Set constraints of the plan."""
        self._constraints |= constraints
        return self

    def document(self) -> Document:
        """Return the plan's JSON form."""
        return plan_document(
            self.name, self.intent_id, [step.document for step in self._steps], self._constraints
        )


def plan_document(
    name: str,
    intent_id: str,
    steps: Sequence[Document],
    constraints: Mapping[str, Any] = _CONSTRAINTS,
) -> Document:
    """Return the plan `name` with these steps."""
    return {
        "id": derived_id("plan", name),
        "intent_id": intent_id,
        "summary": f"Plan of {len(steps)} steps",
        "steps": list(steps),
        "constraints": dict(constraints),
        "metadata": {
            "version": "1.0.0",
            "created_at": START_TIMESTAMP,
            "planning_model_id": "scripted",
            "estimated_total_tokens": 100,
            "estimated_latency_ms": 1000,
        },
    }


class ScenarioBuilder:
    """A scenario in the making; every method returns the builder, `build` the scenario."""

    def __init__(self, name: str, about: str = "", *, tags: Sequence[str] = ()) -> None:
        """Start a scenario without steps whose driver is the default one."""
        self.name = name
        self.plan = PlanBuilder(name)
        self._head: Document = {
            "schema": SCENARIO_SCHEMA,
            "name": name,
            "about": about,
            "tags": list(tags),
            "execution_id": derived_id("execution", name),
        }
        self._intent: Document | None = None
        self._idempotency = False
        self._tools: dict[str, Document] = {}
        self._outcomes: dict[str, list[Document]] = {}
        self._rest: Document = {}

    def step(self, key: str, **options: Any) -> Self:
        """Append a step to the plan; see `PlanBuilder.step`."""
        self.plan.step(key, **options)
        return self

    def chain(self, *keys: str) -> Self:
        """Append steps of which each depends on the one before."""
        for index, key in enumerate(keys):
            self.plan.step(key, after=keys[index - 1 : index] if index else ())
        return self

    def tool(
        self, name: str, *outcomes: Document, aliases: Mapping[str, str] | None = None
    ) -> Self:
        """Script a tool: its nth call takes the nth outcome, the last one repeats."""
        if outcomes:
            self._outcomes[name] = list(outcomes)
        if aliases is not None:
            self._tools[name] = {"aliases": dict(aliases)}
        return self

    def latencies(self, **latencies_ms: int) -> Self:
        """Let each named tool succeed with `{}` after so many milliseconds."""
        for name, latency_ms in latencies_ms.items():
            self.tool(name, succeeds(latency_ms=latency_ms))
        return self

    def execution_id(self, identity: str) -> Self:
        """Use this execution id instead of the derived one."""
        self._head["execution_id"] = identity
        return self

    def intent(self) -> Self:
        """Start with an intent, so that every start passes a fresh state."""
        self._intent = intent_document(self.plan.intent_id)
        return self

    def idempotent(self) -> Self:
        """Give the executor an idempotency service."""
        self._idempotency = True
        return self

    def llm(self, *answers: str | Document) -> Self:
        """Script the model's answers: text, or `{"raise": message}`."""
        self._rest["llm"] = [
            {"content": answer} if isinstance(answer, str) else answer for answer in answers
        ]
        return self

    def invalid(self, tool: str, /, **messages: str) -> Self:
        """Let the parameter validator reject every call of `tool`, one error per path."""
        errors = self._rest.setdefault("validator_errors", {})
        errors[tool] = [{"path": path, "message": text} for path, text in messages.items()]
        return self

    def fault(
        self,
        op: str,
        target: str,
        *,
        nth: int,
        times: int = 1,
    ) -> Self:
        """Let the nth (to nth + times - 1) matching operation fail.

        Args:
            op: `get`, `set`, `setex` or `zadd` on keys of the kind `target`; `sign` or `publish`
                of the event `target`.
            target: key kind or event.
            nth: from 1, over the whole scenario.
            times: how many in a row.
        """
        where = "event" if op in {"sign", "publish"} else "key_kind"
        entry: Document = {"op": op, where: target, "nth": nth}
        if times != 1:
            entry["times"] = times
        self._rest.setdefault("faults", []).append(entry)
        return self

    def drive(self, *operations: Document) -> Self:
        """Replace the default driver by these operations."""
        self._rest["driver"] = list(operations)
        return self

    def document(self) -> Document:
        """Return the scenario's JSON form."""
        return {
            **self._head,
            "plan": self.plan.document(),
            "intent": self._intent,
            "idempotency": self._idempotency,
            "tools": self._tools,
            "outcomes": self._outcomes,
            **self._rest,
        }

    def build(self) -> Scenario:
        """Return the scenario.

        Raises:
            UsageError: what was put together is no scenario/v1 document.
        """
        return parse_scenario(self.document(), self.name)


def format_document(document: Any) -> str:
    """Return the layout of a scenario file: what fits on a line of 100 columns stays on it."""
    return _laid_out(document, indent=0, prefix=0) + "\n"


def _laid_out(value: Any, *, indent: int, prefix: int) -> str:
    """Return `value` as JSON; `prefix` counts the columns already taken on its first line."""
    flat = json.dumps(value, ensure_ascii=False)
    fits = indent + prefix + len(flat) < FILE_WIDTH
    if not isinstance(value, dict | list) or not value or (fits and indent > 0):
        return flat
    inner = indent + 2
    pad = " " * inner
    if isinstance(value, list):
        lines = [pad + _laid_out(item, indent=inner, prefix=0) for item in value]
        return "[\n" + ",\n".join(lines) + "\n" + " " * indent + "]"
    lines = []
    for key, item in value.items():
        label = f"{json.dumps(key, ensure_ascii=False)}: "
        lines.append(pad + label + _laid_out(item, indent=inner, prefix=len(label)))
    return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"
