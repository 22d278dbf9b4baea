"""Without these tests the gate could be green while a use is left or a file was not read."""

import json
import shutil
from pathlib import Path

import pytest

from conformance.cli import run

CONSUMER = Path(__file__).parents[1] / "fixtures" / "consumer"
ALLOW = "[[tool.planproof.scan.allow]]\npath = '{path}'\nreason = 'soon'\nexpires = {expires}\n"


@pytest.fixture
def project(tmp_path):
    """Return a function that writes a project and gives its folder."""

    def write(files):
        for name, text in {"pyproject.toml": "", "src/clean.py": "x = 1\n", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(tmp_path)

    return write


USE = "import durable_execution\n"
DOUBT = "import importlib\ndef f(p): importlib.import_module(f'{p}.durable_execution')\n"


@pytest.mark.parametrize(
    ("files", "options", "code"),
    [
        ({}, [], 0),
        ({"src/a.py": "# durable_execution\n", "a.md": "durable_execution\n"}, [], 0),
        ({"src/a.py": USE}, [], 1),
        ({"tests/a.py": USE}, [], 0),
        ({"tests/a.py": USE}, ["--fail-on", "tests"], 1),
        ({"tests/a.py": USE}, ["--production-only"], 0),
        ({"tests/a.py": USE}, ["--production-only", "--fail-on", "tests"], 2),
        ({"src/a.py": DOUBT}, [], 4),
        ({"tests/a.py": DOUBT}, [], 0),
        ({"src/a.py": "def (: durable_execution\n"}, [], 4),
        ({"tests/a.py": "def (: durable_execution\n"}, [], 4),
        ({"src/a.py": USE, "src/b.py": "def (: durable_execution\n"}, [], 1),
        ({"src/a.py": USE}, ["--exclude", "src/a.py"], 0),
        ({"src/a.py": USE}, ["--exclude", "**"], 4),
        ({"src/a.py": "import old_engine\n"}, [], 0),
        ({"src/a.py": "import old_engine\n"}, ["--root", "old_engine"], 1),
        ({"src/a.py": USE}, ["--root", "not-a-name"], 2),
        ({"src/a.py": USE, "pyproject.toml": ALLOW.format(path="src/", expires="2099-01-01")}, [], 0),
        ({"src/a.py": USE, "pyproject.toml": ALLOW.format(path="src/", expires="2020-01-01")}, [], 5),
        ({"pyproject.toml": ALLOW.format(path="src/", expires="2099-01-01")}, [], 5),
        ({"src/a.py": DOUBT, "pyproject.toml": ALLOW.format(path="docs/", expires="2099-01-01")}, [], 5),
        ({"src/a.py": USE, "pyproject.toml": ALLOW.format(path="docs/", expires="2099-01-01")}, [], 1),
        ({"pyproject.toml": "[tool.planproof.scan]\nexlude = []\n"}, [], 2),
        ({"pyproject.toml": "[tool.planproof.scan\n"}, [], 2),
        ({"pyproject.toml": "[tool]\nplanproof = 1\n"}, [], 2),
    ],
)  # fmt: skip
def test_exit_codes(project, files, options, code, capsys):
    assert run(["scan", project(files), *options]) == code
    capsys.readouterr()


def test_paths_that_do_not_exist(tmp_path, capsys):
    assert run(["scan", str(tmp_path / "nothing")]) == 2
    assert "nothing: no such file or folder" in capsys.readouterr().err


def test_a_wrong_path_is_not_green(tmp_path, capsys):
    assert run(["scan", str(tmp_path)]) == 4
    assert "no file was examined" in capsys.readouterr().err


def test_the_place_of_a_wrong_setting_is_named(project, capsys):
    folder = project({"pyproject.toml": "[[tool.planproof.scan.allow]]\npath = 'a'\n"})
    assert run(["scan", folder]) == 2
    assert capsys.readouterr().err == (
        f"planproof: {folder}/pyproject.toml: tool.planproof.scan.allow[0]: key 'reason' is missing\n"
    )


def test_json_of_the_consumer(tmp_path, capsys):
    output = tmp_path / "scan.json"
    assert run(["scan", str(CONSUMER), "--format", "json", "--output", str(output)]) == 1
    assert capsys.readouterr().out == ""
    document = json.loads(output.read_text())
    assert document["schema_version"] == "scan/v1"
    assert document["accounting"]["accounted"] is True
    assert document["counts"]["production"]["use"] == 15
    assert document["counts"]["test"] == {"use": 7}
    first = document["occurrences"][0]
    assert (first["path"], first["line"], first["column"]) == (".github/workflows/ci.yaml", 8, 32)
    assert first["rule_id"] == "DE031"


def test_console_of_the_consumer(capsys):
    assert run(["scan", str(CONSUMER)]) == 1
    lines = capsys.readouterr().out.splitlines()
    production, tests = lines.index("Production code"), lines.index("Test code")
    use = next(line for line in lines if "src/orders/api/execute.py:5:6" in line)
    assert use.split()[1:3] == ["use", "from_import"]
    assert use.endswith("from durable_execution import execute_segment")
    assert production < lines.index(use) < tests
    assert not any("weekly.py" in line for line in lines)
    assert any("26 of 26 files examined" in line for line in lines)


def test_verbose_lists_what_is_no_use(capsys):
    run(["scan", str(CONSUMER), "--verbose"])
    assert "weekly.py:3:7" in capsys.readouterr().out


def test_production_only_leaves_tests_out(capsys):
    assert run(["scan", str(CONSUMER), "--production-only"]) == 1
    assert "tests/test_execute.py" not in capsys.readouterr().out


def test_a_clean_consumer_is_green(tmp_path, capsys):
    """The same repository after its migration, to show that the gate can be passed."""
    copy = tmp_path / "consumer"
    shutil.copytree(CONSUMER, copy)
    for path in copy.rglob("*"):
        if path.is_file() and path.suffix != ".toml":
            path.write_bytes(path.read_bytes().replace(b"durable_execution", b"workflow_engine"))
    text = (copy / "pyproject.toml").read_text()
    head = text.split("[tool.planproof]")[0].replace("durable_execution", "workflow_engine")
    (copy / "pyproject.toml").write_text(head)
    assert run(["scan", str(copy)]) == 0
    assert "production: nothing" in capsys.readouterr().out


def test_an_output_that_cannot_be_written(project, capsys):
    assert run(["scan", project({}), "--output", "/nowhere/at/all"]) == 2
    assert "/nowhere/at/all" in capsys.readouterr().err


def test_the_bar_is_for_people(project, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert run(["scan", project({"src/a.py": USE})]) == 1
    assert "src/a.py:1:8" in capsys.readouterr().out


def test_the_current_folder_is_scanned_where_no_path_is_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text("from durable_execution import execute_segment\n")
    assert run(["scan"]) == 1
    assert "app.py:1:6" in capsys.readouterr().out
