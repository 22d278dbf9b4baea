"""The catalogue of plans that campaigns run: named ones, and all small shapes with all step kinds.

A plan's name is the first part of a fault id. Names like `dag3.ab.bc+keyed.yields.fails` spell the
plan out, a kind for each step, so that any such plan can be found, not just those of the catalogue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from chaos.plan_shapes import Edges, covering_rows, parse_shape, shape_name
from engine import (
    AlternativeTool,
    Durability,
    EffectSemantics,
    FailoverPolicy,
    FailoverRule,
    Scheduling,
    WorkflowSettings,
)

Outcome = Literal["ok", "fail", "raise"]
"""`fail`: the tool returns a failure; `raise`: it raises. Neither has an effect."""


@dataclass(frozen=True, slots=True)
class ToolScript:
    """How a tool of a plan behaves. Its output is a function of key and parameters alone.

    Attributes:
        effects: declared to the engine, and kept: a keyed tool deduplicates on the key, a queryable
            one has a lookup, a read-only one has no effect, all others have one at each call.
        latency_ms: how long a call takes in virtual time; the effect is at its end.
        outcomes: of the calls that reach the tool, in turn for each step; the last one repeats.
        compensates: the tool whose effects it undoes, under a key of its own, deduplicated.
        resource: what its effect is booked on; a compensation books it back.
    """

    effects: EffectSemantics = EffectSemantics.KEYED
    latency_ms: int = 10
    outcomes: tuple[Outcome, ...] = ("ok",)
    compensates: str | None = None
    resource: str = "account"


@dataclass(frozen=True, slots=True)
class ChaosPlan:
    """One plan with its tools and its surroundings.

    Attributes:
        plan: JSON of an engine plan.
        tools: by name, compensating ones included.
        failover: rules for failed calls.
        cancel_after_ms: somebody cancels the execution at this virtual time after its begin.
        approves: what the person says who is asked to confirm a step.
        settles_doubt: what the person says about a step in doubt; None: nobody says anything, and
            the case ends with the execution waiting. True repeats the call, False gives it up.
        is_watched: spans and durations are recorded, so that the first write follows the begin
            instead of being a part of it.
    """

    name: str
    plan: dict[str, Any]
    tools: Mapping[str, ToolScript]
    settings: WorkflowSettings
    failover: FailoverPolicy = field(default_factory=FailoverPolicy)
    cancel_after_ms: int | None = None
    approves: bool = True
    settles_doubt: bool | None = None
    is_watched: bool = False

    @property
    def waits_for_replicas(self) -> bool:
        """Whether its executor waits until replicas have what is at stake."""
        return bool(self.settings.needed_replicas)

    def steps(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the plan's steps by id."""
        return {step["id"]: step for step in self.plan["steps"]}


WORKER = WorkflowSettings.worker()
REPLICATED = WORKER.model_copy(update={"durability": Durability.REPLICATED})
BUDGET_MS = 1_000
SEGMENTED = WorkflowSettings(checkpoint_threshold_ms=BUDGET_MS, step_abort_ms=None)
LONG_MS = 1_500
"""Latency of a step that uses the budget of a segment up."""
ENOUGH_ATTEMPTS = 1_000
"""A crash costs a step an attempt; no path of a campaign comes near this many."""

_E = EffectSemantics
KINDS: Mapping[str, ToolScript] = {
    "keyed": ToolScript(_E.KEYED),
    "undoable": ToolScript(_E.KEYED),
    "unkeyed": ToolScript(_E.UNKEYED),
    "unkeyed-undoable": ToolScript(_E.UNKEYED),
    "once": ToolScript(_E.AT_MOST_ONCE),
    "query": ToolScript(_E.QUERYABLE),
    "read": ToolScript(_E.READ_ONLY),
    "yields": ToolScript(_E.KEYED, latency_ms=LONG_MS),
    "transient": ToolScript(_E.KEYED, outcomes=("fail", "raise", "ok")),
    "fails": ToolScript(_E.KEYED, outcomes=("fail",)),
    "asks": ToolScript(_E.KEYED),
}
"""What a step of a spelled-out plan can be."""
_UNDOABLE = frozenset({"undoable", "unkeyed-undoable", "query", "once", "yields", "transient"})
_MORE: Mapping[str, Mapping[str, Any]] = {
    "asks": {"requires_confirmation": True},
    "transient": {
        "retry_policy": {"max_attempts": ENOUGH_ATTEMPTS, "backoff_ms": 20, "multiplier": 1}
    },
}


