"""A typo in a setting must never switch a check off in silence."""

import pytest

from conformance.config import Settings, find_repository, parse_settings
from conformance.errors import UsageError


def test_an_empty_table_is_the_defaults():
    assert parse_settings({}, "p") == Settings()


def test_all_sections_are_read():
    settings = parse_settings(
        {
            "scan": {"exclude": ["build/"]},
            "corpus": {"paths": ["scenarios"], "use_shipped": False},
            "size": {"workflow_machine": "src/machine.py", "baseline_lines": 10},
            "tests": {"command": ["make", "test"], "junit": "out.xml"},
            "profile": {"pr": {"generated": 3, "seed": 9}},
            "checklist": {"x": {"verdict": "met", "reason": "seen", "evidence": "README.md"}},
        },
        "p",
    )
    assert settings.scan == {"exclude": ["build/"]}
    assert settings.corpus.paths == ("scenarios",)
    assert settings.tests.command == ("make", "test")
    assert settings.profile.named("pr").generated == 3
    assert settings.profile.named("nightly").generated == 1000
    assert settings.checklist["x"].verdict == "met"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"sise": {}}, "tool.planproof.sise: unknown key; did you mean 'size'?"),
        (
            {"size": {"baseline_line": 3}},
            "tool.planproof.size.baseline_line: unknown key; did you mean 'baseline_lines'?",
        ),
        (
            {"profile": {"pr": {"generatd": 1}}},
            "tool.planproof.profile.pr.generatd: unknown key; did you mean 'generated'?",
        ),
        (
            {"checklist": {"docs": {"verdct": "met"}}},
            "tool.planproof.checklist.docs.verdct: unknown key; did you mean 'verdict'?",
        ),
        (
            {"docs": {"zzzzzzzz": 1}},
            "tool.planproof.docs.zzzzzzzz: unknown key; known keys: examples, options, packages",
        ),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_one(table, message):
    with pytest.raises(UsageError) as caught:
        parse_settings(table, "p")
    assert caught.value.line().startswith(f"p: {message}")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"size": 3}, "tool.planproof.size: expected a table, found 3"),
        (
            {"size": {"baseline_lines": "3"}},
            "tool.planproof.size.baseline_lines: expected a whole number, found '3'",
        ),
        (
            {"tests": {"command": "pytest"}},
            "tool.planproof.tests.command: expected a list, found 'pytest'",
        ),
        (
            {"corpus": {"paths": ["a", 3]}},
            "tool.planproof.corpus.paths.1: expected a string, found 3",
        ),
        (
            {"corpus": {"use_shipped": "yes"}},
            "tool.planproof.corpus.use_shipped: expected true or false, found 'yes'",
        ),
        (
            {"size": {"target_reduction": 2}},
            "tool.planproof.size.target_reduction: expected less than 1, found 2",
        ),
        (
            {"checklist": {"docs": {"verdict": "met", "reason": "r"}}},
            "tool.planproof.checklist.docs.evidence: is required",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_path_and_what_was_expected(table, message):
    with pytest.raises(UsageError) as caught:
        parse_settings(table, "p")
    assert caught.value.line() == f"p: {message}"


def test_the_table_is_found_upwards(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.planproof.size]\nbaseline_lines = 7\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'a'\n")
    repository = find_repository(tmp_path / "a" / "b")
    assert repository.root == tmp_path
    assert repository.settings.size.baseline_lines == 7
    assert repository.path("x/y") == tmp_path / "x" / "y"


def test_without_a_file_the_error_says_what_to_write(tmp_path):
    line = _line(lambda: find_repository(tmp_path))
    assert line.startswith(f"{tmp_path}: no pyproject.toml here or above (`planproof init` writes")


def test_without_the_table_the_error_names_the_nearest_file(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'a'\n")
    line = _line(lambda: find_repository(tmp_path))
    assert line.startswith(
        f"{tmp_path / 'pyproject.toml'}: has no [tool.planproof] table (`planproof init`"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[tool.planproof]\nx = = 1\n", "invalid TOML: Invalid value (at line 2, column 5)"),
        (b"\xff", "is not UTF-8 at byte 0"),
        (b"[tool]\nplanproof = 3\n", "tool.planproof: expected a table"),
        (b"[project]\n", "has no [tool.planproof] table"),
    ],
)
def test_a_bad_file_is_named_with_the_place(tmp_path, content, message):
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    assert _line(lambda: find_repository(tmp_path, file)).startswith(f"{file}: {message}")


def test_a_missing_file_is_named(tmp_path):
    file = tmp_path / "absent.toml"
    assert _line(lambda: find_repository(tmp_path, file)) == f"{file}: No such file or directory"


def _line(call):
    with pytest.raises(UsageError) as caught:
        call()
    return caught.value.line()
