"""What may be written down: a secret in a recording has left the process for good."""

import pytest

from conformance.recording.redaction import (
    MAX_VALUE_BYTES,
    REDACTED,
    Redaction,
    UnrecordableError,
    clean_plan,
)


def _clean(value, **options):
    marks = set()
    return Redaction(**options).clean(value, "output", marks), marks


@pytest.mark.parametrize("key", ["password", "apiKey", "API-KEY", "Access_Token", "token"])
def test_the_value_of_a_secret_key_is_replaced_at_any_depth(key):
    found, marks = _clean({"list": [{key: {"inner": ["abc", 1]}}], "name": "x"})
    assert found == {"list": [{key: REDACTED}], "name": "x"}
    assert marks == {"redacted"}


def test_a_secret_is_found_again_under_another_name():
    redaction, marks = Redaction(), set()
    redaction.clean({"token": "abcdef-123"}, "output", marks)
    assert redaction.clean(
        {"auth": "abcdef-123", "header": "Bearer abcdef-123"}, "parameters", marks
    ) == {"auth": REDACTED, "header": f"Bearer {REDACTED}"}


def test_references_and_nothing_are_kept():
    value = {"token": "$step-1.token", "password": None, "secret": "$5"}
    assert _clean(value)[0] == {"token": "$step-1.token", "password": None, "secret": "$5"}
    assert _clean({"token": "$5.00 and more"})[0] == {"token": REDACTED}


def test_the_consumers_own_hook_sees_each_leaf_with_its_path():
    seen = []

    def redact(path, value):
        seen.append((path, value))
        return "N. N." if path.endswith(".name") else value

    found, marks = _clean({"people": [{"name": "Ada", "age": 36}]}, redact=redact)
    assert found == {"people": [{"name": "N. N.", "age": 36}]}
    assert seen == [("output.people.0.name", "Ada"), ("output.people.0.age", 36)]
    assert marks == {"redacted"}


def test_where_the_hook_fails_nothing_is_written():
    def redact(_path, _value):
        raise KeyError("x")

    with pytest.raises(UnrecordableError, match=r"output\.name: the redaction failed: KeyError"):
        _clean({"name": "Ada"}, redact=redact)


def test_a_long_text_is_cut_and_says_so():
    found, marks = _clean({"text": "x" * 30}, max_text=10)
    assert found == {"text": "x" * 10 + "…[cut: 30 characters]"}
    assert marks == {"cut"}
    assert _clean("x" * 10, max_text=10) == ("x" * 10, set())


def test_what_has_no_form_or_is_too_large_is_not_recorded():
    with pytest.raises(UnrecordableError, match="has no JSON form"):
        _clean({"it": object()})
    with pytest.raises(UnrecordableError, match="bytes, recorded are"):
        _clean(["x" * 9_000] * (MAX_VALUE_BYTES // 9_000 + 1))


def test_the_structure_of_a_plan_stays():
    step = {"id": "a", "tool_name": "t", "parameters": {"token": "abcdefg", "city": "Bern"}}
    plan = {"id": "p", "summary": "for abcdefg", "steps": [step], "constraints": {"max_steps": 1}}
    marks = set()
    redaction = Redaction(redact=lambda _path, value: value)
    found = clean_plan(redaction, plan, marks)
    assert found["steps"] == [step | {"parameters": {"token": REDACTED, "city": "Bern"}}]
    assert (found["id"], found["constraints"]) == ("p", {"max_steps": 1})
    assert marks == {"redacted"}
