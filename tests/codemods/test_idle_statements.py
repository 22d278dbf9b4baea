"""Without these a use could be lost in a statement that the walk passes by as having none."""

import ast
from types import SimpleNamespace

import pytest

import codemods
from codemods import examination
from codemods.idle_statements import is_idle, telling_lines
from codemods.source import Source

FACADE = "from durable_execution import *\nfrom durable_execution import execute_segment as run\n"

# name: text of src/app/module.py, in which something matters outside of the legacy word's statement.
FORMS = {
    "object patched in another function": (
        "import durable_execution as de\n"
        "def test(mocker):\n    mocker.patch.object(de, 'execute_segment')\n"
    ),
    "attribute set in another function": (
        "import durable_execution as de\n"
        "def test(monkeypatch):\n    monkeypatch.setattr(de, 'execute_segment', None)\n"
    ),
    "spied on": (
        "import durable_execution as de\ndef test(mocker):\n    mocker.spy(de, 'execute_segment')\n"
    ),
    "doubtful import in another function": (
        "import importlib\nNAME = 'durable_execution.execute_segment'\n"
        "def load(name):\n    return importlib.import_module(name)\n"
    ),
    "name bound by a function": (
        "import durable_execution\ndef set_up():\n    global go\n    from app.facade import run as go\n"
    ),
    "name bound in a default": (
        "import durable_execution\ndef f(x=(de := durable_execution)): ...\n"
        "def g(x=(\n    other := de)): ...\n"
    ),
    "decorator": (
        "from unittest import mock\nimport durable_execution as de\n"
        "@mock.patch.object(\n    de, 'execute_segment')\ndef test(it):\n    pass\n"
    ),
    "lazy module": (
        "import durable_execution as de\ndef __getattr__(name):\n    return getattr(de, name)\n"
    ),
    "facade used in another function": (
        "import durable_execution\nfrom app import facade\ndef f():\n    facade.run()\n"
    ),
    "facade imported in another function": (
        "import durable_execution\ndef f():\n    from app.facade import run\n    run()\n"
    ),
    "facade in a string of another function": (
        "import durable_execution\ndef f():\n    return load('app.facade.run')\n"
    ),
    "facade in a value": (
        "import durable_execution\nfrom app import facade as f\nX = {'a': f.execute_segment}\n"
    ),
    "facade as a base": (
        "import durable_execution\nimport app.facade\nclass A(app.facade.ToolExecutor): ...\n"
    ),
    "facade behind the legacy module's own alias": (
        "import durable_execution as run\nimport app.facade as f\ndef g():\n    f.run()\n    run.x()\n"
    ),
    "public names in a function": (
        "from durable_execution import execute_segment\ndef f():\n    __all__ = []\n"
    ),
    "script": (
        "import durable_execution\ndef f():\n    if __name__ == '__main__':\n        pass\n"
    ),
    "decorated in place": (
        "import durable_execution as de\n@de.execute_segment\ndef f():\n    pass\nclass B(de.X): pass\n"
    ),
    "line ends": "import durable_execution as de\rdef f():\r    x.patch.object(de, 'y')\r",
}
FILES = {
    "src/app/__init__.py": "",
    "src/app/facade.py": FACADE,
    "src/app/user.py": "import app.module\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_scan_that_passes_statements_by_finds_the_same(scan_files, monkeypatch, form):
    files = {**FILES, "src/app/module.py": FORMS[form]}
    found = scan_files(files)
    monkeypatch.setattr(
        examination, "telling_lines", lambda source, _: range(1, len(source.line_starts) + 1)
    )
    whole = scan_files(files)
    assert found.to_json() == whole.to_json()
    assert any(item.path == "src/app/module.py" for item in found.occurrences)


def test_uses_beyond_the_word_are_among_what_is_found(scan_files):
    expected = {
        "object patched in another function": 3,
        "decorator": 4,
        "facade used in another function": 4,
        "facade imported in another function": 3,
        "facade in a string of another function": 3,
        "facade in a value": 3,
        "facade as a base": 3,
        "facade behind the legacy module's own alias": 4,
    }
    for form, line in expected.items():
        report = scan_files({**FILES, "src/app/module.py": FORMS[form]})
        places = {(item.path, item.line) for item in report.of(codemods.Status.USE)}
        assert ("src/app/module.py", line) in places, form


def test_statements_are_passed_by(scan_files, monkeypatch):
    """Without this, a rule that passes nothing by would pass the tests above."""
    from codemods.walk import Walk

    passed = []
    passes_by = Walk.passes_by

    def note(walk, statement):
        result = passes_by(walk, statement)
        passed.append((type(statement).__name__, result))
        return result

    monkeypatch.setattr(Walk, "passes_by", note)
    text = (
        "import durable_execution\ndef f():\n    return 1\nclass A:\n    x = 1\ny = 2\nz: int = 3\n"
    )
    scan_files({"src/app/module.py": text})
    idle = {"FunctionDef", "ClassDef", "Assign", "AnnAssign"}
    assert {(name, True) for name in idle} <= set(passed)


def test_the_lines_of_a_statement_begin_with_its_decorators():
    tree = ast.parse("@a(\n    1)\n@b\ndef f():\n    pass\n\nx = 1\n")
    function, value = tree.body
    assert [is_idle(function, (line,)) for line in range(1, 8)] == [False] * 5 + [True] * 2
    assert [is_idle(value, (line,)) for line in (6, 7, 8)] == [True, False, True]
    assert is_idle(value, ())
    bare = SimpleNamespace(lineno=2, end_lineno=None)
    assert not is_idle(bare, (2,))
    assert is_idle(bare, (3,))


def test_telling_lines_are_those_of_the_words_in_order():
    source = Source.of("a\nglobal b\nold.x\n\nsetattr(old, '', 1)\n")
    assert telling_lines(source, ["old"]) == (2, 3, 5)
