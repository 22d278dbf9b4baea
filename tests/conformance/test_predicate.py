"""The predicate language: closed, judged without evaluation, and never a wildcard."""

import copy

import pytest

from conformance.facts import FACTS
from conformance.predicate import NEUTRAL, PredicateError, parse_predicate


def _facts(**changes):
    facts = copy.deepcopy(dict(NEUTRAL))
    for name, value in changes.items():
        group, _, fact = name.partition("__")
        assert fact in facts[group]
        facts[group][fact] = value
    return facts


def test_neutral_facts_are_all_the_facts_there_are():
    assert {group: set(facts) for group, facts in NEUTRAL.items()} == {
        group: set(facts) for group, facts in FACTS.items()
    }


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ('legacy.end == "deadlock"', {"legacy__end": "deadlock"}),
        ('legacy.end in ["a", "b"] and not scenario.intent', {"legacy__end": "b"}),
        ('"X" in unified.codes', {"unified__codes": ["X"]}),
        ("len(scenario.faults) > 1", {"scenario__faults": ["a", "b"]}),
        ("1 < scenario.steps <= 3", {"scenario__steps": 3}),
        ('legacy.skipped > 0 or divergence.cause == "x"', {"divergence__cause": "x"}),
        ("legacy.completed == unified.failed", {"unified__failed": 1}),
    ],
)
def test_a_predicate_is_judged_on_facts(source, changes):
    predicate = parse_predicate(source)
    assert predicate.holds(_facts(**changes))
    assert not predicate.holds(NEUTRAL)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("True", "speaks of no fact"),
        ("1 == 1", "speaks of no fact"),
        ('legacy.end == "completed"', "wildcard"),
        ('legacy.end != "x" or unified.end == "y"', "wildcard"),
        ("legacy.end ==", "no expression"),
        ("legacy.ending == 1", "unknown fact legacy.ending"),
        ("engine.end == 1", "unknown subject 'engine'"),
        ("scenario.tags.clear()", "not in the predicate language"),
        ("__import__('os')", "not in the predicate language"),
        ("any(scenario.tags)", "not in the predicate language"),
        ("legacy.end.x == 1", "not in the predicate language"),
        ("[t for t in scenario.tags] == []", "not in the predicate language"),
        ("scenario.steps + 1 > 5", "not in the predicate language"),
        ("legacy.end is None", "not in the predicate language"),
        ("len(scenario.tags, 1) > 5", "not in the predicate language"),
        ("legacy", "not in the predicate language"),
        ("scenario.steps", "neither true nor false"),
        ('scenario.steps < "a"', "not supported between"),
    ],
)
def test_what_is_not_in_the_language_is_refused(source, message):
    with pytest.raises(PredicateError, match=message.replace("(", r"\(")):
        parse_predicate(source)


def test_values_without_an_order_raise_when_they_occur():
    predicate = parse_predicate('divergence.cause == "x" and divergence.left > 3')
    assert predicate.holds(_facts(divergence__cause="x", divergence__left=4))
    with pytest.raises(PredicateError, match="not supported between"):
        predicate.holds(_facts(divergence__cause="x", divergence__left=None))
