"""Without these tests a form of use could be missed, and a gate would be green for nothing.

Each form of the catalogue is one small file with the exact place of every occurrence.
"""

import shutil
from collections import Counter
from pathlib import Path

import click
import hypothesis
import pytest
import rich

import codemods
from codemods import Kind, ScanSettings, Scope, Status

# name of the form: (text of src/app/module.py, {(line, column, kind, status)})
FORMS = {
    "import": ("import durable_execution\n", {(1, 8, "import", "use")}),
    "import as": ("import durable_execution as de\n", {(1, 8, "import", "use")}),
    "import among others": (
        "import os, durable_execution, sys\n",
        {(1, 12, "import", "use")},
    ),
    "from import": (
        "from durable_execution import execute_segment\n",
        {(1, 6, "from_import", "use")},
    ),
    "from import as": (
        "from durable_execution import execute_segment as run, CheckpointManager as C\n",
        {(1, 6, "from_import", "use")},
    ),
    "parenthesised list with comments": (
        "from durable_execution import (  # durable_execution\n    execute_segment,  # first\n)\n",
        {(1, 6, "from_import", "use"), (1, 36, "comment", "comment")},
    ),
    "backslash": (
        "from durable_execution \\\n    import execute_segment\n",
        {(1, 6, "from_import", "use")},
    ),
    "semicolon": (
        "x = 1; import durable_execution; y = 2\n",
        {(1, 15, "import", "use")},
    ),
    "package path": (
        "from legacy.durable_execution import execute_segment\n",
        {(1, 13, "from_import", "use")},
    ),
    "module from package": (
        "from legacy import durable_execution\n",
        {(1, 20, "from_import", "use")},
    ),
    "import package path": (
        "import legacy.durable_execution\nlegacy.durable_execution.execute_segment()\n",
        {(1, 15, "import", "use"), (2, 8, "reference", "use")},
    ),
    "submodule": (
        "from durable_execution.core.segments import run\n",
        {(1, 6, "from_import", "use")},
    ),
    "relative from": (
        "from .durable_execution import execute_segment\n",
        {(1, 7, "relative_import", "use")},
    ),
    "relative module": (
        "from . import durable_execution\n",
        {(1, 15, "relative_import", "use")},
    ),
    "relative parent": (
        "from ..legacy.durable_execution import execute_segment\n",
        {(1, 15, "relative_import", "use")},
    ),
    "star": ("from durable_execution import *\n", {(1, 6, "star_import", "use")}),
    "TYPE_CHECKING block": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import durable_execution\n",
        {(3, 12, "import", "use")},
    ),
    "try except ImportError": (
        "try:\n    import durable_execution\nexcept ImportError:\n    durable_execution = None\n",
        {(2, 12, "import", "use"), (4, 5, "reference", "use")},
    ),
    "version conditional": (
        (
            "import sys\nif sys.version_info >= (3, 12):\n    import json\n"
            "else:\n    from durable_execution import x\n"
        ),
        {(5, 10, "from_import", "use")},
    ),
    "function-local import": (
        "def f():\n    from durable_execution import execute_segment\n    return execute_segment\n",
        {(2, 10, "from_import", "use")},
    ),
    "importlib.import_module": (
        "import importlib\nimportlib.import_module('durable_execution')\n",
        {(2, 26, "dynamic_import", "use")},
    ),
    "import_module by name": (
        (
            "from importlib import import_module as load, import_module\n"
            "import_module('durable_execution.core')\n"
        ),
        {(2, 16, "dynamic_import", "use")},
    ),
    "import_module relative": (
        (
            "import importlib\nimportlib.import_module('.durable_execution', 'legacy')\n"
            "importlib.import_module('.durable_execution', package=__package__)\n"
        ),
        {(2, 27, "dynamic_import", "use"), (3, 27, "dynamic_import", "use")},
    ),
    "import_module relative to something": (
        "import importlib\ndef f(p): importlib.import_module('.durable_execution', p)\n",
        {(2, 37, "dynamic_import", "undecided")},
    ),
    "__import__": ("__import__('durable_execution')\n", {(1, 13, "dynamic_import", "use")}),
    "sys.modules": (
        (
            "import sys\nsys.modules['durable_execution']\nsys.modules.get('durable_execution')\n"
            "'durable_execution' in sys.modules\n"
        ),
        {
            (2, 14, "module_lookup", "use"),
            (3, 18, "module_lookup", "use"),
            (4, 2, "module_lookup", "use"),
        },
    ),
    "importorskip": (
        "import pytest\npytest.importorskip('durable_execution')\n",
        {(2, 22, "module_lookup", "use")},
    ),
    "find_spec": (
        "from importlib.util import find_spec\nfind_spec('durable_execution')\n",
        {(2, 12, "module_lookup", "use")},
    ),
    "resources": (
        "from importlib import resources\nresources.files('durable_execution')\n",
        {(2, 18, "resource", "use")},
    ),
    "f-string with a known root": (
        "import importlib\ndef f(n): importlib.import_module(f'durable_execution.{n}')\n",
        {(2, 37, "dynamic_import", "use")},
    ),
    "f-string with an unknown package": (
        "import importlib\ndef f(n): importlib.import_module(f'{n}.durable_execution')\n",
        {(2, 41, "dynamic_import", "undecided")},
    ),
    "concatenation": (
        (
            "import importlib\ndef f(n):\n    importlib.import_module('durable_execution.' + n)\n"
            "    importlib.import_module(n + '.durable_execution')\n"
        ),
        {(3, 30, "dynamic_import", "use"), (4, 35, "dynamic_import", "undecided")},
    ),
    "variable": (
        (
            "import importlib\nNAME = 'durable_execution'\nimportlib.import_module(NAME)\n"
            "def f(other): return importlib.import_module(other)\n"
        ),
        {(2, 9, "string", "use"), (4, 46, "dynamic_import", "undecided")},
    ),
    "mock.patch": (
        "from unittest import mock\nmock.patch('durable_execution.execute_segment')\n",
        {(2, 13, "patch_target", "use")},
    ),
    "monkeypatch.setattr": (
        (
            "def test(monkeypatch):\n"
            "    monkeypatch.setattr('durable_execution.execute_segment', None)\n"
        ),
        {(2, 26, "patch_target", "use")},
    ),
    "mocker.patch": (
        "def test(mocker):\n    mocker.patch('durable_execution.execute_segment')\n",
        {(2, 19, "patch_target", "use")},
    ),
    "patch.object": (
        (
            "from unittest.mock import patch\nimport durable_execution\nimport durable_execution as de\n"
            "patch.object(durable_execution, 'f')\npatch.object(de, 'f')\n"
        ),
        {
            (2, 8, "import", "use"),
            (3, 8, "import", "use"),
            (4, 14, "patch_target", "use"),
            (5, 14, "patch_target", "use"),
        },
    ),
    "patch.dict of sys.modules": (
        "from unittest.mock import patch\npatch.dict('sys.modules', {'durable_execution': None})\n",
        {(2, 29, "module_lookup", "use")},
    ),
    "dotted string in settings": (
        "BACKEND = 'durable_execution.execute_segment'\nTARGET = 'durable_execution:main'\n",
        {(1, 12, "string", "use"), (2, 11, "string", "use")},
    ),
    "logger name": (
        "import logging\nlogging.getLogger('durable_execution')\n",
        {(2, 20, "string", "use")},
    ),
    "key that may be anything": (
        "LIMITS = {'durable_execution': 3}\nLIMITS['durable_execution']\n",
        {(1, 12, "string", "undecided"), (2, 9, "string", "undecided")},
    ),
    "docstring, role and doctest": (
        '"""See :mod:`durable_execution`.\n\n>>> import durable_execution\n"""\n',
        {(1, 14, "docstring", "documentation"), (3, 12, "doctest", "documentation")},
    ),
    "prose in a string": (
        "HELP = 'durable_execution is retired'\n",
        {(1, 9, "prose", "documentation")},
    ),
    "program in a string": (
        (
            "exec('from durable_execution import execute_segment')\n"
            "CODE = 'import durable_execution'\n"
        ),
        {(1, 12, "embedded_code", "use"), (2, 16, "embedded_code", "undecided")},
    ),
    "command in a list": (
        (
            "import subprocess\nsubprocess.run(['python', '-m', 'durable_execution'])\n"
            "subprocess.run('python -m durable_execution.worker', shell=True)\n"
        ),
        {(2, 34, "string", "use"), (3, 27, "command", "use")},
    ),
    "escape before the name": (
        "exec('import os\\nimport os\\ndurable_execution')\n",
        {(1, 29, "embedded_code", "undecided")},
    ),
    "type comment": (
        "x = None  # type: durable_execution.CheckpointManager\n",
        {(1, 19, "type_comment", "use")},
    ),
    "string annotation": (
        (
            "import typing\nx: 'durable_execution.A'\ndef f(y: list['durable_execution.B']): ...\n"
            "z = typing.cast('durable_execution.C', x)\n"
        ),
        {
            (2, 5, "annotation", "use"),
            (3, 16, "annotation", "use"),
            (4, 18, "annotation", "use"),
        },
    ),
    "Literal is no annotation": (
        "import typing\nx: typing.Literal['durable_execution']\n",
        {(2, 20, "string", "use")},
    ),
    "getattr": (
        (
            "import legacy\ngetattr(legacy, 'durable_execution')\nclass A: pass\n"
            "getattr(A, 'durable_execution')\nsetattr(A(), 'durable_execution', 1)\n"
        ),
        {
            (2, 18, "reference", "use"),
            (4, 13, "identifier", "unrelated"),
            (5, 15, "identifier", "unrelated"),
        },
    ),
    "attribute call, decorator, default, alias, partial": (
        (
            "import durable_execution, functools\n@durable_execution.traced\n"
            "def f(g=durable_execution.execute_segment): ...\nrun = durable_execution.execute_segment\n"
            "functools.partial(durable_execution.execute_segment, timeout=1)\n"
        ),
        {
            (1, 8, "import", "use"),
            (2, 2, "reference", "use"),
            (3, 9, "reference", "use"),
            (4, 7, "reference", "use"),
            (5, 19, "reference", "use"),
        },
    ),
    "subclass": (
        "import durable_execution\nclass M(durable_execution.CheckpointManager): ...\n",
        {(1, 8, "import", "use"), (2, 9, "reference", "use")},
    ),
    "shadowing parameter": (
        "import durable_execution\ndef f(durable_execution):\n    return durable_execution.x\n",
        {
            (1, 8, "import", "use"),
            (2, 7, "identifier", "unrelated"),
            (3, 12, "identifier", "unrelated"),
        },
    ),
    "unrelated names": (
        (
            "class A:\n    durable_execution = 1\n    def durable_execution_x(self):\n"
            "        return self.durable_execution\ndef durable_execution(): ...\n"
            "f(durable_execution=1)\nmy_durable_execution_log = 2\n"
        ),
        {
            (2, 5, "identifier", "unrelated"),
            (4, 21, "identifier", "unrelated"),
            (5, 5, "identifier", "unrelated"),
            (6, 3, "identifier", "unrelated"),
        },
    ),
    "imported under the legacy name": (
        "import engine as durable_execution\ndurable_execution.run()\n",
        {(1, 18, "identifier", "unrelated"), (2, 1, "identifier", "unrelated")},
    ),
    "name that is bound nowhere": (
        "durable_execution.run()\n",
        {(1, 1, "reference", "undecided")},
    ),
    "attribute of an imported object": (
        (
            "from acme import thing\nthing.durable_execution()\n"
            "thing.durable_execution.execute_segment()\n"
        ),
        {(2, 7, "reference", "undecided"), (3, 7, "reference", "use")},
    ),
    "global and del": (
        "import durable_execution\ndef f():\n    global durable_execution\n    del durable_execution\n",
        {(1, 8, "import", "use"), (3, 12, "reference", "use"), (4, 9, "reference", "use")},
    ),
    "match": (
        "def f(x):\n    match x:\n        case {'a': durable_execution}: return durable_execution\n",
        {(3, 20, "identifier", "unrelated"), (3, 47, "identifier", "unrelated")},
    ),
    "comment only": (
        "x = 1  # import durable_execution\n# from durable_execution import y\n",
        {(1, 17, "comment", "comment"), (2, 8, "comment", "comment")},
    ),
    "hash in a string": (
        "x = '# durable_execution'\n",
        {(1, 8, "prose", "documentation")},
    ),
    "comment inside a joined string": (
        "x = ('a'  # durable_execution\n     'b')\n",
        {(1, 13, "comment", "comment")},
    ),
    "f-string expression": (
        "import durable_execution\nx = f'{durable_execution.VERSION}'\n",
        {(1, 8, "import", "use"), (2, 8, "reference", "use")},
    ),
    "bytes": ("KEY = b'durable_execution.queue'\n", {(1, 9, "string", "use")}),
    "file name": (
        "open('durable_execution.log')\nopen('legacy/durable_execution.py')\n",
        {(1, 7, "identifier", "unrelated"), (2, 14, "path", "use")},
    ),
    "web address": (
        "URL = 'https://docs.example.com/durable_execution'\n",
        {(1, 33, "prose", "documentation")},
    ),
    "entry point in setup.py": (
        (
            "import setuptools\nsetuptools.setup(entry_points={'console_scripts': "
            "['w = durable_execution.worker:main']})\n"
        ),
        {(2, 57, "entry_point", "use")},
    ),
    "exported name": (
        "import durable_execution\n__all__ = ['durable_execution']\n",
        {(1, 8, "import", "use"), (2, 13, "reference", "use")},
    ),
    # Syntax that is newer than the oldest supported Python.
    "type statement": (
        "type X = int\nfrom durable_execution import execute_segment\n",
        {(2, 6, "from_import", "use")},
    ),
    "except without parentheses": (
        "try:\n    import durable_execution\nexcept ImportError, ValueError:\n    pass\n",
        {(2, 12, "import", "use")},
    ),
    "nested f-string quotes": (
        "d = {}\nx = f'{d['a']}'; import durable_execution\n",
        {(2, 25, "import", "use")},
    ),
    "template string": (
        "y = 1\nx = t'{y}'\nimport durable_execution\n",
        {(3, 8, "import", "use")},
    ),
    "lazy import": ("lazy import durable_execution\n", {(1, 13, "import", "use")}),
}


