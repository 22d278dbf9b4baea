"""Generated scenarios: the whole scenario is one draw, so that all of it shrinks together.

`generate(count, seed)` makes scenarios in bulk, a thousand in a third of a second; `scenarios()` is
the same generator under Hypothesis. Shares of `generate` in percent of the scenarios:

* drive: default 40, assisted 15, second run 10, crash at a time 14, crash at a write 6, resume
  twice 5, expiry 4, second plan 3, start options 3;
* shape: independent 18, chain 22, layered 35, any graph 25; 1 to 10 steps, each as likely; about
  18 list their steps in another order than that of their numbers;
* latencies: fast 50, mid 25, long 10, around the limits of a segment and an abort 15;
* intent 35, idempotency 20, a fault 8;
* with at least one: failing tool 17, raising tool 5, model answer 9, resolvable reference 45,
  unresolvable reference 35, alias 10, compensation 24, failing compensation 8, retry policy 11,
  step to confirm 2, tool checked like a booking 6, export 2, rejecting validator 5, tool that many
  steps share 10, tool deaf to an abort 3.

What a scenario holds is in its tags. `tests/conformance/test_generation.py` counts all of it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import hypothesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import DrawFn, SearchStrategy

from conformance.choices import (
    Choices,
    DrawnChoices,
    SeededChoices,
    chance,
    pick,
    shuffled,
    weighted,
)
from conformance.errors import UsageError
from conformance.generated_steps import Draft, LatencyClass, Shape, add_step, draw_dependencies
from conformance.scenario import Scenario, parse_scenario
from conformance.scenario_builder import (
    DEFAULT_TIMEOUT_MS,
    SCENARIO_SCHEMA,
    Document,
    advance,
    derived_id,
    execute,
    intent_document,
    patch_state,
    plan_document,
    resume,
    run,
    step_id,
)

GENERATOR_VERSION = 1  # raised when a seed gives other scenarios than before
MAX_STEPS = 10
STATE_TTL_MS = 86_400_000  # legacy keeps records this long

ANSWERS = (
    "nonsense",
    '{"action":"retry_modified","modifiedParams":{"fixed":true}}',
    '{"action":"skip","reason":"x"}',
    '{"action":"retry_same"}',
    '{"action":"retry_modified","modifiedParams":{}}',
)
_FAULTS = (
    ("setex", "key_kind", "execution_state"),
    ("setex", "key_kind", "task_state"),
    ("get", "key_kind", "task_state"),
    ("get", "key_kind", "execution_state"),
    ("set", "key_kind", "idempotency"),
    ("setex", "key_kind", "task_queue_item"),
    ("zadd", "key_kind", "task_queue"),
    ("zadd", "key_kind", "task_queue_scheduled"),
    ("sign", "event", "ExecutionStepUpdate"),
    ("publish", "event", "ExecutionStepUpdate"),
    ("publish", "event", "CONTINUE_EXECUTION"),
    ("publish", "event", "WORKFLOW_RESUME"),
)

_SHAPES: Mapping[Shape, int] = {"independent": 18, "chain": 22, "layered": 35, "dag": 25}
_LATENCIES: Mapping[LatencyClass, int] = {"fast": 50, "mid": 25, "long": 10, "edge": 15}
_DRIVES: Mapping[str, int] = {
    "plain": 40,
    "assisted": 15,
    "rerun": 10,
    "crash": 14,
    "crash-write": 6,
    "resume-twice": 5,
    "expiry": 4,
    "replan": 3,
    "options": 3,
}
# Ways to drive that two executors cannot be compared by: they make other writes, so that the same
# number of writes is another moment in each.
INCOMPARABLE = frozenset({"crash-write"})
# Features that are there or not; `without` of the public functions takes these names, too.
TRAITS: Mapping[str, int] = MappingProxyType(
    {
        "failures": 30,
        "references": 60,
        "alias": 15,
        "compensation": 30,
        "retry": 15,
        "confirmation": 4,  # few: a driver without a person resumes such a run 50 times
        "names": 10,
        "validator": 8,
        "shared-tool": 15,
        "deaf": 5,
        "intent": 35,
        "idempotency": 20,
        "fault": 8,
    }
)


def _traits(choices: Choices, without: Collection[str]) -> frozenset[str]:
    drawn = [(name, chance(choices, share)) for name, share in TRAITS.items()]
    return frozenset(name for name, present in drawn if present and name not in without)


def _after_crash(choices: Choices) -> list[Document]:
    kind = weighted(choices, {"resume": 30, "again": 35, "later": 15, "patched": 10, "reset": 10})
    if kind == "resume":
        return [resume()]
    if kind == "again":
        return [execute()]
    if kind == "later":
        return [advance(1000), execute()]
    patch = patch_state(status="PLANNED", reset_in_progress=kind == "reset")
    return [patch, execute()]


def _second_plan(choices: Choices, name: str, intent_id: str) -> Document:
    count = choices.integer(1, 3)
    chained = chance(choices, 50)
    steps: list[Document] = [
        {
            "id": step_id(f"x{number}"),
            "step_number": number,
            "tool_name": f"x{number}",
            "parameters": {},
            "dependencies": [step_id(f"x{number - 1}")] if chained and number else [],
            "description": f"Run x{number}",
            "requires_confirmation": False,
            "timeout_ms": DEFAULT_TIMEOUT_MS,
        }
        for number in range(count)
    ]
    return plan_document(f"{name}/second", intent_id, steps)


def _driver(draft: Draft, kind: str, name: str, intent_id: str) -> list[Document] | None:
    choices = draft.choices
    if kind == "plain":
        return None
    if kind == "assisted":
        return [run(assist=True)]
    if kind == "rerun":
        initial = weighted(choices, {"": 70, "fresh": 20, "none": 10})
        return [run(), advance(1000), run(**({"initial": initial} if initial else {}))]
    if kind == "crash":
        crash_ms = choices.integer(1, max(2, draft.work_ms))
        return [execute(crash_after_ms=crash_ms), *_after_crash(choices)]
    if kind == "crash-write":
        write = choices.integer(1, 6 + 2 * len(draft.steps))
        return [execute(crash_after_write=write), *_after_crash(choices)]
    if kind == "resume-twice":
        return [execute(), advance(2000), resume(assist=True), resume(assist=True)]
    if kind == "expiry":
        pause = advance(STATE_TTL_MS - choices.integer(0, 1))
        return [run(), pause, pick(choices, (run(), resume(assist=True)))]
    if kind == "replan":
        return [execute(), execute(plan=_second_plan(choices, name, intent_id))]
    index = choices.integer(-1, len(draft.steps) + 1)
    return [execute(start_step_index=index, segment_number=choices.integer(1, 4))]


def _faults(draft: Draft) -> list[Document]:
    choices = draft.choices
    op, where, target = pick(choices, _FAULTS)
    fault: Document = {"op": op, where: target, "nth": choices.integer(1, 6)}
    if chance(choices, 30):
        fault["times"] = choices.integer(2, 4)
    return [fault]


def draw_document(
    choices: Choices, name: str, *, max_steps: int = MAX_STEPS, without: Collection[str] = ()
) -> Document:
    """Return one scenario/v1 document made by `choices`.

    Args:
        choices: where the decisions come from.
        name: its name; ids are derived from it.
        max_steps: the largest plan.
        without: names of `TRAITS` and of drives that must not occur.
    """
    drives = {kind: share for kind, share in _DRIVES.items() if kind not in without}
    drive = weighted(choices, drives)
    traits = _traits(choices, without)
    shape = weighted(choices, _SHAPES)
    latency = weighted(choices, _LATENCIES)
    draft = Draft(choices, traits, latency, tags={f"drive-{drive}", shape, f"latency-{latency}"})
    is_shuffled = chance(choices, 20)
    layers: list[range] = []
    while len(draft.steps) < max_steps:
        # Each step is asked for by a choice of its own, so that a shrinker can take any one out;
        # the odds make every number of steps from 1 equally likely.
        if draft.steps and not choices.integer(0, max_steps - len(draft.steps)):
            break
        number = len(draft.steps)
        add_step(draft, number, draw_dependencies(choices, shape, layers))
    if is_shuffled and len(draft.steps) > 1:
        draft.tags.add("shuffled")
        draft.steps = shuffled(choices, draft.steps)
    intent_id = derived_id("intent", name)
    rest: Document = {}
    if "failure" in draft.tags and chance(choices, 60):
        draft.tags.add("llm")
        rest["llm"] = [{"content": pick(choices, ANSWERS)} for _ in range(choices.integer(1, 2))]
    if draft.rejected:
        rest["validator_errors"] = draft.rejected
    if "fault" in traits:
        rest["faults"] = _faults(draft)
    driver = _driver(draft, drive, name, intent_id)
    if driver is not None:
        rest["driver"] = driver
    draft.tags |= traits & {"intent", "idempotency", "fault"}
    return {
        "schema": SCENARIO_SCHEMA,
        "name": name,
        "about": "",
        "tags": ["generated", *sorted(draft.tags)],
        "execution_id": derived_id("execution", name),
        "plan": plan_document(name, intent_id, draft.steps),
        "intent": intent_document(intent_id) if "intent" in traits else None,
        "idempotency": "idempotency" in traits,
        "tools": draft.tools,
        "outcomes": draft.outcomes,
        **rest,
    }


@st.composite
def _scenarios(draw: DrawFn, max_steps: int, without: frozenset[str]) -> Scenario:
    choices = DrawnChoices(draw)
    document = draw_document(choices, "generated", max_steps=max_steps, without=without)
    return parse_scenario(document, "generated")


def scenarios(
    *, max_steps: int = MAX_STEPS, without: Collection[str] = ()
) -> SearchStrategy[Scenario]:
    """Return a Hypothesis strategy for whole scenarios; arguments as for `draw_document`."""
    return _scenarios(max_steps, _known(without))


def generate(
    count: int, seed: int, *, max_steps: int = MAX_STEPS, without: Collection[str] = ()
) -> list[Scenario]:
    """Return `count` scenarios of `seed`, named `generated-<seed>-<number>`.

    The nth scenario of a seed depends on nothing else, the count included, so that a failure is
    replayed alone by `generate_one`.
    """
    return [
        generate_one(seed, number, max_steps=max_steps, without=without) for number in range(count)
    ]


def generate_one(
    seed: int, number: int, *, max_steps: int = MAX_STEPS, without: Collection[str] = ()
) -> Scenario:
    """Return scenario `number` (from 0) of `seed`."""
    name = f"generated-{seed}-{number}"
    choices = SeededChoices(f"{GENERATOR_VERSION}/{seed}/{number}")
    document = draw_document(choices, name, max_steps=max_steps, without=_known(without))
    return parse_scenario(document, name)


def _known(without: Collection[str]) -> frozenset[str]:
    unknown = sorted(set(without) - TRAITS.keys() - _DRIVES.keys())
    if unknown:
        raise UsageError(f"no feature of generated scenarios is called {', '.join(unknown)}")
    if _DRIVES.keys() <= set(without):
        raise UsageError("no way to drive a scenario is left")
    return frozenset(without)


@dataclass(frozen=True)
class Profile:
    """How much a search spends."""

    examples: int
    max_steps: int
    derandomised: bool

    def settings(self) -> hypothesis.settings:
        """Return the settings for `@settings` and `find`."""
        return hypothesis.settings(
            max_examples=self.examples,
            derandomize=self.derandomised,
            database=None,  # a find becomes a scenario file, not an entry of a local database
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "ci": Profile(examples=500, max_steps=8, derandomised=True),
        "nightly": Profile(examples=5_000, max_steps=MAX_STEPS, derandomised=False),
        "soak": Profile(examples=100_000, max_steps=30, derandomised=False),
    }
)


def find_smallest(
    predicate: Callable[[Scenario], bool], profile: str = "ci", *, without: Collection[str] = ()
) -> Scenario | None:
    """Return the smallest scenario for which `predicate` holds, or None when none was found.

    Raises:
        UsageError: there is no such profile, or no such feature to leave out.
    """
    if profile not in PROFILES:
        raise UsageError(f"no profile is called {profile!r}", advice=", ".join(PROFILES))
    chosen = PROFILES[profile]
    strategy = scenarios(max_steps=chosen.max_steps, without=without)
    try:
        return hypothesis.find(strategy, predicate, settings=chosen.settings())
    except NoSuchExample:
        return None
