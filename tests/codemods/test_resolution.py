"""Without these tests a namesake could fail the gate, or a copy of legacy could pass it."""

import pytest

from codemods import ScanSettings, Status

COPY = "class CheckpointManager: ...\nasync def execute_segment(plan): ...\n"
OWN = "def run(): ...\nLIMIT = 3\n"
PACKAGE = {"src/app/__init__.py": "", "src/app/jobs.py": ""}


def statuses(report, path):
    return [item.status.value for item in report.occurrences if item.path == path]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("from .durable_execution import run", "namesake"),
        ("from . import durable_execution", "namesake"),
        ("from app.durable_execution import run", "namesake"),
        ("from app import durable_execution", "namesake"),
        ("import app.durable_execution", "namesake"),
        ("NAME = 'app.durable_execution.run'", "namesake"),
        ("import importlib; importlib.import_module('app.durable_execution')", "namesake"),
        ("import importlib; importlib.import_module('.durable_execution', 'app')", "namesake"),
        # An absolute import inside a package does not see the sibling.
        ("import durable_execution", "use"),
        ("from durable_execution import run", "use"),
        ("NAME = 'durable_execution.run'", "use"),
        # The sibling does not have what is taken, so another module must be meant.
        ("from .durable_execution import execute_segment", "use"),
        ("from other.durable_execution import run", "use"),
    ],
)
@pytest.mark.parametrize(
    "package", ["src/app/durable_execution.py", "src/app/durable_execution/__init__.py"]
)
def test_a_module_of_the_consumer_is_told_apart(scan_files, statement, expected, package):
    report = scan_files({**PACKAGE, package: OWN, "src/app/api.py": statement + "\n"})
    assert statuses(report, "src/app/api.py") == [expected]


def test_attributes_of_a_namesake_are_namesakes(scan_files):
    text = "from app import durable_execution\ndurable_execution.run()\nimport app\napp.durable_execution.run()\n"
    report = scan_files({**PACKAGE, "src/app/durable_execution.py": OWN, "src/app/api.py": text})
    assert statuses(report, "src/app/api.py") == ["namesake"] * 3


def test_a_namesake_at_the_top_level(scan_files):
    report = scan_files({"durable_execution.py": OWN, "main.py": "import durable_execution\n"})
    assert statuses(report, "main.py") == ["namesake"]


def test_a_root_that_is_named_is_legacy_whatever_it_holds(scan_files):
    files = {"durable_execution.py": OWN, "main.py": "import durable_execution\n"}
    report = scan_files(files, ScanSettings(roots=("durable_execution",)))
    assert statuses(report, "main.py") == ["use"]


@pytest.mark.parametrize(
    ("start", "expected"), [("#!/usr/bin/env python\n", "namesake"), ("", "undecided")]
)
def test_the_folder_of_a_script_is_on_its_path(scan_files, start, expected):
    files = {
        "tools/durable_execution.py": OWN,
        "tools/report.py": f"{start}import durable_execution\n",
        "tools/test_report.py": "import durable_execution\n",
    }
    report = scan_files(files)
    assert statuses(report, "tools/report.py") == [expected]
    assert statuses(report, "tools/test_report.py") == ["namesake"]


def test_a_variable_of_another_module_is_a_namesake(scan_files):
    files = {
        **PACKAGE,
        "src/app/settings.py": "durable_execution = True\n",
        "src/app/api.py": "from app import settings\nfrom .settings import durable_execution\n"
        "settings.durable_execution\n",
    }
    assert statuses(scan_files(files), "src/app/api.py") == ["namesake"] * 2


@pytest.mark.parametrize(
    "path", ["src/app/durable_execution.py", "src/app/vendor/durable_execution/__init__.py"]
)
def test_a_vendored_copy_is_the_legacy_module(scan_files, path):
    module = (
        path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    )
    report = scan_files({**PACKAGE, path: COPY, "src/app/api.py": f"import {module}\n"})
    assert statuses(report, "src/app/api.py") == ["use"]