@pytest.mark.parametrize("form", FORMS)
def test_form(found, form):
    text, expected = FORMS[form]
    everything = found({"src/app/__init__.py": "", "src/app/module.py": text})
    assert {item[1:] for item in everything} == expected
    assert {item[0] for item in everything} == {"src/app/module.py"}


# Their second parser is a process, which is tested once for each of them.
NEWER = {
    "type statement",
    "except without parentheses",
    "nested f-string quotes",
    "template string",
    "lazy import",
}


@pytest.mark.parametrize("form", [form for form in FORMS if form not in NEWER])
def test_form_is_found_in_any_encoding(found, form):
    text, expected = FORMS[form]
    header = "# -*- coding: koi8-r -*- \u0436\n"
    for data, lines in (
        ((header + text).encode("koi8-r"), 1),
        (b"\xef\xbb\xbf" + text.encode(), 0),
        (text.replace("\n", "\r\n").encode(), 0),
        (b"\x0c\n" + text.encode(), 1),
        (text.rstrip("\n").encode(), 0),
    ):
        everything = found({"src/app/__init__.py": "", "src/app/module.py": data})
        assert {(line - lines, *rest) for _, line, *rest in everything} == expected


def test_columns_are_counted_in_characters(found):
    text = "x = '\u00e4\u00f6\u4e2d\U0001f600'; import durable_execution\n"
    assert found({"a.py": text}) == [("a.py", 1, 20, "import", "use")]


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("src/app/jobs.py", Scope.PRODUCTION),
        ("src/app/contest.py", Scope.PRODUCTION),
        ("tests/anything.py", Scope.TEST),
        ("src/app/tests/jobs.py", Scope.TEST),
        ("src/app/test_jobs.py", Scope.TEST),
        ("src/app/jobs_test.py", Scope.TEST),
        ("conftest.py", Scope.TEST),
    ],
)
def test_production_and_tests_are_told_apart(scan_files, path, scope):
    report = scan_files({path: "import durable_execution\n"})
    assert [item.scope for item in report.occurrences] == [scope]


