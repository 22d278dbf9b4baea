import hashlib
import json
from collections import Counter

import pytest
from hypothesis import given

from conformance.choices import SeededChoices, chance, pick, shuffled, weighted
from conformance.errors import UsageError
from conformance.generated_steps import EDGE_LATENCIES_MS, ERRORS, NAMES_WITH_A_MEANING
from conformance.generation import (
    MAX_STEPS,
    PROFILES,
    STATE_TTL_MS,
    TRAITS,
    find_smallest,
    generate,
    generate_one,
    scenarios,
)
from conformance.plan_fault import scenario_plan_fault

COUNT = 2000
SAMPLE = generate(COUNT, seed=1)
TAGS = Counter(tag for scenario in SAMPLE for tag in scenario.tags)

# From the docstring of `generation`, in percent.
SHARES = {
    "drive-plain": 40,
    "drive-assisted": 15,
    "drive-rerun": 10,
    "drive-crash": 14,
    "drive-crash-write": 6,
    "drive-resume-twice": 5,
    "drive-expiry": 4,
    "drive-replan": 3,
    "drive-options": 3,
    "independent": 18,
    "chain": 22,
    "layered": 35,
    "dag": 25,
    "shuffled": 18,
    "latency-fast": 50,
    "latency-mid": 25,
    "latency-long": 10,
    "latency-edge": 15,
    "intent": 35,
    "idempotency": 20,
    "fault": 8,
}
FLOORS = {
    "failure": 17,
    "raise": 5,
    "llm": 9,
    "reference": 45,
    "alias": 10,
    "compensation": 24,
    "undo-fails": 8,
    "retry": 11,
    "confirmation": 2,
    "booking-like": 6,
    "export": 2,
    "validator": 5,
    "shared-tool": 10,
    "deaf": 3,
}
UNRESOLVABLE = {
    "reference-dollar", "reference-missing", "reference-null", "reference-nested",
    "reference-self", "reference-later", "reference-unknown",
}  # fmt: skip


@pytest.mark.parametrize(("tag", "share"), SHARES.items())
def test_the_distribution_has_the_shares_that_it_states(tag, share):
    assert 100 * TAGS[tag] / COUNT == pytest.approx(share, abs=3)


@pytest.mark.parametrize(("tag", "floor"), FLOORS.items())
def test_every_feature_occurs_as_often_as_stated(tag, floor):
    assert 100 * TAGS[tag] / COUNT >= floor


