"""Without these tests that stopped running, or still need the legacy module, could pass for proof."""

import dataclasses
import json
import subprocess
import sys
import types

import pytest

from codemods.proofs import consumer_tests, import_watch
from codemods.proofs.consumer_tests import SuiteError, SuiteRun, read_results

# Writes a JUnit file in place of a test run: one test for each line of `outcomes.txt`.
SUITE = """
import pathlib, sys
lines = pathlib.Path("outcomes.txt").read_text().split()
cases = "".join(
    f'<testcase classname="t" name="{name}">{"" if kind == "ok" else f"<{kind}/>"}</testcase>'
    for name, _, kind in (line.partition("=") for line in lines)
)
pathlib.Path(sys.argv[1].partition("=")[2]).write_text(f"<testsuites>{cases}</testsuites>")
"""
COMMAND = "{python} suite.py"
USE = "from legacy.durable_execution import SegmentError\n\n\ndef f():\n    raise SegmentError\n"
GOOD = "from legacy.durable_execution import ToolExecutor\n\n\ndef f(x: ToolExecutor): ...\n"


@pytest.fixture
def suite(make_shop):
    def make(outcomes, **files):
        texts = {f"{name}.py": text for name, text in files.items()}
        return make_shop(
            {
                "pyproject.toml": "",
                "suite.py": SUITE,
                "outcomes.txt": outcomes,
                "a.py": GOOD,
                **texts,
            }
        )

    return make


def prove(shop, **environment):
    environment.setdefault("test_command", COMMAND)
    return list(consumer_tests.prove(shop.claim(**environment)))


@pytest.mark.parametrize(
    ("outcomes", "fault"),
    [
        ("", "there are no tests"),
        ("a=failure b=skipped", "no test passes before the migration: 1 failure, 1 skipped"),
    ],
)
def test_tests_that_show_nothing_are_not_run(suite, outcomes, fault):
    (proof,) = prove(suite(outcomes))
    assert proof.is_unexamined and proof.fault.endswith(fault)


def test_the_same_outcomes_hold_and_are_counted(suite):
    proofs = prove(suite("a=ok b=ok c=failure d=skipped"))
    assert [item.fault for item in proofs] == ["", ""]
    assert proofs[0].detail == "1 failure, 2 passed, 1 skipped"
    assert proofs[1].detail == "with a tripwire for durable_execution"


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("{python} -c 1", "no results: exit status 0"),
        ("{python} 'unclosed", "the test command: No closing quotation"),
        ("/nowhere/python", "/nowhere/python: "),
        ("{python} -c 'import time; time.sleep(600)'", "not done in 0.2 s"),
        ("""{python} -c 'open("{junit}", "w").write("<a")'""", "the results cannot be read"),
    ],
)
def test_a_command_without_results_is_not_run(suite, command, fault):
    (proof,) = prove(
        suite("a=ok"), test_command=command, test_deadline_s=0.2 if "sleep" in command else 60
    )
    assert proof.is_unexamined and fault in proof.fault


def test_every_difference_of_outcomes_is_one():
    before = SuiteRun({"a": "passed", "b": "failure", "c": "passed", "d": "passed"})
    after = SuiteRun({"a": "passed", "b": "passed", "c": "skipped", "e": "passed"})
    fault = consumer_tests._difference(before, after)
    assert fault.startswith(
        "4 of 5 tests: b: failure -> passed; c: passed -> skipped; d: passed -> absent"
    )
    assert consumer_tests._difference(before, before) == ""


def test_results_of_one_name_are_numbered(tmp_path):
    file = tmp_path / "junit.xml"
    case = '<testcase classname="c" name="n">%s</testcase>'
    file.write_text(
        f"<testsuite>{case % ''}{case % '<failure>x</failure>'}{case % '<system-out/>'}</testsuite>"
    )
    assert read_results(file) == {"c::n": "passed", "c::n (2)": "failure", "c::n (3)": "passed"}
    file.write_text("nonsense")
    with pytest.raises(SuiteError, match="cannot be read"):
        read_results(file)