def test_the_globs_of_tests_can_be_replaced(scan_files):
    files = {"spec/a.py": "import durable_execution\n", "tests/b.py": "import durable_execution\n"}
    report = scan_files(files, ScanSettings(tests=("spec/",)))
    assert [item.scope for item in report.occurrences] == [Scope.TEST, Scope.PRODUCTION]


def test_further_roots(found):
    files = {
        "a.py": "import acme.old_engine.run\nfrom acme import old_engine\nimport other.old_engine\n",
        "conf.yaml": "x: acme.old_engine:run\n",
    }
    assert found(files) == []
    assert found(files, ScanSettings(roots=("acme.old_engine",))) == [
        ("a.py", 1, 13, "import", "use"),
        ("a.py", 2, 18, "from_import", "use"),
        ("a.py", 3, 14, "identifier", "unrelated"),
        ("conf.yaml", 1, 9, "configuration", "use"),
    ]


def test_nothing_is_examined_when_everything_is_excluded(scan_files):
    report = scan_files(
        {"legacy/a.py": "import durable_execution\n"}, ScanSettings(exclude=("**", "gone/"))
    )
    assert report.files_examined == 0
    assert report.skipped == {"excluded by the settings": 2}
    assert report.idle_excludes == ("gone/",)


def test_one_bad_file_neither_stops_nor_hides_the_others(scan_files):
    report = scan_files(
        {
            "bad.py": "def (:\n    import durable_execution\n",
            "good.py": "import durable_execution\n",
            "latin.py": b"# \xe9\nimport durable_execution\n",
            "null.py": b"import durable_execution\x00\n",
            "py2.py": "print 'x'\nimport durable_execution\n",
            "clean_but_broken.py": "def (:\n",
        }
    )
    assert [item.path for item in report.of(Status.UNEXAMINED)] == [
        "bad.py",
        "latin.py",
        "null.py",
        "py2.py",
    ]
    assert [item.path for item in report.of(Status.USE)] == ["good.py"]


