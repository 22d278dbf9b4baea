"""The checks that clauses are judged by: pure functions from evidence to reasons.

A reason is a stable code and a sentence. Codes say what was seen, not which clause saw it: a
clause names the one that it exists for.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from conformance.comparator import Divergence, Layer, canonical, compare_with_reference
from conformance.kit.drive import TAKE_OVER_MS, Evidence
from conformance.observation import Observation, Terminal, expected, observe
from conformance.reference_model import Unpredictable, predict
from conformance.reference_run import CallPrediction, Prediction

TIMEOUT_SLACK_MS = 1_000  # what an executor may add to a timeout to notice it


@dataclass(frozen=True)
class Reason:
    """Why a clause is not kept."""

    code: str
    text: str


@dataclass(frozen=True)
class Judged:
    """Evidence beside what the reference model says of its scenario."""

    evidence: Evidence

    @cached_property
    def prediction(self) -> Prediction:
        """What must come out; calls of steps that another executor completed are not among it."""
        said = predict(self.evidence.scenario)
        assert not isinstance(said, Unpredictable)  # noqa: S101 - a test over the frozen scenarios
        left = tuple(call for call in said.calls if call.step not in self.evidence.foreign)
        # A crash may cut a call off or not have let it begin: how often it is repeated is open.
        is_open = self.has_crash or self.evidence.cut_off is not None
        return replace(said, calls=left, at_least_once=is_open)

    @property
    def has_crash(self) -> bool:
        """Whether a process died in a call, so that one may be made again."""
        segments = self.evidence.trace["segments"]
        return any(segment.get("crashed") for segment in segments)

    @cached_property
    def limits(self) -> Counter[str]:
        """How often each tool may be called at most."""
        found = Counter(call.tool for call in self.expected.calls)
        if self.evidence.cut_off is not None:
            found[self.evidence.cut_off] += 1
        return found

    @cached_property
    def expected(self) -> Observation:
        """The observation that the model expects."""
        return expected(self.prediction, self.evidence.scenario)

    @cached_property
    def observed(self) -> Observation:
        """The observation that was made."""
        return observe(self.evidence.trace, self.evidence.scenario)

    @cached_property
    def divergences(self) -> tuple[Divergence, ...]:
        """Where the run is not what the model says, without what only our engine is asked for."""
        found = compare_with_reference(
            self.expected,
            self.observed,
            self.evidence.scenario,
            calls=self.prediction.calls,
            at_least_once=self.prediction.at_least_once,
        )
        return tuple(one for one in found if one.layer is not Layer.L3)

    @cached_property
    def owners(self) -> Mapping[str, CallPrediction]:
        """Which predicted call a tool belongs to; the tools of the kit have one owner each."""
        said = predict(self.evidence.scenario)
        assert not isinstance(said, Unpredictable)  # noqa: S101 - as above
        return {call.tool: call for call in said.calls}


def _end(judged: Judged) -> Iterator[Reason]:
    """The run ends as it must."""
    wanted, found = judged.expected.terminal, judged.observed.terminal
    if wanted is found and judged.expected.success in {judged.observed.success, None}:
        return
    told = str(found)
    last = judged.evidence.trace["segments"][-1] if judged.evidence.trace["segments"] else {}
    if "threw" in last:
        told = f"{last.get('threw_name', 'Error')}: {last['threw']}"
    if wanted in {Terminal.REFUSED, Terminal.THREW}:
        if found not in {Terminal.REFUSED, Terminal.THREW}:
            yield Reason("not-refused", f"it should have refused, and was {told}")
    elif found is Terminal.THREW:
        yield Reason("threw", f"it should have been {wanted}, and threw {told}")
    else:
        yield Reason("wrong-end", f"it should have been {wanted}, and was {told}")


def _steps(judged: Judged) -> Iterator[Reason]:
    """Every step stands as it must."""
    yield from _from_divergences(judged, Layer.L1, ".status", "wrong-step-status")


def _outputs(judged: Judged) -> Iterator[Reason]:
    """Every output is the tool's."""
    yield from _from_divergences(judged, Layer.L1, ".output", "wrong-output")


