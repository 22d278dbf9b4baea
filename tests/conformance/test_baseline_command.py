"""The baseline is a ratchet: it fails on more, and on less until it is tightened."""

import json

import jsonschema
import pytest

from conformance.baseline import FILE
from conformance.cli import run
from conformance.schemas import schema

VALIDATOR = jsonschema.Draft202012Validator(schema("baseline"))
USE = "from durable_execution import execute_segment\n"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.planproof]\n")
    (tmp_path / "a.py").write_text(USE)
    (tmp_path / "b.py").write_text(USE)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(USE)
    assert run(["baseline", "update"]) == 0
    return tmp_path


def test_what_is_as_written_down_passes(repository, capsys):
    assert run(["baseline", "check"]) == 0
    document = json.loads((repository / FILE).read_text())
    assert document == {
        "schema": "baseline/v1",
        "uses": {
            "production use": {"a.py": 1, "b.py": 1},
            "test use": {"tests/test_a.py": 1},
        },
    }
    assert VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    "document",
    [
        {"schema": "baseline/v2", "uses": {}},
        {"schema": "baseline/v1"},
        {"schema": "baseline/v1", "uses": {"production use": 1}},
        {"schema": "baseline/v1", "uses": {"production use": {"a.py": 0}}},
        {"schema": "baseline/v1", "uses": {"production use": {"a.py": True}}},
        {"schema": "baseline/v1", "uses": {"production use": {"a.py": "1"}}},
    ],
)
def test_what_the_schema_refuses_the_command_refuses(repository, capsys, document):
    assert not VALIDATOR.is_valid(document)
    (repository / FILE).write_text(json.dumps(document))
    assert run(["baseline", "check"]) == 2
    assert FILE in capsys.readouterr().err


def test_one_more_fails(repository, capsys):
    (repository / "c.py").write_text(USE)
    assert run(["baseline", "check"]) == 1
    assert "more: c.py: production use: 1, the baseline says 0" in capsys.readouterr().out


def test_one_less_fails_until_the_baseline_is_updated(repository, capsys):
    (repository / "b.py").write_text("")
    assert run(["baseline", "check"]) == 1
    assert "run `planproof baseline update`" in capsys.readouterr().out
    assert run(["baseline", "update"]) == 0
    assert run(["baseline", "check"]) == 0
    assert "b.py" not in (repository / FILE).read_text()


def test_one_that_moved_is_both(repository, capsys):
    (repository / "b.py").rename(repository / "z.py")
    assert run(["baseline", "check"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[-3:-1]] == ["more", "fewer"]


def test_an_update_does_not_loosen_it_unasked(repository, capsys):
    before = (repository / FILE).read_bytes()
    (repository / "c.py").write_text(USE)
    assert run(["baseline", "update"]) == 1
    assert (repository / FILE).read_bytes() == before
    assert run(["baseline", "update", "--allow-more"]) == 0
    assert run(["baseline", "check"]) == 0


def test_what_cannot_be_examined_is_no_pass(repository, capsys):
    (repository / "broken.py").write_text(USE + "def (\n")
    assert run(["baseline", "check"]) == 4
    assert "broken.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "`planproof baseline update` writes it"),
        ("{", f"{FILE}:1:2"),
        ("[]", "baseline/v1"),
        ('{"schema": "baseline/v1", "uses": {"a": {"b": 0}}}', "expected counts"),
    ],
)
def test_a_file_that_is_none_is_refused(repository, capsys, text, said):
    file = repository / FILE
    file.unlink() if text is None else file.write_text(text)
    assert run(["baseline", "check"]) == 2
    assert said in capsys.readouterr().err
