"""Without these a module that cannot be imported any more could pass for one that can."""

import pytest

from codemods.proofs import module_imports
from codemods.proofs.module_imports import module_name

USE = "from legacy.durable_execution import SegmentError\n\ntry:\n    {}\nexcept SegmentError:\n    pass\n"


@pytest.mark.parametrize(
    ("file", "folders", "name"),
    [
        ("src/a/b.py", (".", "src"), "a.b"),
        ("src/a/__init__.py", ("src", "."), "a"),
        ("a/b.py", (".",), "a.b"),
        ("a/b.py", ("src",), ""),
        ("a-b.py", (".",), ""),
        ("a.b/c.py", (".",), ""),
        ("__init__.py", (".",), ""),
        ("a/b.pyw", (".", "a"), "b"),
    ],
)
def test_the_name_of_a_module(file, folders, name):
    assert module_name(file, folders) == name


def test_what_was_not_possible_before_is_not_demanded_and_said(make_shop):
    files = {
        "pyproject.toml": "",
        "src/good.py": USE.format("import json\n    print('noise')"),
        "src/ends.py": USE.format("raise SystemExit(3)"),
        "src/bin-script.py": USE.format("__name__ == '__main__' and 1 / 0"),
        "other/json.py": USE.format("pass"),
        "tests/test_a.py": USE.format("import beside"),
        "tests/beside.py": "x = 1\n",
    }
    shop = make_shop(files)
    proofs = {item.path: item for item in module_imports.prove(shop.claim())}
    assert not any(item.fault for item in proofs.values())
    said = {
        path: item.detail.partition("because not possible before: ")[2]
        for path, item in proofs.items()
    }
    assert (
        said["src/good.py"]
        == said["src/bin-script.py"]
        == said["tests/test_a.py"]
        == said["other/json.py"]
        == ""
    )
    assert said["src/ends.py"] == "SystemExit: 3"


def test_another_module_of_the_name_is_not_the_one_that_changed(make_shop):
    """`json` is the standard library's: that it can be imported says nothing."""
    shop = make_shop({"pyproject.toml": "", "site.py": USE.format("pass")})
    (proof,) = module_imports.prove(shop.claim())
    assert proof.is_unexamined and "site is another module: " in proof.fault


def test_nothing_that_could_be_imported_is_not_run(make_shop):
    files = {"pyproject.toml": "", "a.py": USE.format("import nothing_of_this_name")}
    (proof,) = module_imports.prove(make_shop(files).claim())
    assert proof.is_unexamined and "No module named 'nothing_of_this_name'" in proof.fault


def test_a_module_that_hangs_is_ended_and_a_dead_interpreter_is_said(make_shop):
    files = {
        "pyproject.toml": "",
        "a.py": USE.format("import time; time.sleep(600)"),
        "b.py": USE.format("import os; os._exit(5)"),
    }
    shop = make_shop(files)
    claim = shop.claim(import_deadline_s=1.5)
    fault = module_imports._import(claim, *_project(claim), ["a.py", "b.py"], migrated=False)
    assert fault["a.py"].endswith("not done in 1.5 s")
    assert fault["b.py"] == "the interpreter ended: exit status 5"


def _project(claim):
    return module_imports.projects(claim)


def test_only_modules_are_imported(make_shop):
    files = {
        "pyproject.toml": "",
        "a.pyi": "from durable_execution import ToolExecutor\nx: ToolExecutor\n",
    }
    assert list(module_imports.prove(make_shop(files).claim())) == []