def _order(judged: Judged) -> Iterator[Reason]:
    """No step is called before what it depends on has ended."""
    for one in judged.divergences:
        if one.layer is Layer.L2 and one.path.startswith("order[") and "undo" not in one.path:
            yield Reason("too-early", f"{one.path}: called {one.right}, allowed {one.left}")


def _undo_order(judged: Judged) -> Iterator[Reason]:
    """No step is undone before what was built upon it."""
    for one in judged.divergences:
        if one.path.startswith("order[undo"):
            yield Reason("undo-order", f"{one.path}: called {one.right}, allowed {one.left}")


def _durable(judged: Judged) -> Iterator[Reason]:
    """What was told is what the store holds."""
    state = judged.observed.durable
    if state.is_known and not state.agrees:
        told = f"told {state.returned} {state.steps_returned}"
        yield Reason(
            "not-durable", f"{told}, and a new process reads {state.held} {state.steps_held}"
        )


def _from_divergences(judged: Judged, layer: Layer, suffix: str, code: str) -> Iterator[Reason]:
    if judged.expected.terminal in {Terminal.REFUSED, Terminal.THREW}:
        return
    for one in judged.divergences:
        if one.layer is layer and one.path.endswith(suffix):
            yield Reason(code, f"{one.path}: expected {one.left!r}, was {one.right!r}")


def _calls(judged: Judged) -> Iterator[Reason]:
    """The tools are called as they must be, and not otherwise (closed world)."""
    wanted = _by_tool((call.tool, call.parameters) for call in judged.expected.calls)
    found = _by_tool((call.tool, call.parameters) for call in judged.observed.calls)
    for tool in dict.fromkeys((*wanted, *found)):
        want, have = wanted.get(tool, Counter()), found.get(tool, Counter())
        if strange := [text for text in have if text not in want] if want else []:
            yield Reason(
                "wrong-parameters", f"{tool} was called with {strange[0]}, not {next(iter(want))}"
            )
        elif have.total() < (1 if judged.has_crash and want else want.total()):
            yield Reason(
                "missing-call", f"{tool} was called {have.total()} times, not {want.total()}"
            )
        elif have.total() > judged.limits[tool]:
            yield Reason(
                "extra-call", f"{tool} was called {have.total()} times, not {judged.limits[tool]}"
            )


def _undone(judged: Judged) -> Iterator[Reason]:
    """Every undo that must be made is made."""
    made = {call.tool for call in judged.observed.calls}
    for call in judged.prediction.calls:
        if call.undoes and call.tool not in made:
            yield Reason("not-undone", f"{call.tool} was never called")