def test_a_latin_1_file_that_declares_it_is_read(found):
    data = b"# -*- coding: latin-1 -*-\nx = '\xe9'; import durable_execution\n"
    assert found({"a.py": data}) == [("a.py", 2, 17, "import", "use")]


def test_an_oversize_file_with_a_hit_is_red(scan_files):
    text = "import durable_execution\n" + "x = 1\n" * 200
    report = scan_files({"a.py": text, "b.py": "x = 1\n" * 200}, ScanSettings(max_file_bytes=1000))
    assert [(item.path, item.kind) for item in report.of(Status.UNEXAMINED)] == [
        ("a.py", Kind.OVERSIZE)
    ]


def test_a_thousand_terms(found):
    text = "x = " + " + ".join(["a"] * 1500) + "\nimport durable_execution\n"
    assert found({"a.py": text}) == [("a.py", 2, 8, "import", "use")]


def test_a_script_without_a_suffix(found):
    files = {
        "bin/worker": "#!/usr/bin/env python3\nimport durable_execution\n",
        "bin/start": "#!/bin/sh\n# durable_execution\npython -m durable_execution\n",
        "LICENSE": "durable_execution is free.\n",
        "bin/compiled": b"\x7fELF\x00durable_execution",
    }
    assert found(files) == [
        ("LICENSE", 1, 1, "document", "documentation"),
        ("bin/start", 2, 3, "comment", "comment"),
        ("bin/start", 3, 11, "command", "use"),
        ("bin/worker", 2, 8, "import", "use"),
    ]