def test_every_kind_of_reference_occurs():
    assert all(TAGS[tag] >= COUNT // 20 for tag in UNRESOLVABLE)
    assert sum(bool(UNRESOLVABLE & set(scenario.tags)) for scenario in SAMPLE) >= 0.35 * COUNT
    assert min(TAGS[f"reference-{kind}"] for kind in ("falsy", "item", "length", "object")) >= 100


def test_every_value_with_a_meaning_occurs():
    outcomes = [o for scenario in SAMPLE for script in scenario.outcomes.values() for o in script]
    assert {outcome.latency_ms for outcome in outcomes} >= set(EDGE_LATENCIES_MS)
    assert {outcome.error for outcome in outcomes} >= set(ERRORS)
    assert any(outcome.success and not outcome.has_output for outcome in outcomes)
    assert any(
        outcome.success and outcome.has_output and not outcome.output for outcome in outcomes
    )
    tools = {step["tool_name"] for scenario in SAMPLE for step in scenario.plan["steps"]}
    assert tools >= set(NAMES_WITH_A_MEANING)
    faults = {(f.op, f.key_kind or f.event) for scenario in SAMPLE for f in scenario.faults}
    assert len(faults) == 12
    sizes = Counter(len(scenario.plan["steps"]) for scenario in SAMPLE)
    assert sorted(sizes) == list(range(1, MAX_STEPS + 1))
    assert min(sizes.values()) > COUNT / MAX_STEPS / 2


def test_every_operation_and_option_occurs():
    operations = [operation for scenario in SAMPLE for operation in scenario.driver]
    assert {operation.op for operation in operations} == {
        "execute", "resume", "run", "advance", "patch_state",
    }  # fmt: skip
    options = {name for operation in operations for name in operation.model_fields_set}
    assert options >= {
        "assist", "crash_after_ms", "crash_after_write", "initial", "plan",
        "start_step_index", "segment_number", "reset_in_progress",
    }  # fmt: skip
    pauses = {operation.ms for operation in operations if operation.op == "advance"}
    assert pauses >= {STATE_TTL_MS, STATE_TTL_MS - 1}


def test_every_plan_is_sound():
    assert [scenario.name for scenario in SAMPLE if scenario_plan_fault(scenario)] == []


def test_tags_tell_the_truth():
    for scenario in SAMPLE:
        steps = scenario.plan["steps"]
        numbers = [step["step_number"] for step in steps]
        assert "shuffled" in scenario.tags or numbers == sorted(numbers)
        assert ("intent" in scenario.tags) == (scenario.intent is not None)
        assert ("idempotency" in scenario.tags) == scenario.idempotency
        assert ("retry" in scenario.tags) == any("retry_policy" in step for step in steps)
        assert ("llm" in scenario.tags) == bool(scenario.llm)
        if "independent" in scenario.tags:
            assert not any(step["dependencies"] for step in steps)
        if "chain" in scenario.tags:
            assert sorted(len(step["dependencies"]) for step in steps) == [0] + [1] * (
                len(steps) - 1
            )


def test_a_scenario_depends_on_its_seed_and_number_only():
    assert generate(20, 3) == generate(30, 3)[:20]
    assert generate_one(3, 17) == generate(20, 3)[17]
    assert generate_one(4, 17) != generate_one(3, 17)
    assert len({scenario.execution_id for scenario in SAMPLE}) == COUNT


def test_a_seed_gives_the_same_scenarios_everywhere():
    text = json.dumps([scenario.document() for scenario in generate(100, 7)], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == ("93e46c47f812feedd16c677a0a38f6fe6295d5d9d37c3c99c501892d29ddd86f"), (
        "raise GENERATOR_VERSION: recorded seeds mean other scenarios now"
    )


@pytest.mark.parametrize("trait", [*TRAITS, "crash"])
def test_a_feature_can_be_left_out(trait):
    shown = {"failures": {"failure", "raise"}, "references": {"reference"} | UNRESOLVABLE}
    shown |= {"names": {"booking-like", "export"}, "crash": {"drive-crash"}}
    for scenario in generate(100, 5, without=[trait]):
        assert not shown.get(trait, {trait}) & set(scenario.tags)


def test_what_cannot_be_left_out_is_refused():
    with pytest.raises(UsageError, match="called nonsense"):
        generate(1, 1, without=["nonsense"])
    with pytest.raises(UsageError, match="no way to drive"):
        scenarios(without=[tag.removeprefix("drive-") for tag in SHARES if "drive-" in tag])
    with pytest.raises(UsageError, match="no profile"):
        find_smallest(lambda _: True, "hourly")


def test_hypothesis_draws_from_the_same_generator():
    seen = []

    @PROFILES["ci"].settings()
    @given(scenarios(max_steps=5))
    def look(scenario):
        assert scenario_plan_fault(scenario) is None
        assert 1 <= len(scenario.plan["steps"]) <= 5
        seen.append(scenario)

    look()
    assert len({len(scenario.plan["steps"]) for scenario in seen}) == 5
    assert len({tag for scenario in seen for tag in scenario.tags}) > 35


def _hides_a_step(scenario):
    """Whether a rule that moves past the highest index of each batch loses a step."""
    steps = scenario.plan["steps"]
    place = {step["id"]: index for index, step in enumerate(steps)}
    done, start = set(), 0
    while True:
        ready = {
            index
            for index, step in enumerate(steps)
            if index >= start
            and index not in done
            and all(place[other] in done for other in step["dependencies"])
        }
        if not ready:
            return len(done) < len(steps)
        done |= ready
        start = 1 + max(ready)


def test_the_smallest_scenario_is_small_in_everything():
    smallest = find_smallest(_hides_a_step)
    assert smallest is not None
    assert len(smallest.plan["steps"]) <= 3
    assert not {"failure", "intent", "retry", "fault", "reference"} & set(smallest.tags)
    assert "drive-plain" in smallest.tags


def test_a_feature_of_one_step_shrinks_to_one_step():
    smallest = find_smallest(lambda s: any("retry_policy" in step for step in s.plan["steps"]))
    assert smallest is not None
    assert len(smallest.plan["steps"]) == 1
    assert smallest.plan["steps"][0]["retry_policy"] == {"max_attempts": 1, "backoff_ms": 100}


def test_nothing_found_is_none():
    assert find_smallest(lambda _: False) is None


def test_choices():
    choices = SeededChoices("x")
    numbers = [choices.integer(3, 5) for _ in range(300)]
    assert set(numbers) == {3, 4, 5}
    assert {pick(choices, "ab") for _ in range(50)} == {"a", "b"}
    assert {weighted(choices, {"a": 1, "b": 0, "c": 1}) for _ in range(50)} == {"a", "c"}
    assert sorted(shuffled(choices, range(20))) == list(range(20))
    assert 0 < sum(chance(choices, 20) for _ in range(500)) < 200
    assert not any(chance(choices, 0) for _ in range(100))
    assert all(chance(choices, 100) for _ in range(100))


class _Simplest:
    def integer(self, low, high):
        return low


def test_the_simplest_choices():
    choices = _Simplest()
    assert (chance(choices, 50), pick(choices, "ab"), weighted(choices, {"a": 1, "b": 9})) == (
        False,
        "a",
        "a",
    )
    assert shuffled(choices, [3, 1, 2]) == [3, 1, 2]