def test_what_the_plan_leaves_may_be_imported_and_is_named(suite):
    """The file with a leftover imports the module before anybody else does."""
    left = "import left, sys\nfrom legacy import durable_execution as x\nx = sys\n"
    shop = suite("a=ok", suite=f"import left\n{SUITE}", left=USE)
    row = next(row for row in shop.plan.rows if row.occurrence.path == "left.py")
    shop.damage("left.py", None)
    rows = [dataclasses.replace(row, outcome=type(row.outcome).REPORTED)]
    shop.plan = dataclasses.replace(shop.plan, rows=tuple(rows))
    proofs = prove(shop)
    assert [item.fault for item in proofs] == ["", ""]
    assert proofs[1].detail.endswith("it lets through what is left: left.py")
    # Somebody else who finds the module in `sys.modules` is refused none the less.
    (shop.folder / "suite.py").write_text(f"{left}{SUITE}")
    proofs = prove(shop)
    assert "suite.py:2: legacy.durable_execution" in proofs[1].fault


def test_tests_that_leave_no_results_any_more_are_a_fault(suite):
    shop = suite("a=ok", suite=f"import a\n{SUITE}")
    shop.damage("a.py", ("def f", "import nothing_of_this_name\n\n\ndef f"))
    proofs = prove(shop)
    assert not any(item.is_unexamined for item in proofs)
    assert "no results: ModuleNotFoundError" in proofs[0].fault


WATCHED = """
import json, sys
{}
try:
    {}
    print("imported")
except ImportError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(
    ("statement", "answer"),
    [
        ("import durable_execution", "LegacyImportError"),
        ("import legacy.durable_execution", "LegacyImportError"),
        ("from legacy import durable_execution", "LegacyImportError"),
        ("from legacy.durable_execution import execute_segment", "LegacyImportError"),
        (
            "import importlib; importlib.import_module('legacy.durable_execution')",
            "LegacyImportError",
        ),
        ("__import__('durable_execution')", "LegacyImportError"),
        ("import unittest.mock as m; m.patch('durable_execution.x').start()", "LegacyImportError"),
        ("import old.kept", "LegacyImportError"),
        ("import old.kept_not", "ModuleNotFoundError"),
        ("import json.decoder, legacy", "imported"),
        ("import durable_executions", "ModuleNotFoundError"),
        ("assert sys.own_site", "imported"),
    ],
)
def test_the_tripwire(tmp_path, statement, answer):
    copy, own = tmp_path / "copy", tmp_path / "own"
    copy.mkdir()
    (own / "old").mkdir(parents=True)
    (own / "old" / "__init__.py").write_text("")
    (own / "sitecustomize.py").write_text("import sys\nsys.own_site = True\n")
    (copy / "main.py").write_text(WATCHED.format("", statement))
    tripwire = consumer_tests.Tripwire((("durable_execution",), ("old", "kept")), ())
    first = consumer_tests._arm(tmp_path / "wire", copy, tripwire, tmp_path / "log")
    environment = {"PYTHONPATH": f"{first}:{own}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=copy, env=environment, capture_output=True, check=False
    )
    assert done.stdout.decode().split() == [answer], done.stderr.decode()
    log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    assert log.startswith("main.py:5: ") == (answer == "LegacyImportError")


def test_a_tripwire_that_lets_imports_through_proves_nothing(suite, monkeypatch):
    monkeypatch.setattr(consumer_tests, "_arm", lambda *_: "")
    (proof,) = prove(suite("a=ok"))
    assert proof.is_unexamined and "does not stop durable_execution" in proof.fault


def test_the_legacy_module_may_import_itself(tmp_path):
    settings = {
        "roots": [["a", "b"]],
        "folder": str(tmp_path),
        "permitted": [],
        "log": str(tmp_path / "l"),
    }
    watch = import_watch.Watch(json.loads(json.dumps(settings)))
    inside = types.FunctionType(
        (lambda: watch.demand_permission("a.b.other")).__code__,
        {"__name__": "a.b.inner"},
        closure=(types.CellType(watch),),
    )
    inside()
    assert not watch.log.exists()
    with pytest.raises(import_watch.LegacyImportError, match=r"a\.b is imported by"):
        watch.demand_permission("a.b")
    assert [watch.is_legacy(name) for name in ("a.b", "x.a.b.c", "a.bc", "a", "b")] == [
        True, True, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "package", "level", "full"),
    [("a", "x.y", 0, "a"), ("a", "x.y", 1, "x.y.a"), ("a", "x.y", 2, "x.a"), ("", "x.y", 1, "x.y")],
)
def test_relative_imports_are_resolved(name, package, level, full):
    assert import_watch._named(name, {"__package__": package}, level) == full