def test_a_vendored_package_that_collects_its_names_by_star(scan_files):
    files = {
        **PACKAGE,
        "src/app/durable_execution/__init__.py": "from .core import *\n",
        "src/app/durable_execution/core.py": COPY,
        "src/app/api.py": "from .durable_execution import execute_segment\n",
    }
    assert statuses(scan_files(files), "src/app/api.py") == ["use"]


def test_a_namesake_that_cannot_be_parsed_is_undecided(scan_files):
    files = {
        **PACKAGE,
        "src/app/durable_execution.py": "def (:\n",
        "src/app/api.py": "from . import durable_execution\n",
    }
    assert statuses(scan_files(files), "src/app/api.py") == ["undecided"]


def test_a_package_of_tests_does_not_hide_the_module(scan_files):
    files = {
        "tests/durable_execution/__init__.py": "",
        "tests/durable_execution/test_a.py": "from durable_execution import execute_segment\n",
    }
    assert statuses(scan_files(files), "tests/durable_execution/test_a.py") == ["use"]


def test_relative_imports_inside_a_namesake_package_are_nothing(scan_files):
    files = {
        **PACKAGE,
        "src/app/durable_execution/__init__.py": "from .core import run\n",
        "src/app/durable_execution/core.py": OWN,
        "src/app/api.py": "from app.durable_execution.core import run\nrun()\n",
    }
    report = scan_files(files)
    assert [item.status for item in report.occurrences] == [Status.NAMESAKE]
    assert report.facades == {}


# Facades -----------------------------------------------------------------------------------------

FACADE = {
    **PACKAGE,
    "src/app/compat/__init__.py": "from durable_execution import execute_segment as run\n"
    "import durable_execution as de\n__all__ = ['run']\n",
}


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        ("from app.compat import run\nrun()", [1]),
        ("from app.compat import (\n    run,\n)", [2]),
        ("from app \\\n    import compat\ncompat.run()", [3]),
        ("from .compat import run as go", [1]),
        ("from . import compat\ncompat.run()\ncompat.de.execute_segment()", [2, 3]),
        ("import app.compat\napp.compat.run()", [2]),
        ("import app.compat as c\nx = c.run", [2]),
        ("from app.compat import *", [1]),
        ("from app.compat import de\nde.execute_segment()", [1]),
        ("def f():\n    from app.compat import run", [2]),
        ("TARGET = 'app.compat.run'", [1]),
        ("TARGET = 'app.compat:run'", [1]),
        ("from app import compat\ngetattr(compat, 'run')", [2]),
        ("from app.compat import other", []),
        ("from app import compat\ncompat.other()", []),
        ("from other.compat import run", []),
        ("def run(compat): compat.run()", []),
    ],
)
def test_importers_of_a_facade_are_uses(scan_files, statement, lines):
    report = scan_files({**FACADE, "src/app/api.py": statement + "\n"})
    found = [item for item in report.occurrences if item.path == "src/app/api.py"]
    assert [item.line for item in found] == lines
    assert all(
        item.status is Status.USE and item.target.startswith("durable_execution") for item in found
    )


def test_a_chain_of_facades_is_followed_to_its_end(scan_files):
    links = {
        f"src/app/m{index}.py": f"from .m{index - 1} import run{index - 1} as run{index}\n"
        for index in range(1, 6)
    }
    files = {
        **PACKAGE,
        **links,
        "src/app/m0.py": "from durable_execution import execute_segment as run0\n",
    }
    report = scan_files(files)
    assert sorted({item.path for item in report.of(Status.USE)}) == [
        f"src/app/m{index}.py" for index in range(6)
    ]
    assert {item.target for item in report.occurrences if item.kind == "reexport"} == {
        "durable_execution.execute_segment"
    }


def test_names_inside_the_package_of_the_facade(scan_files):
    files = {
        **FACADE,
        "src/app/compat/jobs.py": "from . import run\n",
        "src/app/compat/more.py": "from .. import compat\ncompat.run()\n",
    }
    report = scan_files(files)
    assert statuses(report, "src/app/compat/jobs.py") == ["use"]
    assert statuses(report, "src/app/compat/more.py") == ["use"]


