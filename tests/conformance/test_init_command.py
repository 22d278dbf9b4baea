"""`planproof init` adds its table, and nothing of what a person wrote is changed."""

import shutil
import tomllib
from pathlib import Path

import pytest

from conformance.cli import run

CONSUMERS = Path(__file__).parents[1] / "fixtures" / "consumers"

WRITTEN = """\
# Ours.
[project]   # the name stays
name    = "orders"
version = '1.0'


[tool.ruff]
line-length = 100  # wide

[tool.ruff.lint]
select = ["E",
  "F"]
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(WRITTEN)
    (tmp_path / "test").mkdir()
    (tmp_path / "app.py").write_text("from durable_execution import execute_segment\n")
    return tmp_path


def test_the_table_is_added_and_every_byte_before_it_stays(repository, capsys):
    assert run(["init"]) == 0
    text = (repository / "pyproject.toml").read_text()
    assert text.startswith(WRITTEN)
    table = tomllib.loads(text)["tool"]["planproof"]
    assert table["tests"]["paths"] == ["test"]
    shown = capsys.readouterr().out
    assert "1 in production code, 0 in tests" in shown
    assert "planproof codemod --write ." in shown
    assert run(["gate", "--only", "legacy-imports"]) == 1


def test_a_second_time_changes_nothing(repository, capsys):
    assert run(["init"]) == 0
    before = (repository / "pyproject.toml").read_bytes()
    assert run(["init"]) == 0
    assert (repository / "pyproject.toml").read_bytes() == before
    assert "already" in capsys.readouterr().out


def test_a_dry_run_writes_nothing_and_shows_the_table(repository, capsys):
    assert run(["init", "--dry-run"]) == 0
    assert (repository / "pyproject.toml").read_text() == WRITTEN
    assert "[tool.planproof]" in capsys.readouterr().out


def test_line_ends_stay_what_they_are(repository):
    file = repository / "pyproject.toml"
    file.write_bytes(WRITTEN.replace("\n", "\r\n").encode())
    assert run(["init"]) == 0
    assert b"\n" not in file.read_bytes().replace(b"\r\n", b"")


def test_a_repository_without_the_file_gets_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text("print(1)\n")
    assert run(["init"]) == 0
    assert tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["planproof"] == {}
    shown = capsys.readouterr().out
    assert [line.split("  #")[0].strip() for line in shown.splitlines()[-3:]] == [
        "planproof gate",
        "planproof baseline update",
        "planproof doctor",
    ]


def test_a_table_that_is_wrong_is_told_and_left(repository, capsys):
    file = repository / "pyproject.toml"
    file.write_text(WRITTEN + "\n[tool.planproof.scann]\n")
    before = file.read_text()
    assert run(["init"]) == 2
    assert "did you mean 'scan'" in capsys.readouterr().err
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[project\n", "pyproject.toml:1:"),
        ("tool = 7\n", "tool: expected a table"),
        ("[tool]\nplanproof = 1\n", "tool.planproof: expected a table"),
        ("tool = {ruff = {}}\n", "inline table"),
    ],
)
def test_a_file_that_cannot_take_the_table_is_refused_with_its_place(
    repository, capsys, text, said
):
    file = repository / "pyproject.toml"
    file.write_text(text)
    assert run(["init"]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1
    assert file.read_text() == text


@pytest.mark.parametrize("name", ["async_service", "dual_library", "monorepo"])
def test_the_example_consumers_take_it(tmp_path, monkeypatch, name):
    folder = tmp_path / name
    shutil.copytree(CONSUMERS / name, folder)
    monkeypatch.chdir(folder)
    before = (folder / "pyproject.toml").read_text()
    assert run(["init"]) == 0
    after = (folder / "pyproject.toml").read_text()
    assert after.startswith(before.rstrip())
    assert run(["gate", "--only", "engine-size"]) == 0