class UnknownPlanError(ValueError):
    """No plan has this name; the message says which there are."""


def spelled_out(name: str) -> ChaosPlan:
    """Return the plan that a name like "dag2.ab+keyed.fails" spells out.

    Raises:
        UnknownPlanError: the name is no shape with a kind for each step.
    """
    shape, _, listed = name.partition("+")
    kinds = tuple(listed.split("."))
    try:
        steps, edges = parse_shape(shape)
    except ValueError as error:
        raise UnknownPlanError(str(error)) from None
    if len(kinds) != steps or not set(kinds) <= set(KINDS):
        raise UnknownPlanError(
            f"{name!r} needs {steps} kinds, parted by dots, out of {', '.join(KINDS)}"
        )
    return _of_kinds(name, steps, edges, kinds)


def _of_kinds(name: str, count: int, edges: Edges, kinds: Sequence[str]) -> ChaosPlan:
    steps, tools = [], {}
    for at, kind in zip(range(count), kinds, strict=True):
        tools[kind] = KINDS[kind]
        after = [f"s{earlier + 1}" for earlier, later in edges if later == at]
        more = dict(_MORE.get(kind, {}))
        if kind in _UNDOABLE:
            more["compensation"] = undo_of(kind, f"s{at + 1}")
            tools[f"{kind}.undo"] = ToolScript(compensates=kind)
        steps.append(step(f"s{at + 1}", *after, tool=kind, **more))
    return ChaosPlan(name, {"id": name, "steps": steps}, tools, SEGMENTED)


def step(name: str, *after: str, tool: str, **more: Any) -> dict[str, Any]:
    """Return a step whose parameters name the outputs of the steps that it depends on."""
    given = {"of": name} | {earlier: f"${earlier}.receipt" for earlier in after}
    return {
        "id": name,
        "tool_name": tool,
        "parameters": given,
        "dependencies": list(after),
        **more,
    }


def undo_of(tool: str, name: str) -> dict[str, Any]:
    """Return the compensation of a step: its parameters name the step's own output."""
    return {"tool_name": f"{tool}.undo", "parameters": {"of": name, "receipt": f"${name}.receipt"}}


def find_plan(name: str) -> ChaosPlan:
    """Return the plan of this name.

    Raises:
        UnknownPlanError: there is none.
    """
    named = _named().get(name)
    if named is not None:
        return named
    if not name.startswith("dag"):
        known = ", ".join(_named())
        raise UnknownPlanError(
            f"no plan {name!r}; known are {known}, and dag3.ab.bc+KIND.KIND.KIND"
        )
    return spelled_out(name)


def named_plans() -> tuple[str, ...]:
    """Return the names of the plans that were chosen by hand: what profile `pr` runs."""
    return tuple(_named())


@cache
def shape_plans() -> tuple[str, ...]:
    """Return the names of all shapes of up to four steps, crossed pairwise with all step kinds."""
    return tuple(
        f"{shape_name(steps, edges)}+{'.'.join(kinds)}"
        for steps, edges, kinds in covering_rows(tuple(KINDS))
    )


def plan_names() -> tuple[str, ...]:
    """Return the names of the whole catalogue."""
    return (*named_plans(), *shape_plans())


def _chain(name: str, *kinds: str, **options: Any) -> ChaosPlan:
    edges = tuple((at, at + 1) for at in range(len(kinds) - 1))
    return _with(_of_kinds(name, len(kinds), edges, kinds), **options)


def _parallel(name: str, *kinds: str, **options: Any) -> ChaosPlan:
    return _with(_of_kinds(name, len(kinds), (), kinds), **options)


def _with(plan: ChaosPlan, **options: Any) -> ChaosPlan:
    tools = {**plan.tools, **options.pop("tools", {})}
    given = {"settings": WORKER, **options}
    return ChaosPlan(plan.name, plan.plan, tools, **given)


DIAMOND: Edges = ((0, 1), (0, 2), (1, 3), (2, 3))


