"""Without these a campaign on a foreign executor could kill nothing, or call any end a good one."""

from collections import Counter

import pytest

from conformance.cli import run
from conformance.subject import find_subject
from conformance.subject_campaign import SubjectFate, subject_points


@pytest.mark.parametrize(
    ("name", "fates"),
    [
        ("unified", {SubjectFate.CLEAN: 7, SubjectFate.REPEATED: 7}),
        ("exemplar", {SubjectFate.CLEAN: 7, SubjectFate.REPEATED: 7}),
        ("legacy", {SubjectFate.STUCK: 14}),
    ],
)
def test_what_comes_of_kills_at_each_call(name, fates):
    points = list(subject_points(find_subject(name)))
    assert Counter(point.fate for point in points) == fates
    assert len({point.name for point in points}) == len(points) == 14


def test_the_command_says_what_came_of_it(capsys):
    assert run(["chaos", "--subject", "legacy"]) == 1
    assert "legacy: 14 points: 14 stuck" in capsys.readouterr().out
    assert run(["chaos", "--subject", "nobody"]) == 2


@pytest.mark.slow
def test_an_executor_that_is_not_ours_is_killed_and_resumed():
    found = subject_points(find_subject("langgraph"), silence_s=120)
    first = [next(found), next(found)]
    assert [point.fate for point in first] == [SubjectFate.CLEAN, SubjectFate.REPEATED]
