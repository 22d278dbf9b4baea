"""The shipped corpus: readable, sound, and complete over the quirks that it claims to show."""

import json
import re
from pathlib import Path

import pytest

import conformance
from conformance.plan_fault import SCHEMA_TAG, plan_fault, scenario_plan_fault
from conformance.scenario import Execute, Run, Scenario, read_corpus
from conformance.scenario_builder import format_document

FOLDER = Path(conformance.__file__).parent / "scenarios"
FILES = sorted(FOLDER.rglob("*.json"))
CORPUS = {scenario.name: scenario for scenario in read_corpus([FOLDER])}

LEGACY_QUIRKS = 59
UNIFIED_QUIRKS = 32
EXEMPT = {
    "quirk-56": "needs a store client that parses values, which subjects may refuse to simulate",
    "quirk-58": "says who passes an idempotency service in production; no run can show it",
    "quirk-59": "is about log lines, which no trace holds",
    "unified-quirk-4": "is about single steps; the corpus runs one step at a time by configuration",
    "unified-quirk-30": "is about single steps, as above",
    "unified-quirk-32": "is a list of quirks that legacy has too, under their own numbers",
}
# Plans that are sound but beyond a bound of the production schema, or start under a bad id.
BEYOND_A_BOUND = {"chain-150", "rejected-execution-id"}


def test_the_corpus_has_the_size_of_a_corpus():
    assert len(CORPUS) == len(FILES) >= 150


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_is_one_scenario_named_like_the_file_and_in_the_one_layout(file):
    text = file.read_text(encoding="utf-8")
    document = json.loads(text)
    assert document["name"] == file.stem
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", file.stem)
    assert text == format_document(document), "lay the file out with format_document"


@pytest.mark.parametrize("scenario", CORPUS.values(), ids=lambda scenario: scenario.name)
def test_a_scenario_says_in_one_sentence_what_it_shows(scenario):
    assert re.fullmatch(r"[A-Z0-9][^\n]+\.|[A-Z0-9][^\n]+\)\.", scenario.about)
    assert scenario.tags
    assert len(set(scenario.tags)) == len(scenario.tags)


@pytest.mark.parametrize("scenario", CORPUS.values(), ids=lambda scenario: scenario.name)
def test_plans_are_sound_unless_the_scenario_is_about_plans_that_are_not(scenario):
    assert scenario_plan_fault(scenario) is None


def _is_refused(scenario: Scenario) -> bool:
    plans = [op.plan for op in scenario.driver if isinstance(op, Execute | Run) and op.plan]
    return any(plan_fault(plan) for plan in (scenario.plan, *plans))


def test_the_schema_tag_is_deserved():
    tagged = {name for name, scenario in CORPUS.items() if SCHEMA_TAG in scenario.tags}
    assert {name for name in tagged if not _is_refused(CORPUS[name])} == BEYOND_A_BOUND


def test_every_quirk_is_shown_or_exempt_with_a_reason():
    shown = {tag for scenario in CORPUS.values() for tag in scenario.tags if "quirk-" in tag}
    every = {f"quirk-{n}" for n in range(1, LEGACY_QUIRKS + 1)}
    every |= {f"unified-quirk-{n}" for n in range(1, UNIFIED_QUIRKS + 1)}
    assert shown <= every, "a tag names a quirk that does not exist"
    assert every - shown == set(EXEMPT)


def test_scripts_and_faults_name_tools_and_keys_that_the_scenario_uses():
    kinds = {"task_state", "task_queue", "task_queue_scheduled", "task_queue_item"}
    kinds |= {"execution_state", "idempotency", None}
    for scenario in CORPUS.values():
        tools = _tools(scenario)
        assert set(scenario.tools) <= tools, scenario.name
        assert set(scenario.validator_errors) <= tools, scenario.name
        assert {fault.key_kind for fault in scenario.faults} <= kinds, scenario.name
        assert set(scenario.outcomes) <= tools | _undo_tools(scenario), scenario.name


def _tools(scenario: Scenario) -> set[str]:
    plans = [scenario.plan, *(op.plan for op in scenario.driver if isinstance(op, Execute | Run))]
    return {step["tool_name"] for plan in plans if plan for step in plan["steps"]}


def _undo_tools(scenario: Scenario) -> set[str]:
    outcomes = [outcome for script in scenario.outcomes.values() for outcome in script]
    named = {outcome.compensation.toolName for outcome in outcomes if outcome.compensation}
    return named | ({"cancel_ride"} if "registry" in scenario.tags else set())


def test_every_feature_of_the_format_occurs():
    scenarios = list(CORPUS.values())
    operations = [operation for scenario in scenarios for operation in scenario.driver]
    assert {operation.op for operation in operations} == {
        "execute", "resume", "run", "advance", "patch_state",
    }  # fmt: skip
    calls = [operation for operation in operations if hasattr(operation, "assist")]
    for option in (
        "execution_id", "crash_after_ms", "crash_after_write", "assist",
        "start_step_index", "segment_number", "plan", "initial",
    ):  # fmt: skip
        assert any(option in call.model_fields_set for call in calls), option
    for field in (
        "intent", "idempotency", "tools", "llm", "validator_errors", "faults", "trace_id",
    ):  # fmt: skip
        assert any(getattr(scenario, field) for scenario in scenarios), field
    outcomes = [
        o for scenario in scenarios for script in scenario.outcomes.values() for o in script
    ]
    assert any(outcome.ignore_abort for outcome in outcomes)
    assert any(outcome.success and not outcome.has_output for outcome in outcomes)
    assert any(outcome.raises for outcome in outcomes)