@cache
def _named() -> Mapping[str, ChaosPlan]:
    slow = ToolScript(latency_ms=40, outcomes=("fail",))
    slower = ToolScript(latency_ms=70, outcomes=("fail",))
    stuck = ToolScript(outcomes=("fail",), compensates="undoable")
    flaky = ToolScript(outcomes=("fail", "ok"))
    retried = ("undoable", "transient", "keyed")
    plans = (
        _chain("chain1", "keyed"),
        _chain("chain2", "keyed", "keyed"),
        _chain("chain3", "keyed", "keyed", "keyed"),
        _chain("chain3+comp", "undoable", "undoable", "fails"),
        _with(_of_kinds("diamond", 4, DIAMOND, ("keyed", "read", "yields", "keyed"))),
        _with(_of_kinds("saga", 4, ((0, 1), (0, 2), (1, 3)), (*["undoable"] * 3, "fails"))),
        _parallel("saga-parallel", "undoable", "yields", "fails", tools={"fails": slow}),
        _chain("saga-stuck", "undoable", "yields", "fails", tools={"undoable.undo": stuck}),
        _chain("saga-unkeyed", "unkeyed-undoable", "fails"),
        _parallel("saga-once", "once", "fails", tools={"fails": slower}),
        _parallel("saga-query", "query", "fails", tools={"fails": slower}),
        _chain("yields", "yields", "yields", "keyed", settings=SEGMENTED),
        _backoff(),
        _chain("retry", *retried),
        _chain("confirmation", "keyed", "asks", "keyed"),
        _chain("rejection", "undoable", "asks", approves=False),
        _chain("queryable", "query", "query"),
        _chain("at-most-once", "keyed", "once", "keyed", is_watched=True),
        _chain("doubt-given-up", "undoable", "once", settles_doubt=False),
        _chain("unkeyed", "unkeyed", "unkeyed"),
        _chain("replicated", "once", "unkeyed", "query", settings=REPLICATED),
        _chain(
            "replicated-flaky", "undoable", "fails", settings=REPLICATED, tools={"fails": flaky}
        ),
        _chain("replicated-saga", "undoable", "unkeyed-undoable", "fails", settings=REPLICATED),
        _chain(
            *("cancel", "undoable", "yields", "keyed", "keyed"),
            cancel_after_ms=700,
            is_watched=True,
        ),
        _with(
            _of_kinds("eager", 4, ((0, 2), (1, 3)), ("keyed", "yields", "unkeyed", "keyed")),
            settings=WORKER.model_copy(update={"scheduling": Scheduling.EAGER}),
        ),
        _failover(),
        _chain("long-call", "yields", "keyed", tools={"yields": ToolScript(latency_ms=100_000)}),
    )
    return {plan.name: plan for plan in plans}


def _backoff() -> ChaosPlan:
    """Return a retry that is due only in another segment, an hour later."""
    policy = {"max_attempts": ENOUGH_ATTEMPTS, "backoff_ms": 3_600_000, "multiplier": 1}
    steps = [
        step("s1", tool="keyed"),
        step("s2", "s1", tool="transient", retry_policy=policy),
    ]
    tools = {"keyed": KINDS["keyed"], "transient": ToolScript(outcomes=("fail", "ok"))}
    return ChaosPlan("backoff", {"id": "backoff", "steps": steps}, tools, SEGMENTED)


def _failover() -> ChaosPlan:
    """Return a step whose tool fails and is replaced by another, which is undone in the end."""
    rules = (FailoverRule(AlternativeTool("second"), tool="first"),)
    steps = [
        step("s1", tool="undoable", compensation=undo_of("undoable", "s1")),
        step("s2", "s1", tool="first", compensation=undo_of("second", "s2")),
        step("s3", "s2", tool="fails"),
    ]
    tools = {
        "undoable": KINDS["undoable"],
        "undoable.undo": ToolScript(compensates="undoable"),
        "first": ToolScript(outcomes=("fail",)),
        "second": ToolScript(),
        "second.undo": ToolScript(compensates="second"),
        "fails": KINDS["fails"],
    }
    whole = {"id": "failover", "steps": steps}
    return ChaosPlan("failover", whole, tools, WORKER, failover=FailoverPolicy(rules))
