"""Without these a migration could break a version that the project supports, or lose a name."""

import sys

import pytest

from codemods.migration import Change
from codemods.proofs import compilation, interpreters, name_check
from codemods.proofs.interpreters import Supported, _allows
from codemods.settings import ScanSettings

RUNNING = sys.version_info[:2]
NEWER, OLDER = (3, RUNNING[1] + 7), (3, 8)


def change(before, after, shown="a.py"):
    return Change(f"/{shown}", shown, before.encode(), after.encode(), ())


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (">=3.11", [11, 12, 13]),
        (">=3.10,<3.13", [10, 11, 12]),
        (">=3.10, <4", [10, 11, 12, 13]),
        (">3.10", [11, 12, 13]),
        ("~=3.11", [11, 12, 13]),
        ("~=3.11.2", [11]),
        ("==3.12.*", [12]),
        ("==3.12.4", [12]),
        (">=3.9,!=3.10.*,<=3.11", [9, 11]),
        (">=3.9,!=3.9.1,<3.10.2", [9, 10]),
        ("==3.*", [8, 9, 10, 11, 12, 13]),
        (">=3", [8, 9, 10, 11, 12, 13]),
        ("whatever", [8, 9, 10, 11, 12, 13]),
    ],
)
def test_what_a_project_declares(text, allowed):
    assert [minor for minor in range(8, 14) if _allows(text, minor)] == allowed


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[project]\nrequires-python = ">=3.12,<3.14"\n'),
        ("setup.cfg", "[options]\npython_requires = >=3.12,<3.14\n"),
    ],
)
def test_where_it_is_declared(tmp_path, name, text):
    assert interpreters.supported(tmp_path) == Supported("", frozenset({RUNNING}))
    (tmp_path / name).write_text(text)
    found = interpreters.supported(tmp_path)
    assert found.versions == {(3, 12), (3, 13)} and found.declared == ">=3.12,<3.14"


def test_versions_that_are_not_here_are_said_and_the_grammar_of_older_ones_is_used(monkeypatch):
    monkeypatch.setattr(compilation, "installed", dict)
    bad = change("x = 1\n", "match x:\n    case 1: pass\n")
    versions = Supported(">=3.8", frozenset({OLDER, RUNNING, NEWER}))
    faults, detail = compilation._compile([bad], versions)
    assert faults["a.py"].startswith("3.8: SyntaxError: Pattern matching")
    assert f"compiled by {RUNNING[0]}.{RUNNING[1]};" in detail
    assert "not here, by the grammar only: 3.8" in detail
    assert f"not here, not examined: 3.{NEWER[1]}" in detail


def test_what_did_not_compile_before_is_not_demanded(monkeypatch):
    monkeypatch.setattr(compilation, "installed", dict)
    text = "match x:\n    case 1: pass\n"
    versions = Supported(">=3.8", frozenset({OLDER, RUNNING}))
    assert compilation._compile([change(text, text + "y = 1\n")], versions)[0] == {}
    assert compilation._compile([change("print 1\n", "print 2\n")], versions)[0] == {}


def test_another_interpreter_compiles_and_one_that_answers_nonsense_is_not_counted(monkeypatch):
    """The running interpreter stands in for another one: what counts is that it is asked."""
    versions = Supported(">=3.8", frozenset({RUNNING, OLDER}))
    bad = change("x = 1\n", "def f(:\n")
    monkeypatch.setattr(compilation, "installed", lambda: {OLDER: sys.executable})
    found = compilation._compile_by(sys.executable, [bad, change("", "y = 1\n", "b.py")])
    assert list(found) == ["a.py"] and found["a.py"].startswith("SyntaxError")
    assert "compiled by 3.8, " in compilation._compile([bad], versions)[1]
    monkeypatch.setattr(compilation, "installed", lambda: {OLDER: "/bin/echo"})
    assert "by the grammar only: 3.8" in compilation._compile([bad], versions)[1]


def test_pyenv_is_looked_into_and_shims_are_not(tmp_path, monkeypatch):
    interpreters.installed.cache_clear()
    for name in ("pyenv/versions/3.99.1/bin", "pyenv/shims", "bin"):
        (tmp_path / name).mkdir(parents=True)
    answers = {"pyenv/versions/3.99.1/bin/python3.99": "3.99", "pyenv/shims/python3.98": "3.98",
               "bin/python3.97": "nonsense"}  # fmt: skip
    for name, answer in answers.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho {answer}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'pyenv/shims'}:{tmp_path / 'bin'}:/nowhere")
    try:
        found = str(tmp_path / "pyenv/versions/3.99.1/bin/python3.99")
        assert interpreters.installed() == {(3, 99): found}
    finally:
        interpreters.installed.cache_clear()


NAMES = {
    "an undefined name": ("import os\nos.a()\n", "os.a()\n", "F821"),
    "an unused import": ("x = 1\n", "import os\nx = 1\n", "F401"),
    "an undefined name in a function": ("def f(a):\n    return a\n", "def f(a):\n    return b\n", "F821"),
    "nothing new": ("import os\nprint(b)\n", "import os\nprint(b)\nprint(c := 1)\n", ""),
    "an unused legacy import stays one": (
        "from durable_execution import ToolExecutor\n",
        "from engine import PositionalTools\n",
        "",
    ),
    "one more than before": (
        "from durable_execution import ToolExecutor\n",
        "from engine import PositionalTools, execute_workflow\n",
        "F401",
    ),
    "handed on": ("x = 1\n", "import os\nfrom a import b as b\n__all__ = ['os']\n", ""),
    "a global of a function": ("x = 1\n", "def f():\n    global g\n    g = 1\n\ndef h():\n    return g\n", ""),
    "a comprehension and a class": (
        "x = 1\n", "class A:\n    b = [c for c in (1, 2)]\n\n    def d(self):\n        return self.b\n", ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("tool", ["ruff", "symbols"])
@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_lost(name, tool, monkeypatch):
    if tool == "symbols":
        monkeypatch.setattr(name_check, "_by_ruff", lambda _: None)
    before, after, code = NAMES[name]
    found = name_check.check_names([change(before, after)], ScanSettings())
    assert [item.code for item in found.faults["a.py"]] == ([code] if code else [])
    assert found.tool.startswith("symbol tables" if tool == "symbols" else "ruff ")


def test_redefinitions_and_unused_variables_are_ruffs():
    after = "def f():\n    y = 1\n\ndef f():\n    pass\n"
    found = name_check.check_names([change("x = 1\n", after)], ScanSettings())
    assert {item.code for item in found.faults["a.py"]} == {"F811", "F841"}


def test_files_of_one_name_are_kept_apart():
    changes = [change("", "import os\n", "a/b.py"), change("", "x = 1\n", "c/b.py")]
    found = name_check.check_names(changes, ScanSettings())
    assert {shown: len(items) for shown, items in found.faults.items()} == {
        "a/b.py": 1,
        "c/b.py": 0,
    }


def test_only_python_is_compiled(shop):
    shop.plan = type(shop.plan)(shop.plan.scanned, (), (change("a", "b", "x.toml"),))
    assert list(compilation.prove(shop.claim())) == []