def test_a_star_takes_only_what_is_exported(scan_files):
    hidden = "from durable_execution import execute_segment as _run, CheckpointManager\n__all__ = ['other']\nother = 1\n"
    files = {**PACKAGE, "src/app/compat.py": hidden, "src/app/api.py": "from app.compat import *\n"}
    assert statuses(scan_files(files), "src/app/api.py") == []


def test_a_facade_by_star_and_one_by_getattr(scan_files):
    files = {
        **PACKAGE,
        "src/app/star.py": "from durable_execution import *\n",
        "src/app/lazy.py": "import importlib\ndef __getattr__(name):\n"
        "    return getattr(importlib.import_module('durable_execution'), name)\n",
        "src/app/a.py": "from .star import execute_segment\n",
        "src/app/b.py": "from .lazy import CheckpointManager\n",
        "src/app/c.py": "from .lazy import something_else\n",
    }
    report = scan_files(files)
    assert [statuses(report, f"src/app/{name}.py") for name in "abc"] == [["use"], ["use"], []]


def test_a_shim_under_the_legacy_name(scan_files):
    files = {
        **PACKAGE,
        "src/app/durable_execution.py": "from legacy.durable_execution import *\n",
        "src/app/api.py": "from app.durable_execution import execute_segment\n",
    }
    assert statuses(scan_files(files), "src/app/api.py") == ["use"]


def test_patches_of_names_that_a_module_took_from_legacy(scan_files):
    files = {
        **PACKAGE,
        "src/app/api.py": "from durable_execution import execute_segment\n",
        "tests/test_api.py": "from unittest.mock import patch\nimport app.api\nfrom app import api\n"
        "patch('app.api.execute_segment')\npatch.object(app.api, 'execute_segment')\n"
        "patch.object(api, 'other')\ndef test(monkeypatch):\n"
        "    monkeypatch.setattr(api, 'execute_segment', None)\n",
    }
    report = scan_files(files)
    found = [
        (item.line, item.kind.value) for item in report.occurrences if item.path.startswith("tests")
    ]
    assert found == [(4, "patch_target"), (5, "patch_target"), (8, "patch_target")]


def test_a_facade_of_another_package_of_the_monorepo(scan_files):
    files = {
        "packages/a/pyproject.toml": "",
        "packages/a/src/alpha/__init__.py": "",
        "packages/a/src/alpha/compat.py": "from durable_execution import execute_segment\n",
        "packages/b/pyproject.toml": "",
        "packages/b/src/beta/__init__.py": "",
        "packages/b/src/beta/api.py": "from alpha.compat import execute_segment\n",
        "packages/b/config.yaml": "run: alpha.compat.execute_segment\n",
    }
    report = scan_files(files)
    assert statuses(report, "packages/b/src/beta/api.py") == ["use"]
    assert statuses(report, "packages/b/config.yaml") == ["use"]


@pytest.mark.parametrize(
    "declaration",
    [
        {"pyproject.toml": "[tool.setuptools.packages.find]\nwhere = ['python']\n"},
        {"pyproject.toml": "[tool.setuptools.package-dir]\n'' = 'python'\n"},
        {"pyproject.toml": "[tool.hatch.build.targets.wheel]\npackages = ['python/app']\n"},
        {"pyproject.toml": "[[tool.poetry.packages]]\ninclude = 'app'\nfrom = 'python'\n"},
        {"setup.cfg": "[options]\npackage_dir =\n    = python\n"},
        {"setup.cfg": "[options.packages.find]\nwhere = python\n"},
    ],
)
def test_the_source_folder_is_read_from_the_project(scan_files, declaration):
    files = {
        **declaration,
        "python/app/durable_execution.py": OWN,  # no __init__: a namespace package
        "python/app/api.py": "from app.durable_execution import run\n",
        "main.py": "import app.durable_execution\n",
    }
    report = scan_files(files)
    assert statuses(report, "main.py") == ["namesake"]
    assert statuses(report, "python/app/api.py") == ["namesake"]


def test_a_source_folder_from_the_settings(scan_files):
    files = {"deep/down/durable_execution.py": OWN, "main.py": "import durable_execution\n"}
    assert statuses(scan_files(files), "main.py") == ["use"]
    settings = ScanSettings(source_roots=("deep/down",))
    assert statuses(scan_files(files, settings), "main.py") == ["namesake"]