def test_parts_of_other_words_are_counted_and_nothing_else(scan_files):
    report = scan_files({"a.py": "my_durable_execution_log = durable_executions = 1\n"})
    assert (report.words, report.substrings, report.occurrences) == (0, 2, ())


def test_the_report_is_deterministic_and_versioned(scan_files):
    files = {f"m{index}.py": "import durable_execution\n" for index in range(5)}
    first, second = scan_files(files).to_json(), scan_files(files).to_json()
    assert first == second
    assert '"schema_version": "scan/v1"' in first


def test_processes_find_the_same(scan_files, monkeypatch):
    files = {f"m{index}.py": FORMS["from import"][0] for index in range(40)}
    alone = scan_files(files)
    monkeypatch.setattr("codemods.scanner.POOL_THRESHOLD", 10)
    assert scan_files(files, jobs=2).occurrences == alone.occurrences


def test_files_that_one_path_shares_with_another_are_read_once(tmp_path):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("import durable_execution\n")
    report = codemods.scan([tmp_path, tmp_path / "src", tmp_path / "src" / "a.py"])
    assert [item.path for item in report.occurrences] == ["src/a.py"]
    assert report.files_examined == 2


@pytest.mark.parametrize("package", [click, rich, hypothesis], ids=lambda item: item.__name__)
def test_a_foreign_package_has_no_findings(package):
    report = codemods.scan([Path(package.__file__).parent])
    assert report.occurrences == ()
    assert report.files_examined > 15


def test_every_planted_use_is_found_in_a_foreign_package(tmp_path):
    """Plants one form after the other into a copy of a package, at the end of its modules."""
    copy = tmp_path / "copy"
    shutil.copytree(Path(rich.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    modules = sorted(copy.glob("*.py"))
    planted = Counter()
    forms = {name: form for name, form in FORMS.items() if name not in NEWER}
    for index, (text, expected) in enumerate(forms.values()):
        module = modules[index % len(modules)]
        first = module.read_text(encoding="utf-8").count("\n")
        if index >= len(modules):
            break
        with module.open("a", encoding="utf-8") as file:
            file.write(text)
        # The rich package binds its own names, so only what is decided by the form itself counts.
        planted.update(
            (module.name, line + first)
            for line, _, kind, status in expected
            if status == "use" and kind != "reference"
        )
    assert len(planted) > 40
    report = codemods.scan([copy])
    found = {(item.path, item.line) for item in report.of(Status.USE)}
    assert set(planted) - found == set()
    assert report.of(Status.UNEXAMINED) == ()
    assert report.is_accounted