def _by_tool(calls: Iterator[tuple[str, Any]]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for tool, parameters in calls:
        found[tool][canonical(parameters)] += 1
    return found


def _once(judged: Judged) -> Iterator[Reason]:
    """No step is called again whose result was known, here or in another executor."""
    wanted = judged.limits
    for tool, count in Counter(call.tool for call in judged.evidence.begun).items():
        if count > wanted[tool]:
            yield Reason("repeated-step", f"{tool} was called {count} times, not {wanted[tool]}")


def _exclusive(judged: Judged) -> Iterator[Reason]:
    """Of several processes one makes each call."""
    for reason in _once(judged):
        yield Reason("called-twice", reason.text)


def _late_owner(judged: Judged) -> Iterator[Reason]:
    """Who has lost a run makes no call for it any more."""
    for call in judged.evidence.late:
        yield Reason(
            "late-call",
            f"{call.tool} was called at {call.at_ms} ms by a process that had lost the run",
        )


def _keys_present(judged: Judged) -> Iterator[Reason]:
    """Every call carries a key."""
    for call in judged.evidence.begun:
        if not call.idempotency_key:
            yield Reason("no-key", f"{call.tool} was called at {call.at_ms} ms without a key")


def _keys_distinct(judged: Judged) -> Iterator[Reason]:
    """Calls that must all happen are under keys of their own, where no process has died."""
    seen: dict[str, str] = {}
    for call in judged.evidence.begun:
        key = call.idempotency_key
        if key and key in seen:
            yield Reason(
                "shared-key", f"{call.tool} was called under the key of {seen[key]}: {key}"
            )
        elif key:
            seen[key] = f"{call.tool} at {call.at_ms} ms"


def _keys_stable(judged: Judged) -> Iterator[Reason]:
    """A repeated call has the key of the first one."""
    keys: dict[str, list[str | None]] = defaultdict(list)
    for call in judged.evidence.begun:
        keys[call.tool].append(call.idempotency_key)
    for tool, used in keys.items():
        for one, other in pairwise(used):
            if one != other:
                yield Reason("changed-key", f"{tool} was called under {one}, then under {other}")


def _one_effect(judged: Judged) -> Iterator[Reason]:
    """By their keys, the tools were asked for one effect a step."""
    effects: dict[str, set[str | None]] = defaultdict(set)
    for call in judged.evidence.begun:
        effects[call.tool].add(call.idempotency_key)
    for tool, keys in effects.items():
        if len(keys) > 1:
            yield Reason("second-effect", f"{tool} was asked for {len(keys)} effects")


def _pause(judged: Judged) -> Iterator[Reason]:
    """Between two attempts lies the pause of the policy."""
    for step in judged.evidence.scenario.plan["steps"]:
        pause_ms = (step.get("retry_policy") or {}).get("backoff_ms", 0)
        calls = [call for call in judged.evidence.begun if call.tool == step["tool_name"]]
        outcomes = judged.evidence.scenario.outcomes.get(step["tool_name"], [])
        for (one, other), outcome in zip(pairwise(calls), outcomes, strict=False):
            if other.at_ms < one.at_ms + outcome.latency_ms + pause_ms:
                waited_ms = other.at_ms - one.at_ms - outcome.latency_ms
                yield Reason(
                    "too-early", f"{one.tool} again after {waited_ms} ms, not {pause_ms} ms"
                )


def _timeout(judged: Judged) -> Iterator[Reason]:
    """The run is over soon after the call that hangs has reached its timeout."""
    allowed_ms = judged.evidence.scenario.plan["steps"][0]["timeout_ms"] + TIMEOUT_SLACK_MS
    ended_ms = judged.evidence.trace["segments"][-1]["ended_at_ms"]
    if ended_ms > allowed_ms:
        yield Reason("no-timeout", f"the run ended after {ended_ms} ms, not within {allowed_ms} ms")


def _take_over(judged: Judged) -> Iterator[Reason]:
    """The run is over soon enough after the death of its process."""
    segments = judged.evidence.trace["segments"]
    died_ms = max(segment["ended_at_ms"] for segment in segments if segment.get("crashed"))
    if segments[-1]["ended_at_ms"] - died_ms > TAKE_OVER_MS:
        yield Reason("too-late", f"the run ended {segments[-1]['ended_at_ms'] - died_ms} ms after")


CHECKS: Mapping[str, Callable[[Judged], Iterator[Reason]]] = {
    "end": _end,
    "steps": _steps,
    "outputs": _outputs,
    "calls": _calls,
    "order": _order,
    "undo-order": _undo_order,
    "undone": _undone,
    "durable": _durable,
    "once": _once,
    "exclusive": _exclusive,
    "late-owner": _late_owner,
    "keys-present": _keys_present,
    "keys-distinct": _keys_distinct,
    "keys-stable": _keys_stable,
    "one-effect": _one_effect,
    "pause": _pause,
    "timeout": _timeout,
    "take-over": _take_over,
}
# After a clause's own checks: a clause is not kept by a run that comes to nothing.
ALWAYS = ("end", "steps", "outputs", "calls", "order")


def judge(
    evidence: Evidence, checks: tuple[str, ...], *, alone: bool = False
) -> tuple[Reason, ...]:
    """Return the reasons why a clause with these checks is not kept, the most telling first."""
    judged = Judged(evidence)
    names = dict.fromkeys(checks if alone else (*checks, *ALWAYS))
    return tuple(dict.fromkeys(reason for name in names for reason in CHECKS[name](judged)))
